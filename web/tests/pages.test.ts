import { beforeAll, describe, expect, test } from "vitest";
import { living, ownerName, type NoticeRow } from "@/features/alerts/alerts";
import { figurePath, figureTone } from "@/features/home/figures";
import { byWeight, causeSteps, changesOf, hurtText, remedyChange, sakes, type Reason, type Remedy, type Run } from "@/features/planning/plan";
import { milestones, openOffers, splitProblem, unannounced, waitingFor, type CustomerOrder, type SupplierOrder } from "@/features/portals/portal";
import { orderable, groupedDeliveries, sortedDeliveries, type Delivery, type Requisition } from "@/features/procurement/buy";
import { drawn, stopMinutes, tally as machinesByState, type WallRow } from "@/features/equipment/wall";
import { hourBars, rank, shiftShare, type CenterRow } from "@/features/production/shift";
import { add, ahead, kitState, nothingStaged, obstacle, palletOf, reportBody, rescheduled, set, unwritten, withinLimits, type Call, type Job, type KitRow, type Step } from "@/features/production/station";
import { clockText, placed } from "@/features/production/timing";
import { judge, placeOf, recorded, tally, toRecord, type Characteristic, type Reading } from "@/features/quality/inspection";
import { byCause, reach, traceTree, type Trace, type TraceNode } from "@/features/quality/trace";
import { toldStory } from "@/features/records/telling";
import { chainTree, orderTopics, progressOf, type Order360, type Peg } from "@/features/sales/order";
import { allPicked, missingReasons, pathOfScan, receiptBody, shipStep, type Arrival } from "@/features/warehouse/warehouse";
import { changedRows } from "@/live/useLoaded";
import { plantMs } from "@/session/clock";
import { showZone } from "@/session/format";
import { dayOf, daysBetween, daysLate, lateText, shortDay } from "@/session/told";
import { speak } from "@/words";
import type { StoryStep } from "@/api/types";

const item = { id: "i", code: "STEEL", name: "钢板", unit: "kg" };
const remedy = (change: Partial<Remedy>): Remedy => ({ id: "1", number: "AM-1", action: "reschedule", status: "open", item, subject_kind: "", subject_id: "", subject_number: "", partner: null, from_at: null, to_at: null, from_quantity: null, to_quantity: null, committed: false, demand_kind: "", demand_id: null, serves: [], reasons: [], details: {}, ...change });
const reason = (change: Partial<Reason>): Reason => ({ reason: "material", text: "waits", kind: null, id: null, number: null, minutes: 60, until_at: null, ...change });

beforeAll(async () => {
  await speak("en");
  showZone("Asia/Shanghai");
});

describe("days and lateness", () => {
  test("an instant belongs to the day of the site, not of Greenwich", () => {
    expect(dayOf("2026-03-19T16:00:00Z")).toBe("2026-03-20");
    expect(dayOf("2026-03-19")).toBe("2026-03-19");
    expect(shortDay("2026-03-19T16:00:00Z", "2026")).toBe("03-20");
    expect(shortDay("2027-01-02", "2026")).toBe("2027-01-02");
  });
  test("days between count calendar days over a leap day", () => {
    expect(daysBetween("2028-02-27", "2028-03-01")).toBe(3);
    expect(daysBetween("2026-03-20", "2026-03-18")).toBe(-2);
  });
  test("lateness is told in the coarsest unit that fits, nothing when in time", () => {
    expect([lateText(3000), lateText(125), lateText(12), lateText(0), lateText(null)]).toEqual(["2 d late", "2 h late", "12 min late", "", ""]);
  });
  test("a line is late against its promise, else against the wish", () => {
    expect(daysLate({ promised_on: "2026-03-20", requested_on: "2026-03-01", projected_at: "2026-03-25T10:40:00Z" })).toBe(5);
    expect(daysLate({ promised_on: null, requested_on: "2026-03-24", projected_at: "2026-03-25T10:40:00Z" })).toBe(1);
    expect(daysLate({ promised_on: "2026-03-26", requested_on: "2026-03-01", projected_at: "2026-03-25T10:40:00Z" })).toBe(0);
  });
  test("the plant's clock may run faster than the wall", () => {
    expect(plantMs(2000, { plant: 500_000, real: 1000, rate: 60 })).toBe(560_000);
    expect(plantMs(2000, { plant: 0, real: 0, rate: 1 })).toBe(2000);
  });
});

