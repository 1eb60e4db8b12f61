/** What a grid asks the server for: search text, sorting, filters. Also its form in the page's address. */

import type { FieldMeta } from "@/api/types";

/** Filters by query name: `status` → `draft,confirmed`, `ordered_on__gte` → `2026-03-01`. */
export interface GridQuery {
  q: string;
  sort: string;
  filters: Record<string, string>;
}

export const emptyQuery = (): GridQuery => ({ q: "", sort: "", filters: {} });

/** The query from the page's address; names the grid does not know are left alone. */
export function fromAddress(params: Record<string, unknown>, known: ReadonlySet<string>): GridQuery {
  const query = emptyQuery();
  for (const [name, raw] of Object.entries(params)) {
    const value = Array.isArray(raw) ? String(raw[0] ?? "") : String(raw ?? "");
    if (!value) continue;
    if (name === "q") query.q = value;
    else if (name === "sort") query.sort = value;
    else if (known.has(name.split("__")[0])) query.filters[name] = value;
  }
  return query;
}

export function toAddress(query: GridQuery): Record<string, string> {
  return { ...(query.q ? { q: query.q } : {}), ...(query.sort ? { sort: query.sort } : {}), ...query.filters };
}

/** The parts of one column's filter: exact value(s), lower and upper bound, emptiness. */
export interface ColumnFilter {
  exact: string;
  from: string;
  until: string;
  empty: string;
  contains: string;
}

export function filterOf(query: GridQuery, name: string): ColumnFilter {
  const f = query.filters;
  return { exact: f[name] ?? f[`${name}__in`] ?? "", from: f[`${name}__gte`] ?? "", until: f[`${name}__lte`] ?? "", empty: f[`${name}__isnull`] ?? "", contains: f[`${name}__contains`] ?? "" };
}

export function withFilter(query: GridQuery, name: string, filter: Partial<ColumnFilter>): GridQuery {
  const filters = Object.fromEntries(Object.entries(query.filters).filter(([key]) => key.split("__")[0] !== name));
  if (filter.exact) filters[name] = filter.exact;
  if (filter.from) filters[`${name}__gte`] = filter.from;
  if (filter.until) filters[`${name}__lte`] = filter.until;
  if (filter.empty) filters[`${name}__isnull`] = filter.empty;
  if (filter.contains) filters[`${name}__contains`] = filter.contains;
  return { ...query, filters };
}

export function filteredNames(query: GridQuery): string[] {
  return [...new Set(Object.keys(query.filters).map((key) => key.split("__")[0]))];
}

/** How a column is filtered. */
export function filterStyle(field: Pick<FieldMeta, "type">): "choice" | "ref" | "range" | "boolean" | "text" {
  if (field.type === "choice" || field.type === "ref" || field.type === "boolean") return field.type;
  return ["integer", "decimal", "money", "quantity", "duration", "date", "instant"].includes(field.type) ? "range" : "text";
}
