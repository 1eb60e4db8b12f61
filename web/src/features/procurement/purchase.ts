/** A purchase order and a supplier as the server tells them (GET /api/overviews/purchase, supplier). */

import type { LinkedDocument, Row } from "@/api/types";
import type { Told, ToldItem } from "@/session/told";
import type { Announced, Chase } from "./buy";

export interface Planned {
  id: string;
  sequence: number;
  status: string;
  quantity: string;
  open_quantity: string;
  required_on: string;
  confirmed_on: string | null;
  expected_on: string;
  announced_quantity: string;
  received_quantity: string;
  rejected_quantity: string;
  days_late: number;
  hurts: { kind: string; id: string; number: string }[];
  changes: { id: string; old_on: string | null; new_on: string; reason: string; said_by: string; said_at: string }[];
  chases: Chase[];
}

export interface PurchaseLine {
  id: string;
  sequence: number;
  item: ToldItem;
  supplier_code: string;
  quantity: string;
  price: string | null;
  amount: string | null;
  status: string;
  schedule: Planned[];
}

export interface Receipt {
  id: string;
  number: string;
  status: string;
  happened_at: string;
  delivery_note: string;
  lines: { id: string; item: ToldItem; lot: { id: string; number: string } | null; quantity: string; rejected: string; announced_quantity: string | null; difference_reason: string }[];
}

export interface Purchase {
  order: Row;
  actions: string[];
  links: { up: LinkedDocument[]; down: LinkedDocument[] };
  lines: PurchaseLine[];
  notices: Announced[];
  receipts: Receipt[];
  inspections: { id: string; number: string; status: string; item: Told; lot: string | null; decided_at: string | null; reason: string }[];
  stories: { order_id: string; command: string; title: string; actor: { kind: string; name: string }; at: string; why: string }[];
}

export interface Score {
  receipts: number;
  on_time: number | null;
  as_announced: number | null;
  rejected_ppm: number | null;
  days_late: number | null;
  months: { month: string; receipts: number; on_time: number | null }[];
}

export interface SupplierSheet {
  supplier: Told & { phone: string; email: string; address: string; transit_days: number };
  score: Score;
  open: { id: string; number: string; purchase_order: { id: string; number: string }; item: ToldItem; open_quantity: string; required_on: string; expected_on: string; status: string; days_late: number; hurts: { kind: string; id: string; number: string }[]; chases: number }[];
  items: { id: string; item: ToldItem; supplier_code: string; price: string | null; currency: string; lead_time_days: number | null; minimum: string; preferred: boolean }[];
}

export interface Told360 {
  id: string;
  at: string;
  kind: "change" | "chase" | "answer" | "receipt";
  delivery: string;
  day: string | null;
  text: string;
}

/** What was said and done about an order's deliveries, the latest first. */
export function conversation(purchase: Purchase): Told360[] {
  const found: Told360[] = [];
  for (const line of purchase.lines)
    for (const one of line.schedule) {
      const delivery = `${line.sequence}.${one.sequence} ${line.item.code}`;
      for (const change of one.changes) found.push({ id: change.id, at: change.said_at, kind: "change", delivery, day: change.new_on, text: change.reason });
      for (const chase of one.chases) {
        found.push({ id: chase.id, at: chase.chased_at, kind: "chase", delivery, day: chase.wanted_on, text: chase.message });
        if (chase.answered_at) found.push({ id: `${chase.id}.answer`, at: chase.answered_at, kind: "answer", delivery, day: chase.answered_on, text: chase.answer });
      }
    }
  for (const receipt of purchase.receipts) found.push({ id: receipt.id, at: receipt.happened_at, kind: "receipt", delivery: receipt.number, day: null, text: receipt.delivery_note });
  return found.sort((a, b) => b.at.localeCompare(a.at));
}

export const percent = (share: number | null): string => (share === null ? "–" : `${Math.round(share * 1000) / 10} %`);
