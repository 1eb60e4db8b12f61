/** Between what people type and what the server takes. Decimals stay text all the way: no float ever touches a quantity. */

import type { FieldMeta } from "@/api/types";
import { plantToday } from "@/session/clock";

export type Values = Record<string, unknown>;

const fullWidth = /[\uff10-\uff19\uff0e\uff0d\uff0c]/g;

/** Typed digits as plain ASCII: full-width forms, thousands separators and blanks go. */
export function plainNumber(text: string): string {
  return text
    .replace(fullWidth, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replace(/[\s,_\u2009\u202f]/g, "")
    .replace(/^[\u2212\u2013]/, "-")
    .replace(/^(-?)\./, "$10.");
}

/** An amount as the server keeps it (six decimals) as people write it: `40.000000` → `40`. What somebody types stays. */
export const plainAmount = (text: string): string => (/^-?\d+\.\d{6}$/.test(text) ? text.replace(/\.?0+$/, "") : text);

/** The plant's today, as a date of the calendar. */
const plantDay = (): Date => new Date(`${plantToday()}T00:00`);

/** Dates as people type them: `2026-3-2`, `20260302`, `3-2` (this year), `+3` (days from today), `t` (today). Null: not a date. */
export function parseDate(text: string, today: Date = plantDay()): string | null {
  const clean = text.trim().replace(/[./\u5e74\u6708]/g, "-").replace(/\u65e5$/, "");
  if (/^(t|\u4eca\u5929|today)$/i.test(clean)) return isoDate(today);
  const shift = clean.match(/^([+-]\d{1,3})$/);
  if (shift) return isoDate(new Date(today.getFullYear(), today.getMonth(), today.getDate() + Number(shift[1])));
  const parts = clean.match(/^(?:(\d{4})-)?(\d{1,2})-(\d{1,2})$/) ?? clean.match(/^(\d{4})(\d{2})(\d{2})$/);
  if (!parts) return null;
  const year = parts[1] ? Number(parts[1]) : today.getFullYear();
  const [month, day] = [Number(parts[2]), Number(parts[3])];
  const made = new Date(year, month - 1, day);
  return made.getMonth() === month - 1 && made.getDate() === day ? isoDate(made) : null;
}

export function isoDate(at: Date): string {
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
}

/** `8`, `830`, `8:30`, `20:05` → `HH:MM`; null: not a time of day. */
export function parseTime(text: string): string | null {
  const clean = text.trim().replace(/[\uff1a.]/g, ":");
  const parts = clean.match(/^(\d{1,2}):(\d{2})$/) ?? clean.match(/^(\d{1,2})(\d{2})$/) ?? clean.match(/^(\d{1,2})$/);
  if (!parts) return null;
  const [hour, minute] = [Number(parts[1]), Number(parts[2] ?? 0)];
  return hour < 24 && minute < 60 ? `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}` : null;
}

/** Texts people write sentences into. */
export const isLong = (field: FieldMeta): boolean => field.type === "text" && /(^|_)(note|remark|description|reason|why|comment)s?$/.test(field.name);

export function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}

/** The word key of what is wrong with one value, or null. */
export function check(field: FieldMeta, value: unknown): "form.required" | "form.notNumber" | "form.notWhole" | "form.notDate" | "form.notTime" | "form.notJson" | null {
  if (isEmpty(value)) return field.required && field.type !== "boolean" ? "form.required" : null;
  switch (field.type) {
    case "integer":
      return /^-?\d+$/.test(String(value)) ? null : "form.notWhole";
    case "decimal":
    case "money":
    case "quantity":
    case "duration":
      return isNumberText(amountText(value)) ? null : "form.notNumber";
    case "date":
      return parseDate(String(value)) ? null : "form.notDate";
    case "instant":
      return Number.isNaN(new Date(String(value)).getTime()) ? "form.notDate" : null;
    case "time":
      return parseTime(String(value)) ? null : "form.notTime";
    case "json":
      return typeof value === "string" && !isJson(value) ? "form.notJson" : null;
    default:
      return null;
  }
}

