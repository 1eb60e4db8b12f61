/** The buyer's board as the server tells it (GET /api/overviews/buy). */

import type { Told, ToldItem } from "@/session/told";

export interface Requisition {
  id: string;
  number: string;
  status: "raised" | "approved";
  item: ToldItem;
  quantity: string;
  needed_on: string;
  supplier: Told | null;
  reason: { text?: string; kind?: string; id?: string }[];
  note: string;
}

/** Once the supplier was asked where a delivery is, and what he said. */
export interface Chase {
  id: string;
  status: "open" | "answered" | "replaced";
  wanted_on: string;
  message: string;
  chased_at: string;
  answer: string;
  answered_on: string | null;
  answered_at: string | null;
}

export interface Delivery {
  id: string;
  number: string;
  status: string;
  purchase_order: { id: string; number: string };
  supplier: Told;
  item: ToldItem;
  quantity: string;
  open_quantity: string;
  required_on: string;
  confirmed_on: string | null;
  expected_on: string;
  days_late: number;
  hurts: { kind: string; id: string; number: string }[];
  chases: number;
  chase: Chase | null;
  wish: { id: string; number: string; action: string; to_at: string | null; to_quantity: string | null } | null;
}

export interface Announced {
  id: string;
  number: string;
  status: string;
  supplier: Told;
  eta_at: string;
  delivery_note: string;
  purchase_order: { id: string; number: string };
  lines: { id: string; item: Told; unit: string; quantity: string; lot_number: string; expires_on: string | null }[];
}

export interface BuyBoard {
  requisitions: Requisition[];
  drafts: { id: string; number: string; supplier: Told; ordered_on: string; lines: number }[];
  deliveries: Delivery[];
  arrivals: Announced[];
}

export const buyTopics = [
  "kind:procurement.purchase_requisition", "kind:procurement.purchase_order", "kind:procurement.schedule_line", "kind:procurement.asn", "planning.PlanChanged", "planning.RemedyDecided", "procurement.DeliveryChased", "procurement.ChaseAnswered",
];

export type DeliveryFilter = "all" | "unconfirmed" | "late" | "hurting";
const tests: Record<DeliveryFilter, (row: Delivery) => boolean> = {
  all: () => true,
  unconfirmed: (row) => row.status === "open",
  late: (row) => row.days_late > 0,
  hurting: (row) => row.hurts.length > 0,
};

/** Those that hurt somebody first, then by the day they are expected. */
export function sortedDeliveries(rows: Delivery[], filter: DeliveryFilter, typed = ""): Delivery[] {
  const wanted = typed.trim().toLowerCase();
  const fits = (row: Delivery) => !wanted || [row.number, row.item.code, row.item.name, row.supplier.code, row.supplier.name].some((text) => text.toLowerCase().includes(wanted));
  return rows.filter((row) => tests[filter](row) && fits(row)).sort((a, b) => Number(b.hurts.length > 0) - Number(a.hurts.length > 0) || a.expected_on.localeCompare(b.expected_on));
}

export type DeliveryGrouping = "none" | "cause" | "supplier" | "risk";

export interface DeliveryGroup {
  key: string;
  title: string;
  rows: Delivery[];
  late: number;
}

/** Deliveries under what they are about: the order they hurt, the supplier, or how late they are; the worst group first. */
export function groupedDeliveries(rows: Delivery[], by: DeliveryGrouping, word: (key: "harmless" | "late" | "tight" | "calm") => string): DeliveryGroup[] {
  if (by === "none") return [{ key: "all", title: "", rows, late: rows.filter((row) => row.days_late > 0).length }];
  const groups = new Map<string, DeliveryGroup>();
  const add = (key: string, title: string, row: Delivery) => {
    const group = groups.get(key) ?? { key, title, rows: [], late: 0 };
    group.rows.push(row);
    if (row.days_late > 0) group.late += 1;
    groups.set(key, group);
  };
  for (const row of rows) {
    if (by === "supplier") add(row.supplier.id, row.supplier.name || row.supplier.code, row);
    else if (by === "cause") {
      if (!row.hurts.length) add("", word("harmless"), row);
      for (const hurt of row.hurts) add(hurt.id, hurt.number, row);
    } else add(row.days_late > 0 ? "late" : row.status === "open" ? "tight" : "calm", word(row.days_late > 0 ? "late" : row.status === "open" ? "tight" : "calm"), row);
  }
  const order = ["late", "tight", "calm"];
  const rank = (group: DeliveryGroup) => (by === "risk" ? order.indexOf(group.key) : by === "cause" && group.key === "" ? 1 : 0);
  return [...groups.values()].sort((a, b) => rank(a) - rank(b) || b.late - a.late || a.title.localeCompare(b.title));
}

/** Whether picked requisitions can go on one order: all approved, at most one supplier named. */
export function orderable(rows: Requisition[]): { ready: boolean; raised: Requisition[]; supplier: Told | null } {
  const suppliers = new Map(rows.flatMap((row) => (row.supplier ? [[row.supplier.id, row.supplier] as const] : [])));
  const raised = rows.filter((row) => row.status === "raised");
  return { ready: rows.length > 0 && !raised.length && suppliers.size <= 1, raised, supplier: suppliers.size === 1 ? [...suppliers.values()][0] : null };
}