test("only rows that are new or different are tinted; the first answer is no news", () => {
  expect(changedRows(null, [{ id: "a" }])).toEqual([]);
  expect(changedRows([{ id: "a" }, { id: "b", n: 1 } as never], [{ id: "a" }, { id: "b", n: 2 } as never, { id: "c" }])).toEqual(["b", "c"]);
});

describe("plan board", () => {
  test("what a remedy changes is told by its kind", () => {
    const at = (value: string) => value.slice(0, 10);
    expect(remedyChange(remedy({ action: "decrease", from_quantity: "100.000000", to_quantity: "40" }), at)).toEqual({ from: "100 kg", to: "40 kg" });
    expect(remedyChange(remedy({ action: "cancel", from_quantity: "5" }), at)).toEqual({ from: "5 kg", to: "none" });
    expect(remedyChange(remedy({ action: "promise", details: { promised_on: "2026-03-20", projected_on: "2026-03-25" } }), at)).toEqual({ from: "2026-03-20", to: "2026-03-25" });
    expect(remedyChange(remedy({ details: { old_start_at: null, old_finish_at: null, start_at: "2026-03-02T", finish_at: "2026-03-03T" } }), at)).toEqual({ from: "no times yet", to: "2026-03-02 – 2026-03-03" });
  });
  test("promises come before our own times", () => {
    expect(byWeight([remedy({ action: "reschedule" }), remedy({ action: "unheard" }), remedy({ action: "promise" })]).map((one) => one.action)).toEqual(["promise", "reschedule", "unheard"]);
  });
  test("reasons are no documents anybody is served by, and each document is told once", () => {
    const doc = { kind: "sales.sales_order_line", id: "1", number: "SO-1/1" };
    expect(sakes([doc, doc, { ...doc, number: "SO-2/1", reason: "material" }, { quantity: "3" }])).toEqual([doc]);
  });
  test("the root cause stands first and is the bad one; causes lead to their documents", () => {
    const steps = causeSteps([reason({ id: "p", kind: "procurement.schedule_line" }), reason({ reason: "capacity" })], (kind, id) => `/doc/${kind}/${id}`);
    expect(steps.map((one) => [one.tone, one.to])).toEqual([["bad", "/doc/procurement.schedule_line/p"], ["warn", null]]);
  });
  test("what is not in sight is said so", () => {
    expect(hurtText({ promised_on: "2026-03-20", requested_on: "2026-03-20", projected_at: null, late_minutes: 0 })).toBe("not in sight");
    expect(hurtText({ promised_on: "2026-03-20", requested_on: "2026-03-20", projected_at: "2026-03-25T10:40:00Z", late_minutes: 6880 })).toBe("5 d late");
  });
  test("a run without differences changes nothing", () => {
    expect(changesOf({ difference: {} } as Run)).toEqual({ moved: [], fresh: 0, gone: 0 });
    expect(changesOf({ difference: { messages: { new: ["a"], gone: ["b", "c"] }, proposals: { new: ["d"], gone: [], changed: [] } } } as unknown as Run)).toEqual({ moved: [], fresh: 2, gone: 2 });
  });
});

