/** A lot's trace as the server tells it (GET /api/overviews/trace/<lot>), and its edges as a tree. */

import type { Told } from "@/session/told";

export interface Edge {
  depth: number;
  lot_id: string | null;
  lot_number: string | null;
  supplier_lot: string | null;
  lot_status: string | null;
  item_id: string;
  item_code: string;
  item_name: string;
  near_lot_id: string | null;
  cause_kind: string | null;
  cause_id: string | null;
  cause_number?: string | null;
  quantity: string | null;
  /** The base unit of the item, as people write it. */
  unit: string;
  first_at: string | null;
  last_at: string | null;
}

export interface End {
  lot_id: string;
  kind: string;
  cause_kind: string;
  cause_id: string;
  quantity: string;
  happened_at: string;
  number?: string | null;
  /** Who sent the goods, or got them. */
  partner?: Told | null;
}

export interface OperationRow {
  report_id: string;
  work_order_id: string;
  sequence: number;
  operation: string;
  operation_en: string;
  work_center: string | null;
  machine: string | null;
  good: string;
  scrap: string;
  person: string | null;
  happened_at: string;
  reversed_at: string | null;
}

export interface Trace {
  lot: { id: string; number: string; status: string; supplier_lot: string; item: Told };
  direction: "back" | "forward";
  /** False when the walk was given up before its end: what is shown is not all. */
  whole: boolean;
  edges: Edge[];
  came_from: End[];
  reached: End[];
  remains: { lot_id: string; location_code: string; quantity: string }[];
  operations: OperationRow[];
  inspections: { id: string; number: string; lot: string | null; point: string; status: string; decided_at: string | null }[];
}

export interface TraceNode extends Edge {
  key: string;
  under: TraceNode[];
}

/** The edges as a tree from the lot outwards. A lot that is met again on its own path is not followed in a circle. */
export function traceTree(trace: Trace): TraceNode[] {
  const edges = trace.edges.filter((edge) => edge.depth > 0);
  const below = (lot: string, path: string, seen: Set<string>): TraceNode[] =>
    edges
      .filter((edge) => edge.near_lot_id === lot && !(edge.lot_id && seen.has(edge.lot_id)))
      .map((edge, index) => {
        const key = `${path}/${edge.lot_id ?? edge.item_id}-${index}`;
        return { ...edge, key, under: edge.lot_id ? below(edge.lot_id, key, new Set([...seen, edge.lot_id])) : [] };
      });
  return below(trace.lot.id, "", new Set([trace.lot.id]));
}

export interface CauseGroup {
  key: string;
  kind: string | null;
  id: string | null;
  number: string | null;
  nodes: TraceNode[];
}

/** Neighbours that the same document joined stand together: its operations and people are told once. */
export function byCause(nodes: TraceNode[]): CauseGroup[] {
  const groups = new Map<string, CauseGroup>();
  for (const node of nodes) {
    const key = node.cause_id ?? "";
    const group = groups.get(key) ?? { key, kind: node.cause_kind, id: node.cause_id, number: node.cause_number ?? null, nodes: [] };
    group.nodes.push(node);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** How many lots, customers' documents and places a trace touches. */
export function reach(trace: Trace): { lots: number; documents: number; places: number } {
  const lots = new Set(trace.edges.flatMap((edge) => (edge.lot_id ? [edge.lot_id] : [])));
  return { lots: lots.size, documents: new Set((trace.direction === "back" ? trace.came_from : trace.reached).map((end) => end.cause_id)).size, places: trace.remains.length };
}