const amountText = (value: unknown) => String(typeof value === "object" && value && "amount" in value ? (value as { amount: unknown }).amount : value);
const isNumberText = (text: string) => /^-?\d+(\.\d+)?$/.test(text);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Errors of a whole form by field path (`lines.0.quantity`); values are word keys. */
export function checkAll(fields: FieldMeta[], values: Values): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const value = values[field.name];
    const wrong = check(field, value);
    if (wrong) errors[field.name] = wrong;
    if (field.fields && field.type === "list" && Array.isArray(value)) {
      value.forEach((row, index) => {
        for (const [path, error] of Object.entries(checkAll(field.fields ?? [], row as Values))) errors[`${field.name}.${index}.${path}`] = error;
      });
    } else if (field.fields && field.type === "object" && value) {
      for (const [path, error] of Object.entries(checkAll(field.fields, value as Values))) errors[`${field.name}.${path}`] = error;
    }
  }
  return errors;
}

/** The value as the server takes it; undefined: leave it out. */
export function outgoing(field: FieldMeta, value: unknown): unknown {
  if (field.type === "list") return outgoingList(field, value);
  if (field.type === "boolean") return value === undefined ? undefined : Boolean(value);
  if (isEmpty(value)) return undefined;
  if (field.type === "ref") return typeof value === "object" ? (value as { id: string }).id : value;
  if (field.type === "reference") return { kind: (value as { kind?: string }).kind, id: (value as { id: string }).id };
  if (field.type === "integer") return Number(value);
  if (field.type === "object" && field.fields) return outgoingAll(field.fields, value as Values);
  if (field.type === "json") return typeof value === "string" ? (JSON.parse(value) as unknown) : value;
  if (field.type === "time") return parseTime(String(value)) ?? value;
  if (field.type === "date") return parseDate(String(value)) ?? value;
  return value;
}

function outgoingList(field: FieldMeta, value: unknown): unknown {
  if (!Array.isArray(value)) return field.required ? [] : undefined;
  if (field.fields) return value.filter((row) => !isBlankRow(row as Values)).map((row) => outgoingAll(field.fields ?? [], row as Values));
  return value.map((item) => (typeof item === "object" && item && "id" in item ? (item as { id: string }).id : item));
}

export function outgoingAll(fields: FieldMeta[], values: Values): Values {
  const body: Values = {};
  for (const field of fields) {
    const value = outgoing(field, values[field.name]);
    if (value !== undefined) body[field.name] = value;
  }
  return body;
}

export const isBlankRow = (row: Values): boolean => Object.values(row).every(isEmpty);

/** A form's first values: what is given, else the parameter's own default. */
export function startValues(fields: FieldMeta[], given: Values = {}): Values {
  const values: Values = {};
  for (const field of fields) {
    const value = given[field.name] ?? field.default;
    if (value !== undefined && value !== null) values[field.name] = value;
    else if (field.type === "list" && field.fields) values[field.name] = [{}];
  }
  return values;
}

/** Cells copied from a spreadsheet (tab-separated), as rows of texts. */
export function parseTable(text: string): string[][] {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => line.split("\t").map((cell) => cell.trim()));
}

/** A pasted text as the value of a field; choices are matched by title or value. */
export function incoming(field: FieldMeta, text: string): unknown {
  if (text === "") return undefined;
  switch (field.type) {
    case "integer":
    case "decimal":
    case "money":
    case "quantity":
      return plainNumber(text);
    case "date":
      return parseDate(text) ?? text;
    case "boolean":
      return /^(1|y|yes|true|\u662f|\u221a)$/i.test(text);
    case "choice":
      return field.choices?.find((choice) => choice.title === text || choice.value === text)?.value ?? text;
    default:
      return text;
  }
}
