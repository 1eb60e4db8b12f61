/** What the screen of quality and exceptions is told, and what is worked out of it. */

import type { Tone } from "@/kit/chart/figures";
import type { Told, ToldItem } from "@/session/told";
import type { RefusedRow } from "./supplierPerformance";
import type { Paper } from "./stockUse";

interface Yield {
  good: string;
  scrap: string;
  rework: string;
  first_pass: string | null;
}

export type Severity = "critical" | "warning" | "info";

export interface AlertRow {
  id: string;
  number: string;
  title: string;
  severity: Severity;
  status: string;
  owner: string | null;
  raised_at: string;
  due_at: string | null;
  overdue: boolean;
  repeats: number;
}

export interface InspectionRow {
  id: string;
  number: string;
  status: string;
  point: string;
  item: ToldItem;
  lot: { id: string; number: string } | null;
  quantity: string;
  supplier: Told | null;
  opened_at: string;
  age_hours: number;
  due_at: string | null;
  overdue: boolean;
  owner: string | null;
}

export interface HeldRow {
  item: ToldItem;
  lot: { id: string; number: string };
  reason: string;
  quantity: string;
  value: string | null;
  documents: number;
  waiting: number | null;
  touches: Paper[];
}

export interface QualityTrace {
  currency: string;
  today: string;
  days: number;
  masked: string[];
  yields: { unit: string | null; reports: number; left_out: number; total: Yield; days: ({ on: string } & Yield)[]; centers: ({ work_center: Told | null; reports: number; days: (string | null)[] } & Yield)[] } | null;
  scrap: { quantity: string; cost: string | null; rows: { reason: Told | null; reports: number; quantity: string; share: string; upto: string; cost: string | null }[] } | null;
  inspections: { open: number; held: number; overdue: number; oldest_at: string | null; rows: InspectionRow[] } | null;
  held: { lots: number; documents: number; value: string | null; rows: HeldRow[] } | null;
  incoming: { days: number; suppliers: number; rows: RefusedRow[] } | null;
  alerts: { severities: { severity: Severity; open: number; nobody: number; overdue: number; unanswered: number }[]; days: number; taken: number; in_time: number; median_minutes: number | null; rows: AlertRow[] } | null;
}

export interface ReportRow {
  id: string;
  happened_at: string;
  good: string;
  scrap: string;
  rework: string;
  unit: string;
  work_order: { id: string; number: string };
  operation: string;
  reason: Told | null;
  person: string | null;
}

export const yieldTarget = 98;

export function yieldTone(percent: string | number | null | undefined): Tone {
  if (percent === null || percent === undefined) return "muted";
  return Number(percent) >= yieldTarget ? "good" : Number(percent) >= yieldTarget - 3 ? "warn" : "bad";
}

/** Where the axis of yield begins, so that differences can be seen: the next five below the worst, never above 90. */
export function yieldFloor(values: (number | null)[]): number {
  const known = values.filter((value): value is number => value !== null);
  return known.length ? Math.min(90, Math.max(0, Math.floor((Math.min(...known) - 1) / 5) * 5)) : 90;
}

/** How many of the first reasons make the share that the title speaks of: at least half of all. */
export function vitalFew(rows: { upto: string }[]): { count: number; share: number } | null {
  const at = rows.findIndex((row) => Number(row.upto) >= 50);
  return at < 0 ? null : { count: at + 1, share: Number(rows[at]!.upto) };
}

/** Minutes until somebody must have answered; negative when that is over. */
export const minutesLeft = (alert: AlertRow, now: Date): number | null => (alert.due_at === null ? null : Math.round((Date.parse(alert.due_at) - now.getTime()) / 60_000));

const han = /\p{Script=Han}/u;

/** What the house notes in both languages (`待检 / to be inspected`) in the one that is spoken; people's own words as they are. */
export function inOneLanguage(text: string, language: string): string {
  const [first, second, ...rest] = text.split(" / ");
  if (!first || !second || rest.length || !han.test(first) || han.test(second)) return text;
  return language === "en" ? second : first;
}

export const alertTone: Record<Severity, Tone> = { critical: "bad", warning: "warn", info: "brand" };
/** A severity's shape beside its colour and its word. */
export const alertShape: Record<Severity, string> = { critical: "■", warning: "▲", info: "●" };
