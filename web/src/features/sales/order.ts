/** Order 360 as the server tells it (GET /api/overviews/order/<id>), and its chain as a tree. */

import type { LinkedDocument, Row } from "@/api/types";
import type { Reason, Remedy } from "@/features/planning/plan";
import type { Told, ToldItem } from "@/session/told";

export interface Operation {
  id: string;
  sequence: number;
  name: string;
  work_center: string | null;
  status: string;
  good: string;
  scrap: string;
  planned_start_at: string | null;
  planned_finish_at: string | null;
}

/** One supply of the chain, one level of it. */
export interface Peg {
  depth: number;
  kind: string;
  id: string;
  for_kind: string;
  for_id: string;
  item: ToldItem;
  quantity: string;
  ready_at: string;
  need_at: string;
  late: boolean;
  number: string | null;
  status: string | null;
  order_quantity?: string;
  good_quantity?: string;
  planned_start_at?: string | null;
  planned_finish_at?: string | null;
  operations?: Operation[];
  purchase_order_id?: string;
  purchase_order?: string;
  supplier?: Told;
  required_on?: string | null;
  confirmed_on?: string | null;
  expected_on?: string | null;
}

export interface ShipmentRow {
  id: string;
  number: string;
  status: string;
  due_on: string | null;
  quantity: string;
  dispatched_at?: string | null;
  delivered_at?: string | null;
  [field: string]: unknown;
}

export interface PromiseRow {
  id: string;
  old_on: string | null;
  new_on: string;
  reasons: { text: string; kind?: string; id?: string }[];
  status: string;
  offered_at: string;
  answered_at: string | null;
}

export interface OrderLine {
  id: string;
  sequence: number;
  item: Told;
  unit: string;
  quantity: string;
  shipped_quantity: string;
  delivered_quantity: string;
  requested_on: string;
  promised_on: string | null;
  projected_at: string | null;
  status: string;
  outlook: { projected_at: string | null; due_at: string; late_minutes: number; short_quantity: string; slices: { at: string; quantity: string }[]; reasons: Reason[] } | null;
  chain: Peg[];
  shipments: ShipmentRow[];
  promises: PromiseRow[];
}

export interface StoryHead {
  order_id: string;
  command: string;
  /** Empty for what the house did by itself. */
  title: string;
  actor: { kind: string; name: string };
  at: string;
  why: string;
}

export interface Order360 {
  order: Row & { number: string; status: string; customer: Told; customer_reference: string; ordered_on: string; priority: number; currency?: string; amount?: string; version: number; site_id: string };
  actions: string[];
  links: { up: LinkedDocument[]; down: LinkedDocument[] };
  lines: OrderLine[];
  remedies: Remedy[];
  stories: StoryHead[];
}

export interface ChainNode extends Peg {
  key: string;
  under: ChainNode[];
}

/** The flat pegs of a line as a tree below it; a supply shared by two consumers stands under each of them. */
export function chainTree(lineId: string, pegs: Peg[]): ChainNode[] {
  const below = (consumer: string, path: string, seen: Set<string>): ChainNode[] =>
    pegs
      .filter((peg) => peg.for_id === consumer && !seen.has(peg.id))
      .map((peg, index) => {
        const key = `${path}/${peg.id}-${index}`;
        return { ...peg, key, under: below(peg.id, key, new Set([...seen, peg.id])) };
      });
  return below(lineId, "", new Set([lineId]));
}

/** How far a work order is: done of ordered over its operations, 0 … 1. */
export function progressOf(peg: Pick<Peg, "operations" | "order_quantity">): number {
  const ordered = Number(peg.order_quantity ?? 0);
  if (!peg.operations?.length || ordered <= 0) return 0;
  const done = peg.operations.reduce((sum, operation) => sum + Math.min(1, Number(operation.good) / ordered), 0);
  return done / peg.operations.length;
}

const mostTopics = 80;

/**
 * What changes an order's page: its own news, that of what serves it, and a plan that touches its lines or an item on the
 * way to them (the news of a plan names both). Only an order with more than can be listened to hears of every plan.
 */
export function orderTopics(orderId: string, order: Order360 | null): string[] {
  const ids = new Set<string>([`sales_order:${orderId}`, "planning.RemedyDecided"]);
  for (const line of order?.lines ?? []) {
    ids.add(`sales_order_line:${line.id}`);
    ids.add(`item:${line.item.id}`);
    for (const peg of line.chain) ids.add(`${peg.kind.slice(peg.kind.indexOf(".") + 1)}:${peg.id}`).add(`item:${peg.item.id}`);
    for (const shipment of line.shipments) ids.add(`shipment:${shipment.id}`);
  }
  return ids.size <= mostTopics ? [...ids] : ["planning.PlanChanged", ...ids].slice(0, mostTopics);
}
