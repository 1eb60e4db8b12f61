import { describe, expect, test, vi } from "vitest";
import type { Row } from "@/api/types";
import type { GridColumn } from "@/kit/grid/columns";
import { frozenCount, place, windowOf } from "@/kit/grid/columns";
import { GroupLines, type Group } from "@/kit/grid/groups";
import { asCell, headings, planPaste, unguarded, usesDecimalComma } from "@/kit/grid/paste";
import { emptyQuery, fromAddress, sameQuery, sortWithin, toAddress } from "@/kit/grid/query";
import { makeSheet, type SheetAnswer } from "@/kit/grid/sheet";
import { queryOf, type SavedView } from "@/kit/grid/views";
import { findShortcut, isTyping, keyOf, type Shortcut } from "@/kit/shortcuts";
import { blocksOf } from "@/features/help/manual";

const column = (name: string, more: Partial<GridColumn> = {}): GridColumn => ({ name, title: name.toUpperCase(), type: "text", edit: "x.change_x", writable: true, ...more });
const columns = [column("code", { edit: undefined }), column("name"), column("stock", { type: "quantity", title: "Stock (kg)" }), column("seen", { edit: undefined, writable: false })];
const rows: Row[] = [{ id: "1", version: 4, code: "A", name: "a", stock: "5" }, { id: "2", version: 1, code: "B", name: "b", stock: "7" }];

describe("lines of groups", () => {
  const group = (count: number): Group => ({ values: {}, count, sums: {}, mixed: [] });
  const groups = [group(3), group(1), group(2)];

  test("heads stand before their rows, and a closed group is its head alone", () => {
    const open = new GroupLines(groups, new Set());
    expect(open.count).toBe(9);
    expect([0, 1, 3, 4, 5, 6, 7, 8].map((line) => open.lineAt(line))).toEqual([{ head: groups[0], at: 0 }, { row: 0 }, { row: 2 }, { head: groups[1], at: 1 }, { row: 3 }, { head: groups[2], at: 2 }, { row: 4 }, { row: 5 }]);
    const closed = new GroupLines(groups, new Set([0]));
    expect(closed.count).toBe(6);
    expect([closed.lineAt(0), closed.lineAt(1), closed.lineAt(2)]).toEqual([{ head: groups[0], at: 0 }, { head: groups[1], at: 1 }, { row: 3 }]);
  });

  test("a row knows its line, or the head it is folded under", () => {
    const lines = new GroupLines(groups, new Set([1]));
    expect([0, 2, 3, 4, 5].map((row) => lines.lineOf(row))).toEqual([1, 3, 4, 6, 7]);
    for (let row = 0; row < 6; row += 1) if (row !== 3) expect(lines.lineAt(lines.lineOf(row))).toEqual({ row });
  });
});

describe("what a list is asked for", () => {
  test("rows stand in the order of their groups first", () => {
    expect(sortWithin({ ...emptyQuery(), sort: "-due,status", group: "status,due__week" })).toBe("status,due");
    expect(sortWithin({ ...emptyQuery(), sort: "-due", group: "status" })).toBe("status,-due");
    expect(sortWithin({ ...emptyQuery(), sort: "-due" })).toBe("-due");
    expect(sortWithin({ ...emptyQuery(), group: "status" }, "-number")).toBe("status,-number");
    expect(sortWithin(emptyQuery(), "-number")).toBe("");
  });

  test("a link carries groups and view", () => {
    const query = { ...emptyQuery(), filters: { status: "open" }, group: "status,due__week", view: "v1" };
    expect(fromAddress(toAddress(query), new Set(["status", "due"]))).toEqual(query);
    expect(fromAddress({ group: "secret" }, new Set(["status"]))).toEqual(emptyQuery());
  });

  test("a shared view leaves out what its reader may not ask for", () => {
    const view: SavedView = { id: "v", name: "n", own: false, owner: "o", role: null, recipe: { sort: "-price,code", filters: { price__gt: "1", code: "A" }, group: "price,code" } };
    const query = queryOf(view, new Set(["code"]));
    expect(query).toEqual({ q: "", sort: "code", filters: { code: "A" }, group: "code", view: "v" });
    expect(sameQuery(query, { ...query, view: undefined })).toBe(true);
    expect(sameQuery(query, { ...query, group: "" })).toBe(false);
  });
});

