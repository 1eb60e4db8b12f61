/** What a person really changed: only that is sent, and an emptied field is sent as null. */

import type { FieldMeta, Row } from "@/api/types";
import { outgoing, type Values } from "@/kit/form/coerce";

export function changed(fields: FieldMeta[], before: Row, after: Values): Values {
  const body: Values = {};
  for (const field of fields) {
    const old = outgoing(field, before[field.name]);
    const now = after[field.name];
    if (same(field, old, now)) continue;
    body[field.name] = now === undefined ? emptyOf(field) : now;
  }
  return body;
}

/** `12.500000` from the server and `12.5` from the form are one number. */
function same(field: FieldMeta, old: unknown, now: unknown): boolean {
  if (old === undefined || now === undefined) return old === now || (field.type === "boolean" && !old && !now);
  if (["decimal", "money", "quantity"].includes(field.type)) return plain(old) === plain(now);
  return JSON.stringify(old) === JSON.stringify(now);
}

const plain = (value: unknown) => String(value).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

/** Text columns are never null in this house: their empty value is the empty text. */
const emptyOf = (field: FieldMeta): unknown => (field.type === "text" ? "" : field.type === "list" ? [] : null);