describe("order 360", () => {
  const peg = (id: string, forId: string, change: Partial<Peg> = {}): Peg => ({ depth: 1, kind: "production.work_order", id, for_kind: "", for_id: forId, item, quantity: "1", ready_at: "", need_at: "", late: false, number: id, status: null, ...change });
  test("flat pegs become a tree, also where one supply serves two", () => {
    const tree = chainTree("line", [peg("wo1", "line"), peg("po", "wo1"), peg("wo2", "line"), peg("po", "wo2")]);
    expect(tree.map((one) => [one.id, one.under.map((under) => under.id)])).toEqual([["wo1", ["po"]], ["wo2", ["po"]]]);
  });
  test("a circle ends", () => {
    expect(chainTree("line", [peg("a", "line"), peg("b", "a"), peg("a", "b")])[0].under[0].under).toEqual([]);
  });
  test("progress is the mean of the operations and never above one", () => {
    const operations = [{ good: "50" }, { good: "120" }] as Peg["operations"];
    expect(progressOf({ operations, order_quantity: "100" })).toBe(0.75);
    expect(progressOf({ operations: [], order_quantity: "100" })).toBe(0);
  });
  test("the page listens to what serves the order", () => {
    const order = { lines: [{ id: "l", item, chain: [peg("w", "l"), peg("p", "w", { kind: "procurement.schedule_line" })], shipments: [{ id: "s" }] }] } as unknown as Order360;
    expect(orderTopics("o", order)).toEqual(expect.arrayContaining(["sales_order:o", "work_order:w", "schedule_line:p", `item:${item.id}`, "shipment:s", "sales_order_line:l"]));
    expect(orderTopics("o", order)).not.toContain("work_order:p");
    expect(orderTopics("o", order)).not.toContain("planning.PlanChanged");
    const wide = { ...order, lines: Array.from({ length: 90 }, (_, index) => ({ ...order.lines[0], id: `l${index}`, chain: [] })) } as unknown as Order360;
    expect(orderTopics("o", wide)[0]).toBe("planning.PlanChanged");
    expect(orderTopics("o", wide)).toHaveLength(80);
  });
  test("a story names people, hides programs' names, and skips what only passed news on", () => {
    const step = (change: Partial<StoryStep>): StoryStep => ({ order_id: "1", command: "x.y", title: "flows.late.replan", actor: { kind: "system", name: "flows.late.replan" }, at: "", depth: 0, because: null, news: [], ...change });
    const told = toldStory([step({ title: "Move arrival", actor: { kind: "person", name: "Bai" }, why: "mill down" }), step({ order_id: "2" }), step({ order_id: "3", news: [{ event: "e", title: "Plan changed" }], because: { event: "x", title: "Arrival delayed" } })], () => undefined, "1");
    expect(told.map((one) => one.title)).toEqual(["Move arrival", "Plan changed"]);
    expect(told[0].text).toBe("Bai · mill down");
    expect(told[1].text).toContain("Arrival delayed");
  });
});

