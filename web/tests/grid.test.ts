import { describe, expect, test } from "vitest";
import type { Page } from "@/api/types";
import { arrange, isShown, nextSort, place, windowOf, type GridColumn } from "@/kit/grid/columns";
import { PagedRows } from "@/kit/grid/paging";
import { filterOf, fromAddress, toAddress, withFilter } from "@/kit/grid/query";
import { makeSelection } from "@/kit/grid/selection";

const settle = () => new Promise((resolve) => setTimeout(resolve));

function server(total: number) {
  const asked: number[] = [];
  const names = new Map<number, string>();
  const fetchPage = (offset: number, limit: number): Promise<Page> => {
    asked.push(offset);
    const rows = Array.from({ length: Math.max(0, Math.min(limit, total - offset)) }, (_, index) => ({ id: `r${offset + index}`, name: names.get(offset + index) ?? "" }));
    return Promise.resolve({ rows, total, offset, limit });
  };
  return { asked, names, fetchPage };
}

describe("paged rows", () => {
  test("fetch only the pages in view, each once", async () => {
    const { asked, fetchPage } = server(1000);
    const rows = new PagedRows(fetchPage, 200);
    await rows.restart();
    rows.need(0, 30);
    rows.need(390, 420);
    rows.need(390, 420);
    await settle();
    rows.need(990, 2000);
    await settle();
    expect(asked).toEqual([0, 200, 400, 800]);
    expect(rows.rowAt(399)?.id).toBe("r399");
    expect(rows.rowAt(700)).toBeUndefined();
    expect(rows.indexOf("r999")).toBe(999);
  });

  test("an answer of an older query is thrown away", async () => {
    let release: (page: Page) => void = () => undefined;
    const slow = () => new Promise<Page>((resolve) => (release = resolve));
    const rows = new PagedRows(slow, 200);
    const first = rows.restart();
    const old = release;
    const second = rows.restart(() => Promise.resolve({ rows: [{ id: "new" }], total: 1, offset: 0, limit: 200 }));
    old({ rows: [{ id: "old" }], total: 5, offset: 0, limit: 200 });
    await Promise.all([first, second]);
    expect(rows.rowAt(0)?.id).toBe("new");
    expect(rows.state.total).toBe(1);
  });

  test("a refresh changes values in place and says which really changed", async () => {
    const { names, fetchPage } = server(3);
    const rows = new PagedRows(fetchPage, 200);
    await rows.restart();
    names.set(1, "changed");
    expect(await rows.refresh(new Set(["r1", "r2"]))).toEqual(["r1"]);
    expect(rows.rowAt(1)?.name).toBe("changed");
  });

  test("a failure is kept for the screen and cleared by the next try", async () => {
    const rows = new PagedRows(() => Promise.reject(new TypeError("Failed to fetch")), 200);
    await rows.restart();
    expect(rows.state.problem?.code).toBe("offline");
    await rows.restart(server(2).fetchPage);
    expect(rows.state.problem).toBeNull();
    expect(rows.state.total).toBe(2);
  });
});

describe("columns", () => {
  const column = (name: string, type: GridColumn["type"] = "text", more: Partial<GridColumn> = {}): GridColumn => ({ name, title: name, type, ...more });
  const columns = [column("status", "choice"), column("number"), column("customer", "ref"), column("quantity", "quantity")];

  test("the key comes first, then the person's order, then what is new", () => {
    expect(arrange(columns, { order: ["quantity", "status"], hidden: [], widths: {} }, "number").map((one) => one.name)).toEqual(["number", "quantity", "status", "customer"]);
    expect(isShown(columns[0], { order: [], hidden: ["status"], widths: {} })).toBe(false);
    expect(isShown(column("extra", "text", { visible: false }), null)).toBe(false);
  });

  test("spare room goes to columns of words, chosen widths stay", () => {
    const placed = place(arrange(columns, null, "number"), { order: [], hidden: [], widths: { quantity: 90 } }, "number", 1200);
    expect(placed.reduce((sum, one) => sum + one.px, 0)).toBeGreaterThan(1196);
    expect(placed.find((one) => one.name === "quantity")?.px).toBe(90);
    expect(placed.map((one) => one.left)).toEqual([0, placed[0].px, placed[0].px + placed[1].px, placed[0].px + placed[1].px + placed[2].px]);
  });

  test("only the columns in view are drawn, a few are drawn all", () => {
    const wide = place(Array.from({ length: 60 }, (_, index) => column(`c${index}`, "integer", { width: 100 })), null, "c0", 800);
    const { shown, before } = windowOf(wide, 2000, 800);
    expect(shown.length).toBeLessThan(16);
    expect(before).toBe(shown[0].left);
    expect(windowOf(wide.slice(0, 8), 2000, 800).shown.length).toBe(8);
  });

  test("a header cycles up, down, none", () => {
    expect(["", "a", "-a", "b"].map((now) => nextSort(now, "a"))).toEqual(["a", "-a", "", "a"]);
  });
});

describe("query", () => {
  test("goes through the address and back", () => {
    const query = withFilter(withFilter({ q: "阀", sort: "-number", filters: {} }, "status", { exact: "draft,open" }), "due", { from: "2026-03-01", until: "2026-03-31" });
    const address = toAddress(query);
    expect(address).toEqual({ q: "阀", sort: "-number", status: "draft,open", due__gte: "2026-03-01", due__lte: "2026-03-31" });
    expect(fromAddress({ ...address, foreign: "1" }, new Set(["status", "due"]))).toEqual(query);
    expect(withFilter(query, "due", {}).filters).toEqual({ status: "draft,open" });
    expect(filterOf(query, "due")).toMatchObject({ from: "2026-03-01", until: "2026-03-31", exact: "" });
  });
});

test("shift selects the range from the last toggled row", () => {
  const selection = makeSelection();
  selection.toggle("r2", 2);
  selection.extend(4, (index) => `r${index}`);
  selection.toggle("r3", 3);
  expect([...selection.ids.value]).toEqual(["r2", "r4"]);
});
