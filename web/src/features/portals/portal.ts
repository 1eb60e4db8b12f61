/** What partners see of their orders (GET /api/portals/supplier, /api/portals/customer). */

import type { Score } from "@/features/procurement/purchase";
import type { Told } from "@/session/told";

export interface SupplierSchedule {
  id: string;
  sequence: number;
  status: string;
  quantity: string;
  required_on: string;
  confirmed_on: string | null;
  expected_on: string;
  announced_quantity: string;
  received_quantity: string;
}

export interface SupplierLine {
  id: string;
  sequence: number;
  item: Told;
  supplier_code: string;
  unit: string;
  schedule: SupplierSchedule[];
}

export interface SupplierOrder {
  id: string;
  number: string;
  status: string;
  ordered_on: string;
  currency: string;
  lines: SupplierLine[];
}

export interface SupplierNotice {
  id: string;
  number: string;
  purchase_order_id: string;
  status: string;
  eta_at: string;
  delivery_note: string;
  quantity: string | number;
}

/** A question of the buyer's that waits for an answer. */
export interface Asked {
  id: string;
  schedule_line_id: string;
  order: string;
  number: string;
  item: Told;
  unit: string;
  quantity: string;
  wanted_on: string;
  expected_on: string;
  message: string;
  chased_at: string;
}

export interface SupplierPortal {
  orders: SupplierOrder[];
  asked: Asked[];
  /** Why each delivery matters, by kind only, and from when it is needed. */
  matters: Record<string, { who: string[]; needed_at: string }>;
  score: Score;
  asns: SupplierNotice[];
}

export interface CustomerPromise {
  id: string;
  old_on: string | null;
  new_on: string;
  status: string;
  offered_at: string;
  reasons: string[];
}

export interface CustomerLine {
  id: string;
  sequence: number;
  item: Told;
  unit: string;
  quantity: string;
  shipped_quantity: string;
  delivered_quantity: string;
  requested_on: string;
  promised_on: string | null;
  status: string;
  promises: CustomerPromise[];
}

export interface CustomerOrder {
  id: string;
  number: string;
  reference: string;
  status: string;
  ordered_on: string;
  lines: CustomerLine[];
}

export interface CustomerPortal {
  orders: CustomerOrder[];
  shipments: { id: string; number: string; status: string; due_on: string | null; dispatched_at: string | null; eta_at: string | null; delivered_at: string | null; receiver: string; tracking_number: string; milestones: { milestone: string; happened_at: string; place: string }[] }[];
}

/** What a supplier says of a delivery he cannot bring whole on the day: how much then, and the day of the rest. */
export interface Split {
  quantity: string;
  confirmed_on: string;
  reason: string;
}

/** Why a split cannot be sent yet; null when it can. */
export function splitProblem(one: SupplierSchedule, split: Split): "quantity" | "whole" | "day" | "reason" | null {
  const quantity = Number(split.quantity);
  if (!split.quantity || Number.isNaN(quantity) || quantity <= 0 || quantity > Number(one.quantity)) return "quantity";
  if (!split.confirmed_on) return "day";
  if ((split.confirmed_on > one.required_on || quantity < Number(one.quantity)) && !split.reason.trim()) return "reason";
  return null;
}

/** What is still to be announced of a delivery. */
export const unannounced = (one: SupplierSchedule): number => Math.max(0, Number(one.quantity) - Number(one.announced_quantity) - Number(one.received_quantity));

/** Deliveries that wait for the supplier's word, over all orders. */
export function waitingFor(orders: SupplierOrder[]): number {
  return orders.reduce((sum, order) => sum + order.lines.reduce((inner, line) => inner + line.schedule.filter((one) => one.status === "open").length, 0), 0);
}

export interface Step {
  name: "ordered" | "promised" | "shipped" | "delivered";
  day: string | null;
  reached: boolean;
}

/** The milestones of a customer's line. */
export function milestones(order: CustomerOrder, line: CustomerLine): Step[] {
  const whole = Number(line.quantity);
  return [
    { name: "ordered", day: order.ordered_on, reached: true },
    { name: "promised", day: line.promised_on, reached: line.promised_on !== null },
    { name: "shipped", day: null, reached: whole > 0 && Number(line.shipped_quantity) >= whole },
    { name: "delivered", day: null, reached: whole > 0 && Number(line.delivered_quantity) >= whole },
  ];
}

export interface Offer {
  order: CustomerOrder;
  line: CustomerLine;
  promise: CustomerPromise;
}

/** New dates that wait for the customer's answer, over all orders. */
export function openOffers(orders: CustomerOrder[]): Offer[] {
  return orders.flatMap((order) => order.lines.flatMap((line) => line.promises.filter((one) => one.status === "offered").map((promise) => ({ order, line, promise }))));
}