describe("buying and partners", () => {
  const delivery = (change: Partial<Delivery>): Delivery => ({ id: "1", number: "PO-1/1.1", status: "confirmed", purchase_order: { id: "", number: "" }, supplier: { id: "", code: "MILL", name: "East Mill" }, item, quantity: "1", open_quantity: "1", required_on: "2026-03-20", confirmed_on: null, expected_on: "2026-03-20", days_late: 0, hurts: [], wish: null, chases: 0, chase: null, ...change });
  test("deliveries that hurt come first, then by their day; words find them", () => {
    const rows = [delivery({ id: "a", expected_on: "2026-03-01" }), delivery({ id: "b", hurts: [{ kind: "", id: "", number: "SO" }], expected_on: "2026-03-30" }), delivery({ id: "c", status: "open" })];
    expect(sortedDeliveries(rows, "all").map((one) => one.id)).toEqual(["b", "a", "c"]);
    expect(sortedDeliveries(rows, "unconfirmed").map((one) => one.id)).toEqual(["c"]);
    expect(sortedDeliveries(rows, "all", "east mi").length).toBe(3);
    expect(sortedDeliveries(rows, "all", "nobody")).toEqual([]);
  });
  test("deliveries are grouped under whom they hurt, by supplier and by risk, the worst group first", () => {
    const rows = [
      delivery({ id: "a", days_late: 2, hurts: [{ kind: "", id: "o1", number: "SO-1" }, { kind: "", id: "o2", number: "SO-2" }] }),
      delivery({ id: "b", status: "open" }),
      delivery({ id: "c", supplier: { id: "s2", code: "BOLT", name: "Bolts" } }),
    ];
    const told = (by: "cause" | "supplier" | "risk" | "none") => groupedDeliveries(rows, by, (key) => key).map((one) => [one.title, one.rows.map((row) => row.id).join(""), one.late]);
    expect(told("cause")).toEqual([["SO-1", "a", 1], ["SO-2", "a", 1], ["harmless", "bc", 0]]);
    expect(told("supplier")).toEqual([["East Mill", "ab", 1], ["Bolts", "c", 0]]);
    expect(told("risk")).toEqual([["late", "a", 1], ["tight", "b", 0], ["calm", "c", 0]]);
    expect(told("none")).toEqual([["", "abc", 1]]);
  });
  test("a split needs a quantity within the whole, a day, and a reason when it is less or later", () => {
    const one = { id: "1", sequence: 1, status: "open", quantity: "100", required_on: "2026-03-10", confirmed_on: null, expected_on: "2026-03-10", announced_quantity: "0", received_quantity: "0" };
    const says = (quantity: string, confirmed_on: string, reason = "") => splitProblem(one, { quantity, confirmed_on, reason });
    expect(says("100", "2026-03-10")).toBeNull();
    expect(says("100", "2026-03-09")).toBeNull();
    expect(says("100", "2026-03-11")).toBe("reason");
    expect(says("60", "2026-03-10")).toBe("reason");
    expect(says("60", "2026-03-10", "mill")).toBeNull();
    for (const wrong of ["", "0", "-1", "101", "x"]) expect(says(wrong, "2026-03-10", "r")).toBe("quantity");
    expect(says("60", "", "r")).toBe("day");
  });
  test("one order takes approved requisitions of one supplier only", () => {
    const row = (status: string, supplier: string | null) => ({ id: status + supplier, status, supplier: supplier ? { id: supplier, code: supplier, name: "" } : null }) as unknown as Requisition;
    expect(orderable([]).ready).toBe(false);
    expect(orderable([row("approved", "A"), row("approved", null)])).toMatchObject({ ready: true, supplier: { id: "A" } });
    expect(orderable([row("approved", "A"), row("approved", "B")]).ready).toBe(false);
    expect(orderable([row("raised", "A")])).toMatchObject({ ready: false, raised: [{ status: "raised" }] });
  });
  test("what a supplier may still announce never goes below nothing", () => {
    const one = { quantity: "10", announced_quantity: "4", received_quantity: "0" } as never;
    expect(unannounced(one)).toBe(6);
    expect(unannounced({ quantity: "10", announced_quantity: "4", received_quantity: "9" } as never)).toBe(0);
    expect(waitingFor([{ lines: [{ schedule: [{ status: "open" }, { status: "confirmed" }] }] }] as unknown as SupplierOrder[])).toBe(1);
  });
  test("a customer sees offers to answer and how far a line is", () => {
    const order = { ordered_on: "2026-03-01", lines: [{ quantity: "10", shipped_quantity: "10", delivered_quantity: "4", promised_on: null, promises: [{ id: "p", status: "offered" }, { id: "q", status: "accepted" }] }] } as unknown as CustomerOrder;
    expect(openOffers([order]).map((one) => one.promise.id)).toEqual(["p"]);
    expect(milestones(order, order.lines[0]).map((one) => one.reached)).toEqual([true, false, true, false]);
  });
});

