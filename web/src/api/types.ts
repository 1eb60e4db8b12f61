/** Shapes of the answers every room shares: /api/meta, lists, documents, the session. */

export type FieldType =
  | "text" | "integer" | "decimal" | "money" | "quantity" | "date" | "instant" | "boolean" | "choice" | "ref" | "object" | "list" | "json" | "duration" | "time" | "reference";

export interface Choice {
  value: string;
  title: string;
}

/** One column of a resource or one parameter of a command. */
export interface FieldMeta {
  name: string;
  title: string;
  type: FieldType;
  /** For `ref` (and lists of refs): the kind of entity meant, e.g. `catalog.item`. */
  kind?: string | null;
  choices?: Choice[] | null;
  unit?: string | null;
  help?: string | null;
  decimals?: number | null;
  required?: boolean;
  default?: unknown;
  /** For `object` and `list`: the fields of each row; absent for lists of plain values. */
  fields?: FieldMeta[] | null;
  sortable?: boolean;
  filterable?: boolean;
  writable?: boolean;
  /** False: a writable column that lists do not show. */
  listed?: boolean;
  max_length?: number;
  /** For `list`: what its items are. */
  of?: string;
}

export interface PartMeta {
  name: string;
  kind: string;
  title?: string;
  columns: FieldMeta[];
}

export interface ResourceMeta {
  room: string;
  entity: string;
  title: string;
  /** The plural as used on lists; in Chinese the same word. */
  titles?: string;
  /** The natural key column: `code` of masters, `number` of documents. */
  key: string;
  columns: FieldMeta[];
  filters: string[];
  search: string[] | boolean;
  sort: string;
  parts: PartMeta[];
  may: Partial<Record<"view" | "create" | "change" | "retire" | "export" | "import", boolean>>;
  approvable?: boolean;
}

export interface CommandMeta {
  room: string;
  name: string;
  title: string;
  help?: string;
  params: FieldMeta[];
  subject?: string | null;
  /** Offered by its own page only, never in lists of actions. */
  hidden?: boolean;
  /** May be kept at a terminal or phone while the network is away. */
  offline?: boolean;
  /** The states (by column) of the subject in which the command makes sense. */
  when?: Record<string, string[]>;
}

export interface Meta {
  language: string;
  resources: Record<string, ResourceMeta>;
  commands: Record<string, CommandMeta>;
  rooms: { name: string; title: string }[];
}

export interface RefValue {
  id: string;
  code?: string;
  number?: string;
  name?: string;
  kind?: string;
}

export type Row = Record<string, unknown> & { id: string };

export interface Page {
  rows: Row[];
  total: number;
  offset: number;
  limit: number;
}

export interface LinkedDocument {
  kind: string;
  id: string;
  number?: string;
  title?: string;
  name?: string;
  quantity?: string | null;
  depth?: number;
  why?: string;
  status?: string;
}

export interface DocumentAnswer {
  row: Row;
  parts: Record<string, Row[]>;
  links: { up: LinkedDocument[]; down: LinkedDocument[] };
  actions: string[];
}

/** One order in the history of a record: GET /api/foundation/history/<kind>/<id>. */
export interface HistoryEntry {
  order_id: string;
  command: string;
  title: string;
  actor: { kind: string; name: string; id?: string };
  at: string;
  why?: string;
  changes: { before?: Record<string, unknown>; after?: Record<string, unknown> }[];
}

/** One order of a cause chain: GET /api/foundation/story/<order id>. */
export interface StoryStep {
  order_id: string;
  command: string;
  title: string;
  actor: { kind: string; name: string };
  at: string;
  why?: string;
  depth: number;
  parent_id?: string | null;
  because: { event: string; title: string; facts?: Record<string, unknown> } | null;
  news: { event: string; title: string }[];
}

export interface Person {
  id: string;
  name: string;
  login?: string;
  language?: string;
  theme?: string;
}

export interface Site {
  id: string;
  code: string;
  name: string;
  /** IANA name: days and times of this site are shown in it. */
  time_zone?: string;
}

/** The terminal a browser is bound to. */
export interface Station {
  id: string;
  code: string;
  name: string;
  name_en?: string;
  site_id?: string;
  work_center_id?: string | null;
}

export interface Me {
  person: Person;
  roles: (string | { code: string; name: string })[];
  home: string;
  rights?: string[];
  sites?: Site[];
  site?: Site | string | null;
  partner?: { id: string; name: string } | null;
  station?: Station | null;
  must_change_password?: boolean;
  csrf?: string;
}

export interface ImportAnswer {
  rows: number;
  created: number;
  changed: number;
  unchanged: number;
  /** All errors; `errors` lists the first of them. */
  error_count?: number;
  /** The mapping used, also when the server guessed it. */
  mapping?: { fields?: Record<string, { column?: string }> };
  /** Headings that fit no field. */
  ignored?: string[];
  errors: { row: number; field?: string | null; code?: string; detail: string }[];
}

/** A reference as people name it: its number or code, then its name. */
export function refLabel(value: RefValue | null | undefined): string {
  if (!value) return "";
  const key = value.number ?? value.code ?? "";
  if (!value.name || value.name === key) return key || value.id.slice(0, 8);
  return key ? `${key} ${value.name}` : value.name;
}

/** A master's row as it is called in a language; references come from the server with the right name already. */
export function rowLabel(row: Row, language: string): string {
  const name = (language.startsWith("en") && row.name_en) || row.name;
  return refLabel({ ...row, name } as unknown as RefValue);
}

export function isRef(value: unknown): value is RefValue {
  return typeof value === "object" && value !== null && typeof (value as RefValue).id === "string";
}
