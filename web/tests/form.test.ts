import { describe, expect, test, vi } from "vitest";
import type { FieldMeta } from "@/api/types";
import { changed } from "@/features/records/changed";
import { rebase } from "@/features/records/draft";
import { columnIndex, csvRows, guessMapping, readHead } from "@/features/records/sheet";
import { checkAll, incoming, outgoingAll, parseDate, parseTable, parseTime, plainAmount, plainNumber, startValues } from "@/kit/form/coerce";
import { zonedInstant } from "@/kit/form/zone";
import { Intent } from "@/kit/intent";
import { stateOf } from "@/kit/states";
import { WedgeReader } from "@/kit/wedge";
import { learnClock, plantMs } from "@/session/clock";
import { cellText, duration, showZone } from "@/session/format";
import { rank } from "@/session/recent";
import { masterOf, unitOf } from "@/session/told";
import { rightMatches } from "@/session/session";
import { speak } from "@/words";

const field = (name: string, type: FieldMeta["type"], more: Partial<FieldMeta> = {}): FieldMeta => ({ name, title: name, type, ...more });
const lines = field("lines", "list", { required: true, fields: [field("item", "ref", { required: true }), field("quantity", "quantity", { required: true })] });

describe("what people type", () => {
  test("numbers: full-width digits, separators, signs; text stays text", () => {
    expect(["１２．５", "1,234.5", " −3 ", ".5", "abc"].map(plainNumber)).toEqual(["12.5", "1234.5", "-3", "0.5", "abc"]);
  });

  test("an amount as the server keeps it is shown as people write it; what is being typed stays", () => {
    expect(["40.000000", "0.250000", "-1.500000", "0.000000", "1.0", "100", "1.050"].map(plainAmount)).toEqual(["40", "0.25", "-1.5", "0", "1.0", "100", "1.050"]);
  });

  test("masters and units in the language of the screen", async () => {
    await speak("zh-CN");
    expect([unitOf({ code: "pc", name: "件" }), unitOf({ code: "pc" }), unitOf(null)]).toEqual(["件", "pc", ""]);
    await speak("en");
    expect(unitOf({ code: "pc", name: "piece" })).toBe("pc");
    expect([masterOf({ id: "1", code: "BRK", name: "故障", name_en: "Breakdown" }), masterOf({ id: "2", code: "X", name: "停" })].map((one) => one.name)).toEqual(["Breakdown", "停"]);
    await speak("zh-CN");
  });

  test("dates in the usual ways, and nothing that is no date", () => {
    const today = new Date(2026, 10, 22);
    expect(["2026-3-2", "20260302", "3-2", "2026年3月2日", "t", "+10", "2026/03/02"].map((text) => parseDate(text, today))).toEqual(["2026-03-02", "2026-03-02", "2026-03-02", "2026-03-02", "2026-11-22", "2026-12-02", "2026-03-02"]);
    expect(["2026-02-30", "x", "13-1", ""].map((text) => parseDate(text, today))).toEqual([null, null, null, null]);
  });

  test("today and now are the plant's, which the server tells and which may live faster", async () => {
    expect(parseDate("t")).not.toBe("2031-03-02");
    const wall = vi.spyOn(Date, "now").mockReturnValue(1_000_000);
    vi.stubGlobal("fetch", vi.fn(async () => new Response(JSON.stringify({ now: "2031-03-01T16:30:00Z", rate: 60, virtual: true }), { headers: { "Content-Type": "application/json" } })));
    await learnClock();
    showZone("Asia/Shanghai");
    expect([parseDate("t"), parseDate("+1"), parseDate("3-9")]).toEqual(["2031-03-02", "2031-03-03", "2031-03-09"]);
    wall.mockReturnValue(1_010_000);
    expect(new Date(plantMs()).toISOString()).toBe("2031-03-01T16:40:00.000Z");
    showZone(undefined);
    wall.mockRestore();
    vi.unstubAllGlobals();
  });

  test("times of day", () => {
    expect(["8", "830", "8：30", "20:05", "25", "8:61"].map(parseTime)).toEqual(["08:00", "08:30", "08:30", "20:05", null, null]);
  });

  test("a wall clock in the site's zone becomes the right instant, also across a clock change", () => {
    showZone("Asia/Shanghai");
    expect(zonedInstant("2026-03-02", "08:00")).toBe("2026-03-02T00:00:00.000Z");
    showZone("Europe/Berlin");
    expect(zonedInstant("2026-03-29", "12:00")).toBe("2026-03-29T10:00:00.000Z");
    expect(zonedInstant("2026-03-28", "12:00")).toBe("2026-03-28T11:00:00.000Z");
    showZone(undefined);
  });
});