describe("the station", () => {
  test("pieces are staged within what may be reported, and not below zero", () => {
    let staged = add(nothingStaged(), "good", 10, 12);
    staged = add(staged, "scrap", 5, 12);
    expect(staged).toMatchObject({ good: 10, scrap: 2 });
    expect(add(staged, "good", 1, 12).good).toBe(10);
    expect(set(staged, "good", 4, 12)).toMatchObject({ good: 4, scrap: 2 });
    expect(add(staged, "good", -99, 12).good).toBe(0);
  });
  test("scrap needs a reason, and loses it with its last piece", () => {
    const staged = { ...nothingStaged(), scrap: 1 };
    expect(obstacle(staged)).toBe("reason");
    expect(obstacle({ ...staged, reason: "r" })).toBeNull();
    expect(add({ ...staged, reason: "r" }, "scrap", -1, 5).reason).toBeNull();
    expect(obstacle(nothingStaged())).toBe("empty");
  });
  test("one report carries good and scrap, as text", () => {
    expect(reportBody("op", { good: 5, scrap: 2, rework: 0, reason: "r" })).toEqual({ operation: "op", good: "5", scrap: "2", scrap_reason: "r" });
  });
  test("the worst material is the kit's state", () => {
    const kit = (...states: string[]) => states.map((state) => ({ state })) as KitRow[];
    expect([kitState([]), kitState(kit("ready", "in_store")), kitState(kit("in_store", "missing"))]).toEqual(["ready", "in_store", "missing"]);
  });
  test("only jobs that were there and got other times are told as moved", () => {
    const job = (id: string, start: string | null) => ({ operation_id: id, planned_start_at: start, planned_finish_at: null }) as Job;
    expect(rescheduled(null, [job("a", "1")])).toEqual([]);
    expect(rescheduled([job("a", "1"), job("b", "1")], [job("a", "2"), job("b", "1"), job("c", "3")])).toEqual(["a"]);
  });
});

describe("the phone", () => {
  const asn = { id: "asn", lines: [{ id: "1", quantity: "80.000000" }, { id: "2", quantity: "5" }] } as unknown as Arrival;
  test("a whole notice is received by its id alone; a difference goes with its reason", () => {
    expect(receiptBody(asn, {})).toEqual({ asn: "asn" });
    const order: Arrival = { ...asn, id: "po", kind: "procurement.purchase_order" };
    const [first, second] = asn.lines;
    expect(receiptBody(order, { [second.id]: { quantity: "0", reason: "" } }, { [first.id]: " B-9 " })).toEqual({ purchase_order: "po", lines: [{ schedule_line: first.id, quantity: first.quantity, lot_number: "B-9" }] });
    expect(missingReasons(order, { [first.id]: { quantity: "78", reason: "" } })).toEqual([]);
    expect(receiptBody(asn, { "1": { quantity: "80", reason: "" } })).toEqual({ asn: "asn" });
    expect(receiptBody(asn, { "1": { quantity: "78", reason: " two short " } })).toEqual({ asn: "asn", lines: [{ asn_line: "1", quantity: "78", difference_reason: "two short" }] });
    expect(missingReasons(asn, { "1": { quantity: "78", reason: " " }, "2": { quantity: "5", reason: "" } })).toEqual(["1"]);
  });
  test("a scan leads to the page of what was scanned", () => {
    expect(pathOfScan([{ kind: "catalog.item", id: "i" }, { kind: "procurement.asn", id: "a" }])).toBe("/receive/a");
    expect(pathOfScan([{ kind: "procurement.purchase_order", id: "p" }])).toBe("/receive/p");
    expect(pathOfScan([{ kind: "catalog.item", id: "i" }])).toBe("/stock?item=i");
    expect(pathOfScan([{ kind: "production.work_order", id: "i" }])).toBeNull();
  });
  test("a shipment has one next step at a time", () => {
    expect(["planned", "packed", "dispatched", "delivered"].map((status) => shipStep(status)?.command)).toEqual(["logistics.pick_shipment", "logistics.dispatch_shipment", "logistics.record_proof", undefined]);
    expect(allPicked([])).toBe(false);
    expect(allPicked([{ quantity: "5", picked_quantity: "5.000000" }])).toBe(true);
  });
});