describe("columns", () => {
  const many = Array.from({ length: 40 }, (_, index) => column(`c${index}`, { width: 100 }));
  const placed = place(many, null, "c0", 1000);

  test("only those in view are drawn", () => {
    const { shown, before } = windowOf(placed.slice(1), 1500, 1000);
    expect(shown.length).toBeLessThan(20);
    expect(before).toBe(shown[0].left);
    expect(shown[0].left).toBeLessThanOrEqual(1500);
    expect(shown[shown.length - 1].left).toBeGreaterThanOrEqual(2400);
    expect(windowOf(placed.slice(1), 0, 1000).before).toBe(0);
  });

  test("pinned ones stay at the left as long as half the room is free", () => {
    const layout = { order: [], hidden: [], widths: {}, pinned: ["c1", "c2", "c3", "c4", "c5", "c6"] };
    expect(frozenCount(placed, null, "c0", 1000)).toBe(1);
    expect(frozenCount(placed, layout, "c0", 1000)).toBe(5);
    expect(frozenCount(placed, layout, "c0", 200)).toBe(1);
  });
});

describe("pasted cells", () => {
  test("fall on the rows and columns from the cell in hand", () => {
    const plan = planPaste([["x", "1"], ["y", "2"], ["z", "3"]], columns, columns, { row: 1, column: 1 }, (index) => rows[index], "code", false);
    expect(plan.by).toBe("place");
    expect(plan.rows).toEqual([{ id: "2", version: 1, cells: { name: "x", stock: "1" } }]);
    expect(plan.beyond).toBe(2);
  });

  test("with headings they find their rows by the key, and new ones are made", () => {
    const plan = planPaste([["CODE", "stock", "nonsense"], ["A", "9", "?"], ["", "", ""], ["N", "1", "?"]], columns, columns, { row: 0, column: 0 }, (index) => rows[index], "code", true);
    expect(plan.by).toBe("key");
    expect(plan.rows).toEqual([{ cells: { code: "A", stock: "9" } }, { cells: { code: "N", stock: "1" } }]);
    expect(plan.ignored).toEqual(["nonsense"]);
  });

  test("what nobody may change is left alone and named", () => {
    const plan = planPaste([["x", "1", "s"]], columns, columns, { row: 0, column: 1 }, (index) => rows[index], "code", false);
    expect(plan.fixed.map((one) => one.name)).toEqual(["seen"]);
    expect(plan.rows[0].cells).toEqual({ name: "x", stock: "1" });
  });

  test("a line of data is no line of headings", () => {
    expect(headings(["x", "1"], columns)).toBeNull();
    expect(headings(["Stock", "Name"], columns)?.map((one) => one?.name)).toEqual(["stock", "name"]);
  });

  test("decimal commas are told from thousands", () => {
    expect(usesDecimalComma([["1,5"]])).toBe(true);
    expect(usesDecimalComma([["1.234,56", "7"]])).toBe(true);
    expect(usesDecimalComma([["1,234"]])).toBe(false);
    expect(usesDecimalComma([["1,234.5", "1,5"]])).toBe(false);
    expect(usesDecimalComma([["12.50"]])).toBe(false);
  });

  test("formulas go out as text and come back as they were; numbers stay numbers", () => {
    expect(asCell("=1+1")).toBe("'=1+1");
    expect(unguarded("'=1+1")).toBe("=1+1");
    expect(asCell("-5")).toBe("-5");
    expect(asCell("@cmd\tx\ny")).toBe("'@cmd x y");
    expect(unguarded("it's")).toBe("it's");
  });
});

