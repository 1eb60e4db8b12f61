/** The warehouse's phone as the server tells it (GET /api/overviews/warehouse). */

import { computed, type ComputedRef } from "vue";
import { useLoaded, type Loaded } from "@/live/useLoaded";
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
}

export interface ArrivalLine {
  id: string;
  item: Told;
  unit: string;
  quantity: string;
  lot_number: string;
  expires_on: string | null;
}

export interface Arrival {
  id: string;
  number: string;
  status: string;
  supplier: Told;
  eta_at: string;
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
}

const topics = [
  "procurement.ShipmentAnnounced", "procurement.ShipmentWithdrawn", "procurement.ArrivalDelayed", "procurement.ArrivalAdvanced", "procurement.GoodsReceived", "procurement.GoodsReceiptReversed",
  "inventory.PickTaskOpened", "inventory.PickTaskDone", "quality.InspectionOpened", "quality.InspectionAccepted", "quality.InspectionHeld", "quality.InspectionRejected", "quality.InspectionCancelled",
  "logistics.ShipmentPlanned", "logistics.ShipmentPicked", "logistics.ShipmentPacked", "logistics.ShipmentDispatched", "logistics.ShipmentCancelled", "logistics.ShipmentReturned", "kind:logistics.shipment",
];

export function useWarehouse(): Loaded<Warehouse> {
  const session = useSession();
  const site: ComputedRef<string> = computed(() => session.site?.id ?? "");
  return useLoaded<Warehouse>(() => (site.value ? "/api/overviews/warehouse" : null), {
    query: () => ({ site: site.value }),
    topics,
    rows: (data) => [...data.picks, ...data.arrivals, ...data.shipments, ...data.inspections],
  });
}

/** One announced shipment, also one that is not expected for days: early goods are received like any other. */
export function useArrival(id: () => string): Loaded<Arrival> {
  return useLoaded<Arrival>(() => `/api/overviews/arrival/${id()}`, { topics: () => [`asn:${id()}`], rows: (data) => data.lines });
}

/** Whether goods of this notice can still be taken in. */
export const receivable = (asn: Pick<Arrival, "status"> | null): boolean => asn?.status === "announced" || asn?.status === "arrived";

/** What was counted of one announced line. */
export interface Counted {
  quantity: string;
  reason: string;
}

export const differs = (line: ArrivalLine, counted: Counted | undefined): boolean => counted !== undefined && Number(counted.quantity) !== Number(line.quantity);

/** Why a receipt cannot be booked yet, by the line's id. */
export function missingReasons(lines: ArrivalLine[], counted: Record<string, Counted>): string[] {
  return lines.filter((line) => differs(line, counted[line.id]) && !counted[line.id].reason.trim()).map((line) => line.id);
}

/** The body of procurement.receive_goods: the notice, and only the lines that were counted differently. */
export function receiptBody(asn: Arrival, counted: Record<string, Counted>): Record<string, unknown> {
  const lines = asn.lines
    .filter((line) => differs(line, counted[line.id]))
    .map((line) => ({ asn_line: line.id, quantity: counted[line.id].quantity, difference_reason: counted[line.id].reason.trim() }));
  return lines.length ? { asn: asn.id, lines } : { asn: asn.id };
}

/** Where a scanned thing is worked on. */
export function pathOfScan(found: { kind: string; id: string }[]): string | null {
  const pages: Record<string, (id: string) => string> = {
    "procurement.asn": (id) => `/receive/${id}`,
    "inventory.pick_task": (id) => `/picks/${id}`,
    "logistics.shipment": (id) => `/ship/${id}`,
    "quality.inspection": (id) => `/inspect/${id}`,
    "inventory.lot": (id) => `/lot/${id}`,
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
