/** Pegs both ways as the server tells them (GET /api/overviews/pegging/<kind>/<id>), and upward as a tree. */

import type { Peg } from "@/features/sales/order";
import type { Told, ToldItem } from "@/session/told";
import type { Reason } from "./plan";

/** The papers that are pegged: a page of theirs offers the way here. */
export const peggedKinds = ["sales.sales_order_line", "catalog.item", "procurement.schedule_line", "procurement.purchase_requisition", "production.work_order", "planning.proposal"];

export interface PegEnd {
  kind: string;
  id: string;
  number: string | null;
  name?: string;
  status: string | null;
}

export interface PegLine {
  order_id: string;
  number: string;
  customer: Told;
  priority: number;
  promised_on: string | null;
  requested_on: string;
  outlook: { projected_at: string | null; due_at: string; late_minutes: number; short_quantity: string; reasons: Reason[] } | null;
}

export interface PegRow {
  depth: number;
  supply: PegEnd;
  consumer: PegEnd;
  item: ToldItem;
  quantity: string;
  ready_at: string;
  need_at: string;
  late: boolean;
  line: PegLine | null;
}

export interface Pegging {
  subject: PegEnd & { line: PegLine | null };
  under: Peg[];
  over: PegRow[];
  pegs: PegRow[];
  more: boolean;
}

export interface ServedNode extends PegRow {
  key: string;
  above: ServedNode[];
}

/** What a supply serves as a tree, from its first takers to the customers; who takes from two is under each. */
export function servedTree(id: string, rows: PegRow[]): ServedNode[] {
  const over = (supply: string, path: string, seen: Set<string>): ServedNode[] =>
    rows
      .filter((row) => row.supply.id === supply && !seen.has(row.consumer.id))
      .map((row, index) => {
        const key = `${path}/${row.consumer.id}-${index}`;
        return { ...row, key, above: over(row.consumer.id, key, new Set([...seen, row.consumer.id])) };
      });
  return over(id, "", new Set([id]));
}

/** The customers' lines that are reached, each once, the latest first. */
export function reached(rows: PegRow[]): PegLine[] {
  const found = new Map<string, PegLine>();
  for (const row of rows) if (row.line) found.set(row.line.number, row.line);
  return [...found.values()].sort((one, other) => (other.outlook?.late_minutes ?? 0) - (one.outlook?.late_minutes ?? 0));
}
