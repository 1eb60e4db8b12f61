/** Which columns a grid shows, in which order and how wide: what the person chose, over what the type suggests. */

import type { FieldMeta } from "@/api/types";

export interface GridColumn extends FieldMeta {
  width?: number;
  /** Shown unless the person decides otherwise; default true. */
  visible?: boolean;
}

/** Kept per person and grid. Columns the server adds later appear at the end. */
export interface ColumnLayout {
  order: string[];
  hidden: string[];
  widths: Record<string, number>;
  /** Columns that stay at the left while the others scroll, beside the key. */
  pinned?: string[];
}

const widths: Record<string, number> = {
  text: 160, integer: 88, decimal: 104, money: 112, quantity: 104, date: 104, instant: 124, boolean: 72, choice: 112, ref: 190, duration: 104, time: 80,
};
export const minWidth = 56;
export const keyWidth = 150;

export function defaultWidth(column: GridColumn, isKey: boolean): number {
  if (column.width) return column.width;
  if (isKey) return keyWidth;
  if (/^name|title$/.test(column.name)) return 220;
  // A header must be readable: about 13 px per CJK sign, 7 per letter, and room for the sort arrow.
  const title = [...column.title].reduce((sum, sign) => sum + (sign.charCodeAt(0) > 0x2e80 ? 13 : 7.5), 40);
  return Math.max(widths[column.type] ?? 140, Math.min(title, 200));
}

/** Columns in the person's order; unknown names in the layout are skipped, new columns come last. */
export function arrange(columns: GridColumn[], layout: ColumnLayout | null, keyName: string): GridColumn[] {
  const rank = new Map((layout?.order ?? []).map((name, index) => [name, index]));
  const sorted = columns
    .map((column, index) => ({ column, rank: rank.get(column.name) ?? 1000 + index }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ column }) => column);
  const place = (column: GridColumn) => (column.name === keyName ? 0 : layout?.pinned?.includes(column.name) ? 1 : 2);
  return [0, 1, 2].flatMap((wanted) => sorted.filter((column) => place(column) === wanted));
}

export function isShown(column: GridColumn, layout: ColumnLayout | null): boolean {
  if (!layout) return column.visible !== false;
  if (layout.hidden.includes(column.name)) return false;
  return layout.order.includes(column.name) || column.visible !== false;
}

export interface PlacedColumn extends GridColumn {
  px: number;
  /** Distance from the left edge of the scrolling part. */
  left: number;
}

/** Widths in pixels: spare room goes to the columns that hold words. */
export function place(columns: GridColumn[], layout: ColumnLayout | null, keyName: string, room: number): PlacedColumn[] {
  const base = columns.map((column) => layout?.widths[column.name] ?? defaultWidth(column, column.name === keyName));
  const spare = room - base.reduce((sum, width) => sum + width, 0);
  const roomy = columns.map((column) => !layout?.widths[column.name] && ["text", "ref", "list", "json"].includes(column.type) && column.name !== keyName);
  const takers = roomy.filter(Boolean).length;
  let left = 0;
  return columns.map((column, index) => {
    const extra = spare > 0 ? (takers ? (roomy[index] ? spare / takers : 0) : index === columns.length - 1 ? spare : 0) : 0;
    const px = Math.max(minWidth, Math.floor(base[index] + extra));
    const placed = { ...column, px, left };
    left += px;
    return placed;
  });
}

/** How many of the shown columns stay at the left: the key, and those the person pinned, as long as half the room is free. */
export function frozenCount(columns: PlacedColumn[], layout: ColumnLayout | null, keyName: string, room: number): number {
  let count = 0;
  for (const column of columns) {
    const stays = column.name === keyName || Boolean(layout?.pinned?.includes(column.name));
    if (!stays || (count > 0 && room > 0 && column.left + column.px > room / 2)) break;
    count += 1;
  }
  return Math.max(count, Math.min(1, columns.length));
}

/** Only the columns in view are drawn; `before` is the left edge of the first of them (0: none is left out before it). */
export function windowOf(columns: PlacedColumn[], scrollLeft: number, width: number): { shown: PlacedColumn[]; before: number } {
  if (columns.length <= 8 || width <= 0) return { shown: columns, before: 0 };
  const from = scrollLeft - 200;
  const until = scrollLeft + width + 200;
  const shown = columns.filter((column) => column.left + column.px > from && column.left < until);
  return { shown, before: shown[0] === columns[0] ? 0 : (shown[0]?.left ?? 0) };
}

/** `-number` ⇄ `number` → the next sorting when a header is pressed: up, down, none. */
export function nextSort(current: string, name: string): string {
  if (current === name) return `-${name}`;
  return current === `-${name}` ? "" : name;
}
