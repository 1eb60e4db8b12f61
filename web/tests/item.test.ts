import { describe, expect, test } from "vitest";
import { difference, short, unfolded, type BomLine, type TreeRow } from "@/features/engineering/item";

const row = (code: string, level: number, change: Partial<TreeRow> = {}): TreeRow => ({ line_id: code, parent_id: "", item_id: code, code, name: code, base_unit: "", unit: "", supply: "buy", quantity: "2", operation_sequence: 10, level, fixed: false, available: "1", ...change });
const line = (code: string, change: Partial<BomLine> = {}): BomLine => ({ id: code, component: { id: code, code }, quantity_per: "2", scrap_percent: "0", fixed: false, operation_sequence: 10, ...change }) as BomLine;

describe("an indented bill", () => {
  test("what stands below a folded row is hidden, its neighbours are not", () => {
    const rows = [row("BODY", 1), row("STEEL", 2), row("BAR", 3), row("SCREW", 1)];
    expect(unfolded(rows, new Set()).map((one) => [one.row.code, one.folds])).toEqual([["BODY", true], ["STEEL", true], ["BAR", false], ["SCREW", false]]);
    expect(unfolded(rows, new Set(["BODY/STEEL"])).map((one) => one.row.code)).toEqual(["BODY", "STEEL", "SCREW"]);
    expect(unfolded(rows, new Set(["BODY"])).map((one) => one.row.code)).toEqual(["BODY", "SCREW"]);
  });
  test("short is what is known to be fewer, never a phantom or what may not be seen", () => {
    expect([row("A", 1), row("A", 1, { available: "2" }), row("A", 1, { available: null }), row("A", 1, { quantity: null }), row("A", 1, { supply: "phantom" })].map(short)).toEqual([true, false, false, false, false]);
  });
});

describe("the difference of two bills", () => {
  test("lines are paired by component; figures are compared as figures", () => {
    const told = difference([line("A", { quantity_per: "2.000" }), line("B"), line("C")], [line("A"), line("B", { quantity_per: "3", fixed: true }), line("D")]);
    expect(told.map((one) => [one.kind, one.component.code, one.fields])).toEqual([["removed", "C", []], ["added", "D", []], ["changed", "B", ["quantity_per", "fixed"]], ["same", "A", []]]);
  });
  test("a component that stands twice is paired twice", () => {
    expect(difference([line("A"), line("A", { operation_sequence: 20 })], [line("A")]).map((one) => one.kind)).toEqual(["removed", "same"]);
  });
});
