import { describe, expect, test } from "vitest";
import { depth, remediesOf, speaksOf, type KitOrder, type KitPart } from "@/features/planning/kitting";
import { reached, servedTree, type PegRow } from "@/features/planning/pegging";
import type { Remedy } from "@/features/planning/plan";

const item = { id: "i", code: "STEEL", name: "钢板", unit: "kg" };
const part = (change: Partial<KitPart>): KitPart => ({ item, quantity: "10", in_stock: "0", never: "0", need_at: "2026-03-02T00:00:00Z", ready_at: null, state: "coming", supplies: [], ...change });
const order = (parts: KitPart[]): KitOrder => ({ kind: "production.work_order", id: "w", number: "WO-1", status: "released", item: { id: "p", code: "PUMP", name: "泵", unit: "件" }, quantity: "5", due_at: "", start_at: "", finish_at: "", state: "coming", complete_at: null, parts });

describe("kits", () => {
  test("the changes proposed for an order are those of what its parts come from", () => {
    const supply = { kind: "procurement.schedule_line", id: "s1", number: "PO-1/1.1", quantity: "10", ready_at: "" };
    const all = [{ id: "a", subject_id: "s1" }, { id: "b", subject_id: "s2" }] as Remedy[];
    expect(remediesOf(order([part({ supplies: [supply] })]), all).map((one) => one.id)).toEqual(["a"]);
    expect(remediesOf(order([part({})]), all)).toEqual([]);
  });
  test("a cell is as dark as its part of the worst day, and never white when something is missing", () => {
    expect(["0", "1", "50", "100"].map((amount) => depth(amount, ["0", "1", "50", "100"]))).toEqual([0, 1, 3, 5]);
    expect(depth("0", ["0", "0"])).toBe(0);
  });
  test("an order is found by its number, product or any part, in any case", () => {
    const one = order([part({})]);
    expect(["", " wo-1 ", "pump", "泵", "steel", "钢"].every((text) => speaksOf(one, text))).toBe(true);
    expect(speaksOf(one, "motor")).toBe(false);
  });
});

const peg = (supply: string, consumer: string, change: Partial<PegRow> = {}): PegRow => ({
  depth: 1, supply: { kind: "production.work_order", id: supply, number: supply, status: null }, consumer: { kind: "production.work_order", id: consumer, number: consumer, status: null },
  item, quantity: "1", ready_at: "", need_at: "", late: false, line: null, ...change,
});
const line = (number: string, late: number) => ({ order_id: number, number, customer: { id: "c", code: "ACME", name: "" }, priority: 50, promised_on: null, requested_on: "2026-03-02", outlook: { projected_at: null, due_at: "", late_minutes: late, short_quantity: "0", reasons: [] } });

describe("pegs upward", () => {
  test("takers stand above what they take, and one who takes from two stands above both", () => {
    const tree = servedTree("a", [peg("a", "b"), peg("a", "c"), peg("b", "d"), peg("c", "d")]);
    expect(tree.map((node) => [node.consumer.id, node.above.map((one) => one.consumer.id)])).toEqual([["b", ["d"]], ["c", ["d"]]]);
    expect(new Set(tree.flatMap((node) => [node.key, ...node.above.map((one) => one.key)])).size).toBe(4);
  });
  test("a circle in wrong data does not hang the page", () => {
    expect(servedTree("a", [peg("a", "b"), peg("b", "a")])[0].above).toEqual([]);
  });
  test("each customer's line is counted once, the latest first", () => {
    const rows = [peg("a", "x", { line: line("SO-1/1", 0) }), peg("b", "x", { line: line("SO-1/1", 0) }), peg("b", "y", { line: line("SO-2/1", 60) })];
    expect(reached(rows).map((one) => one.number)).toEqual(["SO-2/1", "SO-1/1"]);
  });
});