describe("quality", () => {
  const one = { id: "c", lower: "11.8", upper: "12.2", samples: 2, mandatory: true } as Characteristic;
  const eye = { id: "e", lower: null, upper: null, samples: 1, mandatory: true } as Characteristic;
  test("a value is judged while it is typed; limits belong to the good side", () => {
    expect([judge(one, "11.8"), judge(one, "12.21"), judge(one, ""), judge(one, "x"), judge(one, "１２")]).toEqual(["pass", "fail", null, null, "pass"]);
    expect(judge({ lower: null, upper: "5" }, "-3")).toBe("pass");
    expect(placeOf(one, "12")).toBeCloseTo(0.5);
    expect(placeOf({ lower: null, upper: "5" }, "3")).toBeNull();
  });
  test("only what is new is recorded, values as text, judgements as such", () => {
    const before = recorded([{ id: "m", characteristic: "c", sample: 1, value: "12.000000", passed: true } as Reading]);
    expect(before).toEqual({ "c.1": "12" });
    expect(toRecord([one, eye], { "c.1": "12", "c.2": "12.5", "e.1": "no" }, before)).toEqual([{ characteristic: "c", sample: 2, value: "12.5" }, { characteristic: "e", sample: 1, passed: false }]);
  });
  test("the tally counts wanted, filled and failed", () => {
    expect(tally([one, eye], { "c.1": "12", "c.2": "13", "e.1": "" })).toEqual({ wanted: 3, filled: 2, failed: 1 });
  });
  test("a trace becomes a tree and says how far it reaches", () => {
    const edge = (lot: string, near: string | null, depth: number) => ({ lot_id: lot, near_lot_id: near, depth, item_id: "i" });
    const trace = { lot: { id: "L" }, direction: "forward", edges: [edge("L", null, 0), edge("A", "L", 1), edge("B", "A", 2), edge("L", "B", 3)], came_from: [], reached: [{ cause_id: "s" }, { cause_id: "s" }], remains: [{}] } as unknown as Trace;
    expect(traceTree(trace)[0].under[0].under).toEqual([]);
    expect(reach(trace)).toEqual({ lots: 3, documents: 1, places: 1 });
  });
});

test("neighbours that one document joined stand together", () => {
  const node = (key: string, cause: string | null) => ({ key, cause_id: cause, cause_kind: "production.work_order", cause_number: cause }) as TraceNode;
  expect(byCause([node("a", "w1"), node("b", "w2"), node("c", "w1")]).map((group) => [group.number, group.nodes.map((one) => one.key)])).toEqual([["w1", ["a", "c"]], ["w2", ["b"]]]);
});

test("home: every figure leads to a page, late lines are bad, nothing late is good", () => {
  expect(figurePath({ name: "remedies", count: 1, page: "plan" })).toBe("/plan");
  expect(figurePath({ name: "arrivals", count: 1, page: "warehouse" })).toBe("/list/procurement/asn?status=announced");
  expect([figureTone({ name: "late_lines", count: 2, page: "" }), figureTone({ name: "late_lines", count: 0, page: "" }), figureTone({ name: "picks", count: 3, page: "" })]).toEqual(["bad", "good", "plain"]);
});

test("an alert lives until it is done, and may have no owner", () => {
  expect([living({ status: "taken" } as NoticeRow), living({ status: "expired" } as NoticeRow)]).toEqual([true, false]);
  expect([ownerName({ owner: null } as NoticeRow), ownerName({ owner: { id: "1", name: "Lin" } } as NoticeRow)]).toEqual(["", "Lin"]);
});

