/** What a grid asks the server for: search text, sorting, filters. Also its form in the page's address. */

import type { FieldMeta } from "@/api/types";

/** Filters by query name: `status` → `draft,confirmed`, `ordered_on__gte` → `2026-03-01`. */
export interface GridQuery {
  q: string;
  sort: string;
  filters: Record<string, string>;
  /** Columns to put rows together by, the outer first: `customer,status`, `due_at__week`. */
  group?: string;
  /** The saved view this looks through; columns come from it too. */
  view?: string;
}

export const emptyQuery = (): GridQuery => ({ q: "", sort: "", filters: {} });

/** Whether two queries ask for the same rows in the same order; the view's name does not matter. */
export const sameQuery = (a: GridQuery, b: GridQuery): boolean =>
  a.q === b.q && a.sort === b.sort && (a.group ?? "") === (b.group ?? "") && JSON.stringify(Object.entries(a.filters).sort()) === JSON.stringify(Object.entries(b.filters).sort());

export const groupsOf = (query: GridQuery): string[] => (query.group ?? "").split(",").filter(Boolean);

/** The columns' own names of the groups: `due_at__week` is of `due_at`. */
export const groupColumn = (name: string): string => name.split("__")[0];

/** Rows stand in the order of their groups first, within them as asked, or as the list stands by itself (`usual`). */
export function sortWithin(query: GridQuery, usual = ""): string {
  const groups = groupsOf(query).map(groupColumn);
  if (!groups.length) return query.sort;
  return [...groups, ...(query.sort || usual).split(",").filter((part) => part && !groups.includes(part.replace(/^-/, "")))].join(",");
}

/** The query from the page's address; names the grid does not know are left alone. */
export function fromAddress(params: Record<string, unknown>, known: ReadonlySet<string>): GridQuery {
  const query = emptyQuery();
  for (const [name, raw] of Object.entries(params)) {
    const value = Array.isArray(raw) ? String(raw[0] ?? "") : String(raw ?? "");
    if (!value) continue;
    if (name === "q") query.q = value;
    else if (name === "sort") query.sort = value;
    else if (name === "group") {
      const groups = value.split(",").filter((one) => known.has(groupColumn(one)));
      if (groups.length) query.group = groups.join(",");
    } else if (name === "view") query.view = value;
    else if (known.has(name.split("__")[0])) query.filters[name] = value;
  }
  return query;
}

export function toAddress(query: GridQuery): Record<string, string> {
  return { ...(query.q ? { q: query.q } : {}), ...(query.sort ? { sort: query.sort } : {}), ...(query.group ? { group: query.group } : {}), ...(query.view ? { view: query.view } : {}), ...query.filters };
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