test("a draft is laid over the newest state: only what was typed wins, what others changed stays", () => {
  const base = { code: "A", name: "油封", name_en: "Seal", unit: { id: "u1" }, note: undefined };
  const typed = { ...base, name_en: "Shaft seal", note: "" };
  const now = { ...base, name: "骨架油封", unit: { id: "u2" } };
  expect(rebase(base, typed, now)).toEqual({ code: "A", name: "骨架油封", name_en: "Shaft seal", unit: { id: "u2" }, note: "" });
});

describe("forms", () => {
  test("point at each wrong value by its path", () => {
    const fields = [field("code", "text", { required: true }), field("days", "integer"), field("due", "date"), lines];
    expect(checkAll(fields, { code: "", days: "1.5", due: "soon", lines: [{ item: { id: "1" }, quantity: "2" }, { quantity: "two" }] })).toEqual({
      code: "form.required", days: "form.notWhole", due: "form.notDate", "lines.1.item": "form.required", "lines.1.quantity": "form.notNumber",
    });
  });

  test("send ids of references, decimals as text, no empty fields and no blank rows", () => {
    const fields = [field("customer", "ref"), field("days", "integer"), field("note", "text"), field("urgent", "boolean"), lines];
    expect(outgoingAll(fields, { customer: { id: "c1", code: "C1" }, days: "7", note: "", urgent: false, lines: [{ item: { id: "i1" }, quantity: "12.500000000000000001" }, {}] })).toEqual({
      customer: "c1", days: 7, urgent: false, lines: [{ item: "i1", quantity: "12.500000000000000001" }],
    });
  });

  test("start with defaults and one open row", () => {
    expect(startValues([field("currency", "choice", { default: "CNY" }), lines], {})).toEqual({ currency: "CNY", lines: [{}] });
  });

  test("a change sends only what differs, an emptied field as empty", () => {
    const fields = [field("name", "text"), field("price", "decimal"), field("unit", "ref"), field("retired_on", "date")];
    const before = { id: "1", name: "bolt", price: "12.500000", unit: { id: "u1", code: "pc" }, retired_on: "2026-01-01" };
    expect(changed(fields, before, { name: "bolt", price: "12.5", unit: "u1" })).toEqual({ retired_on: null });
    expect(changed(fields, before, { price: "12.6", unit: "u2", retired_on: "2026-01-01" })).toEqual({ name: "", price: "12.6", unit: "u2" });
  });

  test("cells pasted from a spreadsheet become values", () => {
    expect(parseTable("A\t1,000\r\nB\t2\r\n")).toEqual([["A", "1,000"], ["B", "2"]]);
    expect(incoming(field("status", "choice", { choices: [{ value: "draft", title: "草稿" }] }), "草稿")).toBe("draft");
    expect(incoming(field("urgent", "boolean"), "是")).toBe(true);
  });
});

test("one intent keeps its order id until the outcome is known or the content changes", () => {
  let count = 0;
  const intent = new Intent(() => `id${(count += 1)}`);
  expect([intent.idFor({ a: 1 }), intent.idFor({ a: 1 }), intent.idFor({ a: 2 })]).toEqual(["id1", "id1", "id2"]);
  intent.settled();
  expect(intent.idFor({ a: 2 })).toBe("id3");
});

