/** An inspection as it is read: its characteristics, what was measured, and whether a value is within its limits. */

import type { RefValue, Row } from "@/api/types";
import { plainNumber } from "@/kit/form/coerce";

export interface Characteristic extends Row {
  sequence: number;
  name: string;
  name_en?: string;
  unit: string;
  target: string | null;
  lower: string | null;
  upper: string | null;
  mandatory: boolean;
  samples: number;
  method: string;
}

export interface Reading extends Row {
  characteristic: RefValue | string;
  sample: number;
  value: string | null;
  passed: boolean;
}

export type Verdict = "pass" | "fail" | null;

export const isMeasured = (one: Pick<Characteristic, "lower" | "upper">): boolean => one.lower !== null || one.upper !== null;

/** Within limits, outside, or (nothing typed, or no number) neither. */
export function judge(one: Pick<Characteristic, "lower" | "upper">, typed: string): Verdict {
  const text = plainNumber(typed.trim());
  if (!text || Number.isNaN(Number(text))) return null;
  const value = Number(text);
  if (one.lower !== null && value < Number(one.lower)) return "fail";
  return one.upper !== null && value > Number(one.upper) ? "fail" : "pass";
}

/** Where a value stands between the limits: 0 at the lower, 1 at the upper; outside beyond. Null without two limits. */
export function placeOf(one: Pick<Characteristic, "lower" | "upper">, typed: string): number | null {
  const text = plainNumber(typed.trim());
  if (!text || Number.isNaN(Number(text)) || one.lower === null || one.upper === null) return null;
  const width = Number(one.upper) - Number(one.lower);
  return width > 0 ? (Number(text) - Number(one.lower)) / width : null;
}

export const cellKey = (characteristic: string, sample: number): string => `${characteristic}.${sample}`;
const idOf = (value: RefValue | string): string => (typeof value === "string" ? value : value.id);

/** What was recorded, by cell: a number as text, or passed as yes/no. */
export function recorded(readings: Reading[]): Record<string, string> {
  return Object.fromEntries(readings.map((one) => [cellKey(idOf(one.characteristic), one.sample), one.value === null ? (one.passed ? "yes" : "no") : String(Number(one.value))]));
}

/** The body's rows for what was typed and is not recorded like that yet. */
export function toRecord(characteristics: Characteristic[], cells: Record<string, string>, before: Record<string, string>): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const one of characteristics)
    for (let sample = 1; sample <= Math.max(1, one.samples); sample += 1) {
      const key = cellKey(one.id, sample);
      const typed = (cells[key] ?? "").trim();
      if (!typed || typed === before[key]) continue;
      if (!isMeasured(one)) rows.push({ characteristic: one.id, sample, passed: typed === "yes" });
      else if (judge(one, typed) !== null) rows.push({ characteristic: one.id, sample, value: plainNumber(typed) });
    }
  return rows;
}

/** How far the inspection is: cells filled, cells wanted, cells that failed. */
export function tally(characteristics: Characteristic[], cells: Record<string, string>): { wanted: number; filled: number; failed: number } {
  let wanted = 0;
  let filled = 0;
  let failed = 0;
  for (const one of characteristics)
    for (let sample = 1; sample <= Math.max(1, one.samples); sample += 1) {
      const typed = cells[cellKey(one.id, sample)] ?? "";
      const verdict = isMeasured(one) ? judge(one, typed) : typed === "yes" ? "pass" : typed === "no" ? "fail" : null;
      if (one.mandatory) wanted += 1;
      if (verdict && one.mandatory) filled += 1;
      if (verdict === "fail") failed += 1;
    }
  return { wanted, filled, failed };
}
