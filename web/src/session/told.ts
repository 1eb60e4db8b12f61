/** Words made of figures and states that several rooms' pages share: how late, until when, in which state. */

import { useMeta } from "./meta";
import { instantParts } from "./format";
import { language, say, sayIf } from "@/words";

/** A master as overviews tell it. */
export interface Told {
  id: string;
  code: string;
  name: string;
}

export interface ToldItem extends Told {
  unit: string;
}

/** A master's own row of a generic list, which carries its name in both languages, as overviews would tell it. */
export function masterOf(row: Record<string, unknown> & { id: string }): Told {
  const names = language() === "en" ? [row.name_en, row.name] : [row.name, row.name_en];
  return { id: row.id, code: String(row.code ?? ""), name: String(names.find(Boolean) ?? "") };
}

/** A unit of a generic list as people write it behind a figure: in Chinese by its name, else by its code. */
export const unitOf = (unit: { code?: string; name?: string } | null | undefined): string => (language() === "en" ? unit?.code : unit?.name || unit?.code) ?? "";

/** The local day of an instant at the site; a day stays what it is. */
export function dayOf(value: string | null | undefined): string {
  if (!value) return "";
  if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return value;
  const parts = instantParts(new Date(value));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** Month and day, for lists of near dates; with the year when it is another one than now. */
export function shortDay(value: string | null | undefined, thisYear: string = instantParts(new Date()).year): string {
  const day = dayOf(value);
  return day.startsWith(`${thisYear}-`) ? day.slice(5) : day;
}

/** Whole days from one day to another; negative when the second is earlier. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${dayOf(to)}T00:00:00Z`) - Date.parse(`${dayOf(from)}T00:00:00Z`)) / 86_400_000);
}

/** `晚 2 天`, `晚 6 小时`: in days from one day on, in hours below, in minutes below one hour. Nothing at zero. */
export function lateText(minutes: number | null | undefined): string {
  if (!minutes || minutes <= 0) return "";
  if (minutes >= 1440) return say("late.days", { count: Math.floor(minutes / 1440) });
  if (minutes >= 60) return say("late.hours", { count: Math.floor(minutes / 60) });
  return say("late.minutes", { count: Math.round(minutes) });
}

/** How many days a line comes after its promise (or wish); 0 when in time or unknown. */
export function daysLate(line: { promised_on?: string | null; requested_on?: string | null; projected_at?: string | null }): number {
  const due = line.promised_on ?? line.requested_on;
  if (!due || !line.projected_at) return 0;
  return Math.max(0, daysBetween(due, line.projected_at));
}

/** The word for a choice (status, action, point …) of a kind, from the server's own words; else from ours. */
export function useChoice(): (kind: string, field: string, value: string | null | undefined) => string {
  const meta = useMeta();
  return (kind, field, value) => {
    if (!value) return "";
    const column = meta.resource(kind)?.columns.find((one) => one.name === field);
    return column?.choices?.find((choice) => choice.value === value)?.title ?? sayIf(`choice.${field}.${value}`, sayIf(`state.${value}`, value));
  };
}

export const nameOf = (told: Told | null | undefined): string => told?.name || told?.code || "";
/** `STEEL 钢板`: code and name, once when they are the same. */
export const fullName = (told: Told | null | undefined): string => (!told ? "" : told.name && told.name !== told.code ? `${told.code} ${told.name}` : told.code);