describe("around the machine", () => {
  const step = (more: Partial<Step> = {}): Step => ({ id: "s1", position: 10, text: "力矩", link: "", capture: "number", unit: "N·m", lower: "11", upper: "13", required: true, value: null, within: null, at: null, ...more });
  test("names the required steps that nobody wrote down, now or before", () => {
    const steps = [step(), step({ id: "s2", value: "12" }), step({ id: "s3", required: false })];
    expect(unwritten(steps, {}).map((one) => one.id)).toEqual(["s1"]);
    expect(unwritten(steps, { s1: " " })).toHaveLength(1);
    expect(unwritten(steps, { s1: "12" })).toEqual([]);
  });
  test("holds a value against its limits, both included", () => {
    expect([withinLimits(step(), "11"), withinLimits(step(), "13"), withinLimits(step(), "13.01"), withinLimits(step(), "")]).toEqual([true, true, false, null]);
    expect(withinLimits(step({ lower: null, upper: null }), "7")).toBeNull();
    expect([withinLimits(step({ capture: "check" }), "yes"), withinLimits(step({ capture: "check" }), "no")]).toEqual([true, false]);
  });
  test("sends written values and a colleague's name with the report", () => {
    expect(reportBody("op", { good: 2, scrap: 0, rework: 0, reason: null }, { s1: " 12.1 ", s2: "" }, "p1")).toEqual({ operation: "op", good: "2", person_id: "p1", values: [{ step: "s1", value: "12.1" }] });
    expect(reportBody("op", { good: 1, scrap: 0, rework: 0, reason: null })).toEqual({ operation: "op", good: "1" });
  });
  test("knows how far a job is ahead, and what a pallet's tap reports", () => {
    expect(ahead({ good: "10", pace: { expected: "12", minutes_each: null } }, 1)).toBe(-1);
    expect(ahead({ good: "10", pace: null })).toBeNull();
    expect([palletOf(20, 50), palletOf(20, 7), palletOf(20, 0)]).toEqual([20, 7, 0]);
  });
  test("counts a call's time like a clock", () => {
    expect([clockText(0), clockText(61_000), clockText(3_723_000), clockText(-5)]).toEqual(["0:00", "1:01", "1:02:03", "0:00"]);
  });
  test("lays a day out by share, cut to the day", () => {
    const day = ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"] as const;
    expect(placed("2026-03-02T06:00:00Z", "2026-03-02T12:00:00Z", ...day)).toEqual({ left: 25, width: 25 });
    expect(placed("2026-03-01T18:00:00Z", "2026-03-02T12:00:00Z", ...day)).toEqual({ left: 0, width: 50 });
    expect(placed("2026-03-01T18:00:00Z", "2026-03-02T00:00:00Z", ...day)).toBeNull();
  });
  test("spreads a shift's plan over its hours, and ranks who calls before who is behind", () => {
    const span = { name: "早班", starts_at: "2026-03-02T00:00:00Z", ends_at: "2026-03-02T08:00:00Z" };
    const bars = hourBars({ planned: "40", by_hour: [{ hour: 1, good: "7", scrap: "1" }] }, 8, span, "2026-03-02T01:30:00Z");
    expect(bars.map((bar) => [bar.good, bar.scrap, bar.due, bar.future]).slice(0, 3)).toEqual([[0, 0, 5, false], [7, 1, 5, false], [0, 0, 5, true]]);
    expect(shiftShare(span, "2026-03-02T02:00:00Z")).toBe(0.25);
    const row = (more: Partial<CenterRow>): CenterRow => ({ center: { id: "c", code: "C", name: "C" }, planned: "40", good: "0", scrap: "0", by_hour: [], jobs: [], job_count: 0, stuck: 0, machines: [], people: [], posts: [], calls: [], ...more });
    const called = row({ planned: "0", calls: [{ status: "open" } as Call] });
    expect(rank(called, 0.5)).toBeGreaterThan(rank(row({ good: "0" }), 0.5));
    expect(rank(row({ good: "0" }), 0.5)).toBeGreaterThan(rank(row({ good: "20" }), 0.5));
  });
  test("counts machines by state, never an unknown one as running", () => {
    const rows = [{ state: "running" }, { state: "stopped" }, { state: "no_signal" }] as WallRow[];
    expect(machinesByState(rows).map((each) => `${each.state} ${each.count}`)).toEqual(["stopped 1", "setup 0", "idle 0", "no_signal 1", "running 1"]);
    expect(drawn("no_signal")).toBe("planned");
    expect(stopMinutes({ began_at: "2026-03-02T00:00:00Z", ended_at: null }, "2026-03-02T00:45:30Z")).toBe(45);
  });
});
