/** Numbers, dates and instants as people of the language in use read them. Instants are shown in the zone of the site. */

import { isRef, refLabel, type FieldMeta } from "@/api/types";
import { language, say } from "@/words";

let zone: string | undefined;

/** The time zone of the site in use (IANA name); undefined: the browser's. */
export function showZone(name: string | undefined): void {
  zone = name;
}

/** The zone days are reckoned in. */
export const zoneName = (): string => zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: () => T): T {
  const full = `${language()}|${zone}|${key}`;
  if (!formats.has(full)) formats.set(full, make());
  return formats.get(full) as T;
}

/** A decimal as text or number. `decimals` is the most shown (stored zeros at the end are dropped), `least` the fewest. */
export function number(value: unknown, decimals?: number | null, least = 0): string {
  if (value === null || value === undefined || value === "") return "";
  const amount = Number(value);
  if (Number.isNaN(amount)) return String(value);
  const most = Math.max(least, decimals ?? 6);
  return cached(`n${least}-${most}`, () => new Intl.NumberFormat(language(), { minimumFractionDigits: least, maximumFractionDigits: most })).format(amount);
}

/** A quantity `{amount, unit}` or plain amount, with its unit behind a thin space. */
export function quantity(value: unknown, unit?: string | null, decimals?: number | null): string {
  const [amount, own] = amountOf(value);
  const shown = number(amount, decimals);
  return shown && (own ?? unit) ? `${shown} ${own ?? unit}` : shown;
}

/** Splits `{amount, unit}` / `{amount, currency}` / plain values into amount and unit. */
export function amountOf(value: unknown): [unknown, string | undefined] {
  if (typeof value === "object" && value !== null && "amount" in value) {
    const pair = value as { amount: unknown; unit?: string; currency?: string };
    return [pair.amount, pair.unit ?? pair.currency];
  }
  return [value, undefined];
}

const dateParts: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };

/** A local date, `2026-03-02`, in every language: factories read it without doubt. */
export function date(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 10) : "";
}

/** An instant as `2026-03-02 08:05`; within this year without the year. */
export function instant(value: unknown, withYear = false): string {
  if (!value) return "";
  const at = new Date(String(value));
  if (Number.isNaN(at.getTime())) return String(value);
  const parts = instantParts(at);
  const thisYear = instantParts(new Date()).year === parts.year;
  const day = thisYear && !withYear ? `${parts.month}-${parts.day}` : `${parts.year}-${parts.month}-${parts.day}`;
  return `${day} ${parts.hour}:${parts.minute}`;
}

export function time(value: Date | string, seconds = false): string {
  const parts = instantParts(new Date(value));
  return seconds ? `${parts.hour}:${parts.minute}:${parts.second}` : `${parts.hour}:${parts.minute}`;
}

export function instantParts(at: Date): Record<"year" | "month" | "day" | "hour" | "minute" | "second", string> {
  const format = cached("parts", () => new Intl.DateTimeFormat("en-CA", { ...dateParts, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone }));
  return Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value])) as ReturnType<typeof instantParts>;
}

export function weekday(at: Date): string {
  return cached("weekday", () => new Intl.DateTimeFormat(language(), { weekday: "short", timeZone: zone })).format(at);
}

export function longDate(at: Date): string {
  return cached("long", () => new Intl.DateTimeFormat(language(), { month: "long", day: "numeric", weekday: "long", timeZone: zone })).format(at);
}

/** How long ago or ahead, in the coarsest fitting unit: `12 分钟前`. */
export function ago(value: string | Date, now: Date = new Date()): string {
  const seconds = Math.round((new Date(value).getTime() - now.getTime()) / 1000);
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  for (const [unit, size] of steps) if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  return relative.format(Math.trunc(seconds), "second");
}

/** A duration in seconds (or ISO 8601 `PT1H30M`) as `1 h 30 min`. */
export function duration(value: unknown): string {
  if (value === null || value === undefined || value === "") return "";
  const seconds = typeof value === "string" ? durationSeconds(value) : Number(value);
  if (Number.isNaN(seconds)) return String(value);
  const hours = Math.floor(Math.abs(seconds) / 3600);
  const minutes = Math.floor((Math.abs(seconds) % 3600) / 60);
  const sign = seconds < 0 ? "−" : "";
  if (!hours && !minutes) return `${sign}${Math.round(Math.abs(seconds))} ${say("unit.second")}`;
  return sign + [hours ? `${hours} ${say("unit.hour")}` : "", minutes ? `${minutes} ${say("unit.minute")}` : ""].filter(Boolean).join(" ");
}

export function durationSeconds(text: string): number {
  const iso = text.match(/^(-)?P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/);
  if (!iso) return Number(text);
  const [, sign, days = 0, hours = 0, minutes = 0, seconds = 0] = iso;
  return (sign ? -1 : 1) * (Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
}

/** Names of records that travel as bare ids (sites): told once by the session. */
const knownNames = new Map<string, string>();

export function knowNames(names: Iterable<readonly [string, string]>): void {
  for (const [id, name] of names) knownNames.set(id, name);
}

export const knownName = (id: unknown): string | undefined => (typeof id === "string" ? knownNames.get(id) : undefined);

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Any cell of a resource as text: what tables show, copy and search. */
export function cellText(field: Pick<FieldMeta, "type" | "choices" | "decimals">, value: unknown): string {
  if (value === null || value === undefined || value === "") return "";
  switch (field.type) {
    case "integer":
    case "decimal":
      return number(value, field.decimals);
    case "money":
      return number(amountOf(value)[0], field.decimals, 2);
    case "quantity":
      return typeof value === "object" ? quantity(value, null, field.decimals) : number(value, field.decimals);
    case "date":
      return date(value);
    case "instant":
      return instant(value);
    case "duration":
      return duration(value);
    case "time":
      return String(value).slice(0, 5);
    case "boolean":
      return say(value ? "common.yes" : "common.no");
    case "choice":
      return field.choices?.find((choice) => choice.value === value)?.title ?? String(value);
    default:
      if (isRef(value)) return refLabel(value);
      if (Array.isArray(value)) return value.map((item) => (isRef(item) ? refLabel(item) : String(item))).join(", ");
      if (typeof value === "object") return JSON.stringify(value);
      return knownNames.get(String(value)) ?? (uuid.test(String(value)) ? String(value).slice(0, 8) : String(value));
  }
}

export const isNumeric = (type: string): boolean => ["integer", "decimal", "money", "quantity", "duration"].includes(type);
