/** What the screen of stock and material use is told, and what is worked out of it. */

import type { Tone } from "@/kit/chart/figures";
import type { Told, ToldItem } from "@/session/told";

export const states = ["free", "reserved", "held", "on_way"] as const;
export type StockState = (typeof states)[number];
type ByState = Record<StockState, string>;

export interface Paper {
  kind: string;
  id: string;
  number: string;
}

export interface NextIn extends Paper {
  on: string;
  quantity: string;
}

export interface CoverRow {
  item: ToldItem;
  usable: string;
  safety: string;
  needed: string;
  out_on: string | null;
  days: number | null;
  next: NextIn | null;
}

export interface UseRow {
  item: ToldItem;
  allowed: string;
  used: string;
  difference: string;
  percent: string | null;
  orders: number;
  cost: string | null;
}

export interface StockUse {
  currency: string;
  today: string;
  masked: string[];
  groups: { items: number; value: ByState | null; rows: { group: Told | null; items: number; unit: string | null; quantity: ByState | null; value: ByState | null }[] } | null;
  cover: { ahead: number; items: number; soon: number; rows: CoverRow[] } | null;
  below_safety: { items: number; rows: { item: ToldItem; usable: string; safety: string; share: string; next: NextIn | null }[] } | null;
  shortages: { ahead: number; count: number; items: number; rows: { id: string; item: ToldItem; quantity: string; need_at: string; ready_at: string | null; consumer: Paper | null; demand: Paper | null; supply: Paper | null }[] } | null;
  slow: { days: number; items: number; value: string | null; rows: { item: ToldItem; quantity: string; last_at: string | null; value: string | null }[] } | null;
  expiring: { days: number; lots: number; expired: number; value: string | null; rows: { item: ToldItem; lot: { id: string; number: string; status: string }; expires_on: string; days: number; quantity: string; value: string | null }[] } | null;
  use: { days: number; items: number; cost: string | null; rows: UseRow[] }[] | null;
  daily: { on: string; value: string }[] | null;
  counts: { days: number; counts: number; alike: number; accuracy: string | null; value: string | null; rows: { item: ToldItem; lot: { id: string; number: string } | null; location: string; booked: string; counted: string; difference: string; reason: string; at: string; order_id: string }[] } | null;
  uncovered: { count: number; rows: { id: string; item: ToldItem; quantity: string; location: Told; owner: string | null; happened_at: string | null; cause: Paper | null }[] } | null;
}

export interface StockItem {
  item: ToldItem | null;
  places: { location: Told; lot: { id: string; number: string; status: string } | null; expires_on: string | null; quantity: string }[] | null;
  needs: { need_at: string; quantity: string; for: Paper | null }[] | null;
  orders: { id: string; number: string; completed_at: string; allowed: string; used: string; difference: string }[] | null;
}

export const soonDays = 3;
export const fewDays = 7;
export const accuracyTarget = 98;

/** How urgent a cover is: it ends within three days, within a week, later. */
export function coverTone(days: number | null): Tone {
  if (days === null) return "good";
  return days < soonDays ? "bad" : days < fewDays ? "warn" : "good";
}

/** Whether what comes next comes only after the stock has run out. */
export const comesTooLate = (row: CoverRow): boolean => row.out_on !== null && (row.next === null || row.next.on > row.out_on);

/** How much of the bar a cover fills: two weeks are the whole. */
export const coverShare = (days: number | null, ahead: number): number => (days === null ? 100 : Math.max(2, Math.min(100, (100 * days) / ahead)));

/** Of everything on hand, without what is only on its way. */
export const onHand = (value: ByState): number => Number(value.free) + Number(value.reserved) + Number(value.held);

/** The item whose use against the bill costs most, or differs most where costs are not told. */
export const worstUse = (rows: UseRow[]): UseRow | undefined => rows.find((row) => Number(row.difference) > 0);

/** Used more or less than the bill allows: within 2 % nobody has to ask. */
export function useTone(percent: string | null): Tone {
  const off = Math.abs(Number(percent ?? 0));
  return percent === null || off >= 10 ? "bad" : off >= 2 ? "warn" : "good";
}
