import { describe, expect, test } from "vitest";
import { inColumn, pickedShare, steps, type BoardShipment, type ShippingBoard } from "@/features/logistics/shipping";
import { namesOf } from "@/features/printing/printing";
import { conversation, percent, type Purchase } from "@/features/procurement/purchase";
import { lineOfScan, nextLine, pickGroups, walk, type CountedLine } from "@/features/warehouse/stores";
import { pathOfScan } from "@/features/warehouse/warehouse";

const told = (code: string) => ({ id: code, code, name: code });

describe("the store", () => {
  const line = (id: string, status: string, lot: string | null, code = "STEEL"): CountedLine => ({ id, sequence: 1, item: { ...told(code), unit: "kg" }, lot, location: told("A"), status, counted: null, counted_at: null, counter: null, reason: "", booked: null, difference: null, value: null });
  test("a scan finds its line by lot, else by item, what is still to count first", () => {
    const lines = [line("1", "agrees", "L1"), line("2", "open", "L2"), line("3", "recount", null, "SCREW")];
    expect(lineOfScan(lines, "L2")?.id).toBe("2");
    expect(lineOfScan(lines, "SCREW")?.id).toBe("3");
    expect(lineOfScan(lines, "STEEL")?.id).toBe("2");
    expect(lineOfScan(lines, "L1")?.id).toBe("1");
    expect(lineOfScan(lines, "nobody")).toBeNull();
  });
  test("the walk goes on after the line just counted; what differed comes up again when all was seen once", () => {
    const lines = [line("1", "open", null), line("2", "recount", null), line("3", "open", null)];
    expect(nextLine(lines, null)?.id).toBe("1");
    expect(nextLine(lines, "2")?.id).toBe("3");
    expect(nextLine(lines, "3")?.id).toBe("1");
    expect(nextLine([line("1", "agrees", null), line("2", "recount", null)], "2")?.id).toBe("2");
    expect(nextLine([line("1", "agrees", null)], "1")).toBeNull();
  });
  test("tasks stand under their paper in the order of the walk, numbers by their value", () => {
    const task = (id: string, place: string, purpose: string, due: string | null) => ({ id, source: told(place), due_at: due, purpose, purpose_kind: "production.work_order", purpose_id: purpose });
    expect(walk([task("a", "B-10", "W", null), task("b", "B-2", "W", null), task("c", "A-1", "W", null)]).map((one) => one.id)).toEqual(["c", "b", "a"]);
    const groups = pickGroups([task("a", "B", "W2", "2026-03-03"), task("b", "A", "W1", "2026-03-04"), task("c", "C", "W1", "2026-03-02"), task("d", "A", "W3", null)]);
    expect(groups.map((one) => [one.purpose, one.due_at, one.tasks.map((each) => each.id).join("")])).toEqual([["W1", "2026-03-02", "bc"], ["W2", "2026-03-03", "a"], ["W3", null, "d"]]);
  });
  test("a scanned place or item opens its stock, a count its sheet", () => {
    expect(pathOfScan([{ kind: "plant.location", id: "1" }])).toBe("/stock?location=1");
    expect(pathOfScan([{ kind: "catalog.item", id: "2" }])).toBe("/stock?item=2");
    expect(pathOfScan([{ kind: "inventory.count_sheet", id: "3" }])).toBe("/count/3");
    expect(pathOfScan([{ kind: "catalog.item", id: "2" }, { kind: "inventory.lot", id: "4" }])).toBe("/lot/4");
  });
});

describe("the logistics board", () => {
  const shipment = (change: Partial<BoardShipment>): BoardShipment => ({ id: "1", number: "SH-1", status: "planned", column: "due", customer: told("ACME"), carrier: null, address: "", tracking_number: "", due_on: "2026-03-10", dispatched_at: null, eta_at: null, delivered_at: null, receiver: "", days_late: 0, packages: 0, weight_kg: 0, lines: [], milestones: [], ...change });
  const board = (...shipments: BoardShipment[]): ShippingBoard => ({ today: "2026-03-10", shipments, carriers: [] });
  test("the late ones come first, then by the day that counts in their column", () => {
    const rows = board(shipment({ id: "a", due_on: "2026-03-12" }), shipment({ id: "b", due_on: "2026-03-11" }), shipment({ id: "c", due_on: "2026-03-09", days_late: 1 }), shipment({ id: "d", column: "on_the_way", eta_at: "2026-03-11T00:00:00Z" }));
    expect(inColumn(rows, "due").map((one) => one.id)).toEqual(["c", "b", "a"]);
    expect(inColumn(rows, "due", "", true).map((one) => one.id)).toEqual(["c"]);
    expect(inColumn(rows, "on_the_way", "acme").map((one) => one.id)).toEqual(["d"]);
    expect(inColumn(rows, "due", "other")).toEqual([]);
  });
  test("what is proved last stands on top; picked shares and next steps", () => {
    const rows = board(shipment({ id: "a", column: "proved", delivered_at: "2026-03-01" }), shipment({ id: "b", column: "proved", delivered_at: "2026-03-02" }));
    expect(inColumn(rows, "proved").map((one) => one.id)).toEqual(["b", "a"]);
    expect(pickedShare(shipment({ lines: [{ id: "", order: "", item: told("A"), unit: "", quantity: "10", picked_quantity: "4" }] }))).toBe(0.4);
    expect(pickedShare(shipment({}))).toBe(0);
    expect(steps("packed")[0]).toBe("logistics.dispatch_shipment");
    expect(steps("delivered")).toEqual([]);
  });
});

describe("papers and purchases", () => {
  test("the names a layout may use are written as in the layout", () => {
    expect(namesOf({ number: "1", item: { code: "A", unit: "kg" }, lines: [{ quantity: "1", item: { code: "B" } }], none: null, empty: [] })).toEqual(["number", "item.code", "item.unit", "lines", "lines › quantity", "lines › item.code", "none", "empty"]);
  });
  test("what was said about an order is told with the latest first", () => {
    const purchase = { lines: [{ sequence: 1, item: told("STEEL"), schedule: [{ sequence: 2, changes: [{ id: "c", new_on: "2026-03-12", reason: "mill", said_at: "2026-03-02T01:00:00Z" }], chases: [{ id: "h", wanted_on: "2026-03-10", message: "please", chased_at: "2026-03-02T00:00:00Z", answer: "soon", answered_on: "2026-03-12", answered_at: "2026-03-02T02:00:00Z" }] }] }], receipts: [] } as unknown as Purchase;
    expect(conversation(purchase).map((one) => [one.kind, one.delivery, one.day, one.text])).toEqual([["answer", "1.2 STEEL", "2026-03-12", "soon"], ["change", "1.2 STEEL", "2026-03-12", "mill"], ["chase", "1.2 STEEL", "2026-03-10", "please"]]);
  });
  test("a rate of nothing is no rate", () => {
    expect(percent(null)).toBe("–");
    expect(percent(0.8765)).toBe("87.7 %");
  });
});
