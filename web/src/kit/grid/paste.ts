/** Cells from a spreadsheet laid onto a list: which row and column each falls on. Pure; the server reads the texts. */

import type { Row } from "@/api/types";
import type { GridColumn } from "./columns";
import type { SheetRow } from "./sheet";

export interface PastePlan {
  columns: GridColumn[];
  rows: SheetRow[];
  /** How rows were found: by the key in the pasted columns, or one below the other from the row in hand. */
  by: "key" | "place";
  /** Headings of the pasted cells that are no column here. */
  ignored: string[];
  /** Columns that nobody may change here, and that are left as they are. */
  fixed: GridColumn[];
  /** Lines that found no row, where no new ones may be made. */
  beyond: number;
}

const plain = (text: string): string => text.trim().replace(/\s*[(（].*[)）]\s*$/, "").toLowerCase();

/** The columns a first line names, by title or name; null when it does not look like headings. */
export function headings(line: string[], columns: GridColumn[]): (GridColumn | null)[] | null {
  const found = line.map((text) => columns.find((column) => plain(column.title) === plain(text) || column.name === text.trim().toLowerCase()) ?? null);
  const hits = found.filter(Boolean).length;
  return hits > 0 && hits * 2 >= line.filter((text) => text.trim()).length ? found : null;
}

/** Take off the apostrophe by which a spreadsheet (and our own export) marks a text that looks like a formula. */
export const unguarded = (text: string): string => (/^'+[=+\-@]/.test(text) ? text.slice(1) : text);
/** And put it on, for what we hand to a spreadsheet. A number is none: -5 must stay a number. */
export const guarded = (text: string): string => (/^'*[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,]+$/.test(text) ? `'${text}` : text);

/** A cell of a copied table: no line break or tab may leave it. */
export const asCell = (text: string): string => guarded(text.replace(/[\t\r\n]+/g, " "));

/** `1.234,5` in every number and no `1,234.5`: whoever wrote this uses decimal commas. */
export function usesDecimalComma(table: string[][]): boolean {
  const cells = table.flat();
  const comma = cells.some((cell) => /^-?(\d{1,3}(\.\d{3})+|\d+),\d+$/.test(cell) && !/^-?\d{1,3}(,\d{3})+$/.test(cell));
  return comma && !cells.some((cell) => /^-?\d{1,3}(,\d{3})*\.\d+$/.test(cell) && !/^-?\d{1,3}(\.\d{3})+$/.test(cell));
}

/**
 * @param table the cells as texts. @param shown the columns of the list in their order. @param all also those not shown.
 * @param start the row and column in hand. @param rowAt the rows at hand. @param creates whether new rows may be made.
 */
export function planPaste(table: string[][], shown: GridColumn[], all: GridColumn[], start: { row: number; column: number }, rowAt: (index: number) => Row | undefined, key: string, creates: boolean): PastePlan {
  const head = headings(table[0] ?? [], all);
  const lines = head ? table.slice(1) : table;
  const named = head ?? (table[0] ?? []).map((_, index) => shown[start.column + index] ?? null);
  const byKey = Boolean(head?.some((column) => column?.name === key));
  const wanted = named.filter((column): column is GridColumn => column !== null);
  const fixed = wanted.filter((column) => !column.edit && !(byKey && column.name === key) && !(creates && column.writable));
  const plan: PastePlan = {
    columns: wanted.filter((column) => !fixed.includes(column)),
    rows: [],
    by: byKey ? "key" : "place",
    ignored: head ? (table[0] ?? []).filter((text, index) => text.trim() && !head[index]) : [],
    fixed,
    beyond: 0,
  };
  lines.forEach((line, index) => {
    if (line.every((cell) => cell === "")) return;
    const cells: Record<string, unknown> = {};
    named.forEach((column, at) => {
      if (column && !fixed.includes(column)) cells[column.name] = unguarded(line[at] ?? "");
    });
    if (byKey) return void plan.rows.push({ cells });
    const row = rowAt(start.row + index);
    if (row) plan.rows.push({ id: row.id, version: row.version as number | undefined, cells });
    else if (creates) plan.rows.push({ cells });
    else plan.beyond += 1;
  });
  return plan;
}