describe("cells that are not saved", () => {
  const answer = (more: Partial<SheetAnswer["rows"][number]>): SheetAnswer => ({ rows: [{ state: "refused", id: "1", before: null, after: null, errors: [], ...more }], errors: [], error_count: 1, dry_run: true, written: false });

  test("are gone when they are as before, and undone step by step", () => {
    const sheet = makeSheet((row) => String(row.code));
    sheet.put(rows[0], columns[1], "x");
    sheet.put(rows[0], columns[1], "y");
    sheet.put(rows[0], columns[2], "6");
    expect(sheet.rows()).toEqual([{ id: "1", version: 4, cells: { name: "y", stock: "6" } }]);
    sheet.undo();
    sheet.undo();
    expect(sheet.value(rows[0], "name")).toBe("x");
    sheet.undo();
    expect(sheet.changed.value).toBe(0);
    sheet.put(rows[0], columns[1], "a");
    expect(sheet.changed.value).toBe(0);
  });

  test("an error stands at its cell", () => {
    const sheet = makeSheet((row) => String(row.code));
    sheet.put(rows[0], columns[2], "much");
    sheet.take(answer({ errors: [{ field: "stock", code: "not_a_number", detail: "no number" }] }));
    expect(sheet.errorAt("1", "stock")).toBe("no number");
    expect(sheet.errorAt("1", "name")).toBe("");
    expect(sheet.wrong.value).toBe(1);
  });

  test("a stale row shows both values, and goes on from the new state with one's own", () => {
    const sheet = makeSheet((row) => String(row.code));
    sheet.put(rows[0], columns[1], "mine");
    sheet.take(answer({ before: { ...rows[0], version: 5, name: "theirs" }, errors: [{ field: "", code: "stale_version", detail: "…" }] }));
    expect(sheet.stale.value).toEqual([{ id: "1", label: "A", column: "name", now: "theirs", mine: "mine" }]);
    sheet.rebase("1");
    expect(sheet.rows()).toEqual([{ id: "1", version: 5, cells: { name: "mine" } }]);
    expect(sheet.stale.value).toEqual([]);
  });
});

describe("shortcuts", () => {
  const event = (key: string, more: Record<string, unknown> = {}) => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, keyCode: 0, target: { closest: () => null }, ...more }) as unknown as KeyboardEvent;
  const run = vi.fn();
  const lists: Shortcut[][] = [[{ keys: ["j"], word: "keys.down", group: "keys.list", run }, { keys: ["Shift+X"], word: "keys.range", group: "keys.list", run }, { keys: ["Ctrl+Enter"], word: "keys.open", group: "keys.list", run }, { keys: ["?"], word: "keys.help", group: "keys.everywhere", run }]];

  test("keys are told with Ctrl, and with Shift for letters", () => {
    expect(keyOf(event("j"))).toBe("j");
    expect(keyOf(event("X", { shiftKey: true }))).toBe("Shift+X");
    expect(keyOf(event("?", { shiftKey: true }))).toBe("?");
    expect(keyOf(event("Enter", { metaKey: true }))).toBe("Ctrl+Enter");
    expect(findShortcut(lists, event("J"), true)?.word).toBe("keys.down"); // CapsLock
  });

  test("none fires while an input method composes or somebody types", () => {
    expect(findShortcut(lists, event("j", { isComposing: true }), true)).toBeNull();
    expect(findShortcut(lists, event("j", { keyCode: 229 }), true)).toBeNull();
    expect(findShortcut(lists, event("Process", { keyCode: 229 }), true)).toBeNull();
    expect(isTyping(event("j", { target: { closest: () => ({}) } }))).toBe(true);
  });

  test("whoever wants no single keys keeps those with Ctrl", () => {
    expect(findShortcut(lists, event("j"), false)).toBeNull();
    expect(findShortcut(lists, event("Enter", { ctrlKey: true }), false)?.word).toBe("keys.open");
  });
});

test("a manual becomes blocks, never HTML", () => {
  const blocks = blocksOf("# Title\n\n| a | b |\n|---|---|\n| `x.do` | <b>raw</b> |\n\n- one **two**\n");
  expect(blocks.map((block) => block.kind)).toEqual(["h", "table", "li"]);
  expect(blocks[1]).toMatchObject({ rows: [[[{ text: "x.do", style: "code" }], [{ text: "<b>raw</b>" }]]] });
});
