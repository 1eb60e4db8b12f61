/** Cells changed in a list and not yet saved: what was there, what is wanted, what the server says of it. */

import { computed, reactive, ref, type ComputedRef, type Ref } from "vue";
import { order } from "@/api/client";
import { isRef, type Row } from "@/api/types";
import type { GridColumn } from "./columns";

export interface CellError {
  field: string;
  code: string;
  detail: string;
  facts?: Record<string, unknown>;
}

export interface RowResult {
  state: "new" | "changed" | "same" | "refused";
  id: string | null;
  before: Row | null;
  after: Row | null;
  errors: CellError[];
}

export interface SheetAnswer {
  rows: RowResult[];
  errors: CellError[];
  error_count: number;
  dry_run: boolean;
  written: boolean;
}

export interface SheetRow {
  id?: string;
  version?: number;
  cells: Record<string, unknown>;
}

export const sheetLimit = 1000;

export const trySheet = (kind: string, rows: SheetRow[], comma = false): Promise<SheetAnswer> => order<SheetAnswer>("foundation.change_sheet", { kind, rows, dry_run: true, decimal_comma: comma });
export const writeSheet = (kind: string, rows: SheetRow[], comma = false): Promise<SheetAnswer> => order<SheetAnswer>("foundation.change_sheet", { kind, rows, dry_run: false, decimal_comma: comma });

/** A cell's value as the server takes it. */
export const plainCell = (value: unknown): unknown => (isRef(value) ? value.id : value === undefined ? null : value);
const sameCell = (a: unknown, b: unknown): boolean => JSON.stringify(plainCell(a) ?? "") === JSON.stringify(plainCell(b) ?? "");

interface Draft {
  row: Row;
  cells: Record<string, unknown>;
}

interface Step {
  id: string;
  column: string;
  before: unknown;
}

export interface Stale {
  id: string;
  label: string;
  column: string;
  /** What stands there now, and what this person wrote. */
  now: unknown;
  mine: unknown;
}

export interface Sheet {
  drafts: Map<string, Draft>;
  errors: Map<string, CellError[]>;
  changed: ComputedRef<number>;
  wrong: ComputedRef<number>;
  stale: Ref<Stale[]>;
  trying: Ref<boolean>;
  canUndo: ComputedRef<boolean>;
  labelOf(id: string): string;
  has(id: string, column: string): boolean;
  value(row: Row, column: string): unknown;
  errorAt(id: string, column: string): string;
  put(row: Row, column: GridColumn, value: unknown): void;
  undo(): void;
  drop(id: string): void;
  clear(): void;
  rows(): SheetRow[];
  /** Try all changes without writing; what is wrong stands at its cell afterwards. */
  attempt(kind: string): Promise<void>;
  /** Take in what the server said of these rows, in their order. */
  take(answer: SheetAnswer): void;
  /** A stale row: go on from what stands there now, keeping one's own cells. */
  rebase(id: string): void;
}

export function makeSheet(label: (row: Row) => string): Sheet {
  const drafts = reactive(new Map<string, Draft>());
  const errors = reactive(new Map<string, CellError[]>());
  const fresh = new Map<string, Row>();
  const stale = ref<Stale[]>([]);
  const trying = ref(false);
  const steps = ref<Step[]>([]);
  let generation = 0;

  const rows = (): SheetRow[] => [...drafts.values()].map((draft) => ({ id: draft.row.id, version: draft.row.version as number | undefined, cells: Object.fromEntries(Object.entries(draft.cells).map(([name, value]) => [name, plainCell(value)])) }));

  function set(row: Row, column: string, value: unknown): void {
    const draft = drafts.get(row.id) ?? { row, cells: {} };
    if (sameCell(draft.row[column], value)) delete draft.cells[column];
    else draft.cells[column] = value;
    if (Object.keys(draft.cells).length) drafts.set(row.id, draft);
    else drop(row.id);
  }

  function drop(id: string): void {
    drafts.delete(id);
    errors.delete(id);
    stale.value = stale.value.filter((one) => one.id !== id);
    steps.value = steps.value.filter((step) => step.id !== id);
  }

  function take(answer: SheetAnswer): void {
    errors.clear();
    stale.value = [];
    [...drafts.entries()].forEach(([id, draft], index) => {
      const result = answer.rows[index];
      if (!result) return;
      if (result.before) fresh.set(id, result.before);
      if (result.errors.length) errors.set(id, result.errors);
      if (result.before && result.errors.some((error) => error.code === "stale_version"))
        for (const [column, mine] of Object.entries(draft.cells)) stale.value.push({ id, label: label(draft.row), column, now: result.before[column], mine });
    });
  }

  return {
    drafts,
    errors,
    changed: computed(() => drafts.size),
    wrong: computed(() => errors.size),
    stale,
    trying,
    canUndo: computed(() => steps.value.length > 0),
    labelOf: (id) => {
      const draft = drafts.get(id);
      return draft ? label(draft.row) : "";
    },
    has: (id, column) => column in (drafts.get(id)?.cells ?? {}),
    value: (row, column) => {
      const cells = drafts.get(row.id)?.cells;
      return cells && column in cells ? cells[column] : row[column];
    },
    errorAt: (id, column) => errors.get(id)?.find((error) => error.field === column)?.detail ?? "",
    put(row, column, value) {
      const before = drafts.get(row.id)?.cells[column.name] ?? row[column.name];
      if (sameCell(before, value)) return;
      steps.value.push({ id: row.id, column: column.name, before });
      set(row, column.name, value);
    },
    undo() {
      const step = steps.value.pop();
      const draft = step && drafts.get(step.id);
      if (step && draft) set(draft.row, step.column, step.before);
    },
    drop,
    clear() {
      drafts.clear();
      errors.clear();
      stale.value = [];
      steps.value = [];
    },
    rows,
    async attempt(kind) {
      const mine = ++generation;
      if (!drafts.size) {
        errors.clear();
        stale.value = [];
        return;
      }
      trying.value = true;
      try {
        const answer = await trySheet(kind, rows());
        if (mine === generation) take(answer);
      } finally {
        if (mine === generation) trying.value = false;
      }
    },
    take,
    rebase(id) {
      const draft = drafts.get(id);
      const now = fresh.get(id);
      if (!draft || !now) return;
      const cells = { ...draft.cells };
      for (const [column, value] of Object.entries(cells)) if (sameCell(now[column], value)) delete cells[column];
      if (Object.keys(cells).length) drafts.set(id, { row: now, cells });
      else drop(id);
      errors.delete(id);
      stale.value = stale.value.filter((one) => one.id !== id);
    },
  };
}