describe("wedge scanner", () => {
  const type = (reader: WedgeReader, text: string, gap: number, from = 1000) => [...text, "Enter"].map((key, index) => reader.press({ key, at: from + index * gap })).pop();

  test("fast keys and Enter are a scan", () => expect(type(new WedgeReader(), "WO-24110832", 8)).toEqual({ code: "WO-24110832" }));
  test("a person's typing is not", () => expect(type(new WedgeReader(), "WO-24110832", 120)).toBeNull());
  test("a slow start does not spoil the scan that follows", () => {
    const reader = new WedgeReader();
    reader.press({ key: "x", at: 0 });
    expect(type(reader, "L2411-0093", 10, 500)).toEqual({ code: "L2411-0093" });
  });
  test("two quick keys are too short", () => expect(type(new WedgeReader(), "ab", 5)).toBeNull());
});

describe("files", () => {
  test("CSV with quotes, other separators and a byte mark", () => {
    expect(csvRows('\ufeffcode,name\r\nA1,"bolt, ""M6"""\r\nA2,nut')).toEqual([["code", "name"], ["A1", 'bolt, "M6"'], ["A2", "nut"]]);
    expect(csvRows("a;b\n1;2\n")).toEqual([["a", "b"], ["1", "2"]]);
  });

  test("a file in GB18030, as Excel in China writes it", async () => {
    const bytes = new Uint8Array([0xb1, 0xe0, 0xc2, 0xeb, 0x2c, 0xc3, 0xfb, 0xb3, 0xc6, 0x0a, 0x41, 0x2c, 0x42]);
    expect(await readHead(new Blob([bytes]), "x.csv")).toEqual({ headers: ["编码", "名称"], sample: [["A", "B"]] });
  });

  test("headers find their column by name or title", () => {
    const columns = [{ name: "code", title: "编码" }, { name: "lead_time_days", title: "提前期" }];
    expect(guessMapping(["编码*", "Lead time days", "颜色"], columns)).toEqual({ "编码*": "code", "Lead time days": "lead_time_days" });
    expect(["A1", "Z9", "AA10", "AB1"].map(columnIndex)).toEqual([0, 25, 26, 27]);
  });
});

test("cells read as their type", () => {
  expect(cellText(field("q", "quantity"), "1234.500000")).toBe("1,234.5");
  expect(cellText(field("p", "money", { decimals: 2 }), "1234.5")).toBe("1,234.50");
  expect(cellText(field("c", "ref"), { id: "1", code: "C001", name: "远景" })).toBe("C001 远景");
  expect(cellText(field("n", "integer"), null)).toBe("");
  expect(duration("PT1H30M").replace(/[^\d ]/g, "").trim().split(/\s+/)).toEqual(["1", "30"]);
});

test("business statuses are drawn as one of the seven states", () => {
  expect(["draft", "Released", "in_progress", "paused", "failed", "on_hold", "closed", "cancelled", "what"].map(stateOf)).toEqual(["planned", "ready", "running", "setup", "down", "hold", "done", "cancelled", "planned"]);
});

test("held rights cover wanted ones by pattern", () => {
  expect(rightMatches("sales.*", "sales.confirm_order")).toBe(true);
  expect(rightMatches("*.view_*", "sales.view_order")).toBe(true);
  expect(rightMatches("sales.*", "salesX.confirm_order")).toBe(false);
  expect(rightMatches("sales.view_order", "sales.view_orders")).toBe(false);
});

test("search ranks whole finds over scattered letters, and refuses what does not fit", () => {
  expect(rank("销售订单 sales_order", "订单")).toBeGreaterThan(rank("sales order list", "sol"));
  expect(rank("sales order", "xyz")).toBe(0);
});
