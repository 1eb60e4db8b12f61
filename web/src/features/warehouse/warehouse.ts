/** The warehouse's phone as the server tells it (GET /api/overviews/warehouse). */

import { computed, onScopeDispose, type ComputedRef } from "vue";
import { useLoaded, type Loaded } from "@/live/useLoaded";
import { onHandedIn, useOffline } from "@/offline/offline";
import { useSession } from "@/session/session";
import type { Told, ToldItem } from "@/session/told";
import type { WordKey } from "@/words";

export interface PickRow {
  id: string;
  number: string;
  item: Told;
  unit: string;
  lot: string | null;
  quantity: string;
  source: Told;
  target: Told;
  due_at: string | null;
  purpose: string | null;
  purpose_kind: string;
  purpose_id: string;
}

export interface ArrivalLine {
  id: string;
  item: Told;
  unit: string;
  quantity: string;
  lot_number: string;
  /** Nobody announced a lot: the label on the goods says it. */
  asks_lot?: boolean;
  expires_on: string | null;
}

export interface Arrival {
  id: string;
  number: string;
  /** A shipment notice, or a purchase order whose supplier announces nothing. */
  kind?: string;
  status: string;
  supplier: Told;
  eta_at: string | null;
  delivery_note: string;
  lines: ArrivalLine[];
}

export interface ShipmentToPick {
  id: string;
  number: string;
  status: "planned" | "picking" | "packed";
  customer: Told;
  due_on: string;
  lines: { id: string; item: Told; unit: string; quantity: string; picked_quantity: string }[];
}

export interface InspectionRow {
  id: string;
  number: string;
  item: ToldItem;
  lot: string | null;
  quantity: string;
  point: string;
  due_at: string | null;
}

export interface Warehouse {
  picks: PickRow[];
  arrivals: Arrival[];
  shipments: ShipmentToPick[];
  inspections: InspectionRow[];
  to_put_away: number;
  open_counts: number;
}

const topics = [
  "procurement.ShipmentAnnounced", "procurement.ShipmentWithdrawn", "procurement.ArrivalDelayed", "procurement.ArrivalAdvanced", "procurement.GoodsReceived", "procurement.GoodsReceiptReversed",
  "inventory.PickTaskOpened", "inventory.PickTaskDone", "inventory.StockMoved", "inventory.CountOpened", "inventory.CountBooked", "quality.InspectionOpened", "quality.InspectionAccepted", "quality.InspectionHeld", "quality.InspectionRejected", "quality.InspectionCancelled",
  "logistics.ShipmentPlanned", "logistics.ShipmentPicked", "logistics.ShipmentPacked", "logistics.ShipmentDispatched", "logistics.ShipmentCancelled", "logistics.ShipmentReturned", "kind:logistics.shipment",
];

export function useWarehouse(): Omit<Loaded<Warehouse>, "data"> & { data: ComputedRef<Warehouse | null> } {
  const session = useSession();
  const site: ComputedRef<string> = computed(() => session.site?.id ?? "");
  const loaded = useLoaded<Warehouse>(() => (site.value ? "/api/overviews/warehouse" : null), {
    query: () => ({ site: site.value }),
    topics,
    rows: (data) => [...data.picks, ...data.arrivals, ...data.shipments, ...data.inspections],
  });
  const offline = useOffline();
  onScopeDispose(onHandedIn(() => void loaded.reload()));
  return { ...loaded, data: computed(() => loaded.data.value && withoutKept(loaded.data.value, offline.bodies("inventory.confirm_pick"), offline.bodies("procurement.receive_goods"))) };
}

/** What was picked or received without the network waits to be handed in: it is no task any more. */
export function withoutKept(data: Warehouse, picks: Record<string, unknown>[], receipts: Record<string, unknown>[]): Warehouse {
  if (!picks.length && !receipts.length) return data;
  const came = new Set(receipts.map((body) => body.asn ?? body.purchase_order));
  const left = data.picks.flatMap((task) => {
    const own = picks.filter((body) => body.task === task.id);
    const rest = Number(task.quantity) - own.reduce((total, body) => total + Number(body.quantity ?? 0), 0);
    return own.some((body) => body.finished) || rest <= 0 ? [] : [own.length ? { ...task, quantity: String(rest) } : task];
  });
  return { ...data, picks: left, arrivals: data.arrivals.filter((one) => !came.has(one.id)) };
}

