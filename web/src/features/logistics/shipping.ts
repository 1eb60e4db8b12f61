/** The logistics board as the server tells it (GET /api/overviews/shipping). */

import type { Told } from "@/session/told";

export type Column = "due" | "ready" | "on_the_way" | "proved";

export interface Step {
  id: string;
  milestone: string;
  happened_at: string;
  place: string;
  eta_at: string | null;
  note: string;
}

export interface BoardShipment {
  id: string;
  number: string;
  status: string;
  column: Column;
  customer: Told;
  carrier: Told | null;
  address: string;
  tracking_number: string;
  due_on: string;
  dispatched_at: string | null;
  eta_at: string | null;
  delivered_at: string | null;
  receiver: string;
  days_late: number;
  packages: number;
  weight_kg: string | number;
  lines: { id: string; order: string; item: Told; unit: string; quantity: string; picked_quantity: string }[];
  milestones: Step[];
}

export interface ShippingBoard {
  today: string;
  shipments: BoardShipment[];
  carriers: { carrier: Told; shipments: number; on_time: number }[];
}

export const columns: Column[] = ["due", "ready", "on_the_way", "proved"];

/** The shipments of a column, the late ones first, then by the day that counts; `typed` narrows by number, customer, carrier, order. */
export function inColumn(board: ShippingBoard, column: Column, typed = "", late = false): BoardShipment[] {
  const wanted = typed.trim().toLowerCase();
  const texts = (one: BoardShipment) => [one.number, one.customer.code, one.customer.name, one.carrier?.name ?? "", one.tracking_number, ...one.lines.map((line) => line.order)];
  const day = (one: BoardShipment) => (column === "on_the_way" ? one.eta_at : column === "proved" ? one.delivered_at : one.due_on) ?? "9";
  const found = board.shipments.filter((one) => one.column === column && (!late || one.days_late > 0) && (!wanted || texts(one).some((text) => text.toLowerCase().includes(wanted))));
  return column === "proved" ? found.sort((a, b) => day(b).localeCompare(day(a))) : found.sort((a, b) => b.days_late - a.days_late || day(a).localeCompare(day(b)));
}

/** How much of a shipment is picked, 0 to 1. */
export function pickedShare(one: BoardShipment): number {
  const whole = one.lines.reduce((sum, line) => sum + Number(line.quantity), 0);
  return whole ? one.lines.reduce((sum, line) => sum + Number(line.picked_quantity), 0) / whole : 0;
}

/** The commands that bring a shipment on, the next step first. */
export function steps(status: string): string[] {
  if (status === "planned") return ["logistics.pick_shipment"];
  if (status === "picking") return ["logistics.pack_shipment", "logistics.pick_shipment"];
  if (status === "packed") return ["logistics.dispatch_shipment", "logistics.unpack_shipment"];
  if (status === "dispatched") return ["logistics.record_proof", "logistics.record_milestone", "logistics.return_shipment"];
  return [];
}

export const shippingTopics = [
  "kind:logistics.shipment", "logistics.ShipmentPlanned", "logistics.ShipmentPicked", "logistics.ShipmentPacked", "logistics.ShipmentDispatched", "logistics.MilestoneReached", "logistics.ShipmentDelivered",
  "logistics.ShipmentCancelled", "logistics.ShipmentReturned",
];
