/** An item on one page as the server tells it (GET /api/overviews/item/<id>), and the difference of two bills. */

import type { LinkedDocument, Row } from "@/api/types";
import type { Told } from "@/session/told";

export interface TreeRow {
  line_id: string;
  parent_id: string;
  item_id: string;
  code: string;
  name: string;
  base_unit: string;
  unit: string;
  supply: string;
  quantity: string | null;
  operation_sequence: number;
  level: number;
  fixed: boolean;
  available: string | null;
}

export interface UseRow {
  level: number;
  item_id: string;
  code: string;
  name: string;
  bom_id: string;
  bom_code: string;
  component_id: string;
  quantity_per: string | null;
  unit: string;
}

export interface Revision {
  kind: string;
  id: string;
  code: string;
  revision: string;
  effective_from: string | null;
  effective_until: string | null;
  approved_at: string | null;
  note: string;
  site_id: string | null;
  current: boolean;
}

export interface SheetOperation {
  id: string;
  sequence: number;
  name: string;
  work_center: Told | null;
  setup_minutes: string;
  run_minutes: string;
  queue_minutes: string;
  inspect: boolean;
  is_report_point: boolean;
}

export interface SupplierRow {
  id: string;
  supplier: Told;
  supplier_code: string;
  currency: string;
  price?: string | null;
  minimum?: string | null;
  multiple?: string | null;
  lead_time_days?: number | null;
  share?: string | null;
  preferred?: boolean | null;
}

export interface ItemSheet {
  item: Row & { code: string; version: number };
  unit: string;
  actions: string[];
  links: { up: LinkedDocument[]; down: LinkedDocument[] };
  parts: Record<string, Row[]>;
  quantity: string;
  tree: TreeRow[];
  whole: boolean;
  used: UseRow[];
  boms: Revision[];
  routings: Revision[];
  operations: SheetOperation[];
  stock: { usable: string; held: string; reserved: string; available: string } | null;
  suppliers: SupplierRow[];
}

/** Whether a component is fewer in stock than the tree takes of it. */
export const short = (row: TreeRow): boolean => row.quantity !== null && row.available !== null && row.supply !== "phantom" && Number(row.available) < Number(row.quantity);

/** The rows to show when some are folded: whatever stands below a folded one is hidden. Rows are in the tree's order. */
export function unfolded(rows: TreeRow[], folded: Set<string>): { row: TreeRow; key: string; folds: boolean }[] {
  const shown: { row: TreeRow; key: string; folds: boolean }[] = [];
  const path: string[] = [];
  let below = Infinity;
  rows.forEach((row, index) => {
    path.length = row.level - 1;
    path.push(row.line_id);
    if (row.level > below) return;
    below = Infinity;
    const key = path.join("/");
    if (folded.has(key)) below = row.level;
    shown.push({ row, key, folds: (rows[index + 1]?.level ?? 0) > row.level });
  });
  return shown;
}

/** A line of a bill as the generic record tells it. */
export interface BomLine extends Row {
  component: { id: string; code: string; name?: string };
  quantity_per: string;
  scrap_percent: string;
  fixed: boolean;
  operation_sequence: number;
}

export interface LineChange {
  kind: "added" | "removed" | "changed" | "same";
  component: BomLine["component"];
  before: BomLine | null;
  after: BomLine | null;
  /** The fields that differ. */
  fields: string[];
}

const compared = ["quantity_per", "scrap_percent", "fixed", "operation_sequence", "effective_from", "effective_until", "note"] as const;
const same = (one: unknown, other: unknown) => (one ?? "") === (other ?? "") || (one !== "" && other !== "" && one !== null && other !== null && !Number.isNaN(Number(one)) && Number(one) === Number(other));

/** What a bill became: lines of one component are paired in their order; what differs stands before what does not. */
export function difference(before: BomLine[], after: BomLine[]): LineChange[] {
  const rest = [...after];
  const made: LineChange[] = before.map((line) => {
    const at = rest.findIndex((other) => other.component.id === line.component.id);
    if (at < 0) return { kind: "removed", component: line.component, before: line, after: null, fields: [] };
    const [other] = rest.splice(at, 1);
    const fields = compared.filter((name) => !same(line[name], other[name]));
    return { kind: fields.length ? "changed" : "same", component: line.component, before: line, after: other, fields: [...fields] };
  });
  made.push(...rest.map((line): LineChange => ({ kind: "added", component: line.component, before: null, after: line, fields: [] })));
  const order = { removed: 0, added: 1, changed: 2, same: 3 };
  return made.sort((one, other) => order[one.kind] - order[other.kind]);
}