/** One announced shipment, also one that is not expected for days, or an order without a notice: all are received alike. */
export function useArrival(id: () => string): Loaded<Arrival> {
  return useLoaded<Arrival>(() => `/api/overviews/arrival/${id()}`, { topics: () => [`asn:${id()}`, `purchase_order:${id()}`], rows: (data) => data.lines });
}

/** Whether goods of this notice can still be taken in. */
export const receivable = (asn: Pick<Arrival, "status"> | null): boolean => asn?.status === "announced" || asn?.status === "arrived" || asn?.status === "sent";
const ofOrder = (arrival: Pick<Arrival, "kind">): boolean => arrival.kind === "procurement.purchase_order";

/** What was counted of one announced line. */
export interface Counted {
  quantity: string;
  reason: string;
}

export const differs = (line: ArrivalLine, counted: Counted | undefined): boolean => counted !== undefined && Number(counted.quantity) !== Number(line.quantity);

/** Why a receipt cannot be booked yet, by the line's id: only who announced another quantity is owed a reason. */
export function missingReasons(arrival: Pick<Arrival, "kind" | "lines">, counted: Record<string, Counted>): string[] {
  if (ofOrder(arrival)) return [];
  return arrival.lines.filter((line) => differs(line, counted[line.id]) && !counted[line.id].reason.trim()).map((line) => line.id);
}

/** The body of procurement.receive_goods: the notice, and only the lines that were counted differently; of an order, what came. */
export function receiptBody(asn: Arrival, counted: Record<string, Counted>, lots: Record<string, string> = {}): Record<string, unknown> {
  if (ofOrder(asn)) {
    const came = asn.lines
      .map((line) => ({ schedule_line: line.id, quantity: counted[line.id]?.quantity ?? line.quantity, ...(lots[line.id]?.trim() ? { lot_number: lots[line.id].trim() } : {}) }))
      .filter((line) => Number(line.quantity) > 0);
    return { purchase_order: asn.id, lines: came };
  }
  const lines = asn.lines
    .filter((line) => differs(line, counted[line.id]))
    .map((line) => ({ asn_line: line.id, quantity: counted[line.id].quantity, difference_reason: counted[line.id].reason.trim() }));
  return lines.length ? { asn: asn.id, lines } : { asn: asn.id };
}

/** Where a scanned thing is worked on. */
export function pathOfScan(found: { kind: string; id: string }[]): string | null {
  const pages: Record<string, (id: string) => string> = {
    "procurement.asn": (id) => `/receive/${id}`,
    "procurement.purchase_order": (id) => `/receive/${id}`,
    "inventory.pick_task": (id) => `/picks/${id}`,
    "logistics.shipment": (id) => `/ship/${id}`,
    "quality.inspection": (id) => `/inspect/${id}`,
    "inventory.count_sheet": (id) => `/count/${id}`,
    "inventory.lot": (id) => `/lot/${id}`,
    "catalog.item": (id) => `/stock?item=${id}`,
    "plant.location": (id) => `/stock?location=${id}`,
  };
  for (const [kind, path] of Object.entries(pages)) {
    const hit = found.find((one) => one.kind === kind);
    if (hit) return path(hit.id);
  }
  return null;
}

/** The next step of a shipment: its command and what the button says. */
export function shipStep(status: string): { command: string; word: WordKey } | null {
  if (status === "planned" || status === "picking") return { command: "logistics.pick_shipment", word: "phone.pickAll" };
  if (status === "packed") return { command: "logistics.dispatch_shipment", word: "phone.dispatch" };
  if (status === "dispatched") return { command: "logistics.record_proof", word: "phone.proof" };
  return null;
}

/** Whether everything of a shipment was picked. */
export const allPicked = (lines: { quantity: string; picked_quantity: string }[]): boolean => lines.length > 0 && lines.every((line) => Number(line.picked_quantity) >= Number(line.quantity));
