/** What stands where, what waits for a shelf, and counts, as the server tells them (GET /api/overviews/stock, put_away, places, counts, count). */

import { useLoaded, type Loaded } from "@/live/useLoaded";
import { useSession } from "@/session/session";
import type { Told, ToldItem } from "@/session/told";

export interface Place extends Told {
  /** Why goods would be put there: same_lot, home, same_item, before, empty. */
  why: string;
  there: string;
}

export interface Pile {
  id: string;
  item: ToldItem;
  tracking: string;
  lot: { id: string; number: string; status: string; reason: string } | null;
  location: Told & { kind: string };
  expires_on: string | null;
  quantity: string;
  free: string;
  reserved: string;
  held: string;
  /** held, scrapped, quarantine or expired; empty when it may be used. */
  why_held: string;
  places?: Place[];
}

export interface StockAnswer {
  rows: Pile[];
  total: { quantity: string; free: string; reserved: string; held: string } | null;
}

export interface CountRow {
  id: string;
  number: string;
  status: string;
  location: Told | null;
  item: ToldItem | null;
  lines: number;
  left: number;
  differs: number;
  mine: boolean;
  booked_at: string | null;
}

export interface CountsAnswer {
  sheets: CountRow[];
  wishes: { location: Told; why: string; days: number | null; moves: number; piles: number }[];
}

export interface CountedLine {
  id: string;
  sequence: number;
  item: ToldItem;
  lot: string | null;
  location: Told;
  status: string;
  counted: string | null;
  counted_at: string | null;
  counter: string | null;
  reason: string;
  booked: string | null;
  difference: string | null;
  value: string | null;
}

export interface CountAnswer {
  id: string;
  number: string;
  status: string;
  location: Told | null;
  item: ToldItem | null;
  submitted_at: string | null;
  mine: boolean;
  lines: CountedLine[];
}

/** One thing a scanned code may mean. */
export interface Found {
  kind: string;
  id: string;
  number: string;
}

const moved = ["inventory.StockMoved", "inventory.LotHeld", "inventory.LotReleased", "inventory.StockReserved", "inventory.ReservationVoided"];

export function usePutAway(): Loaded<{ rows: Pile[] }> {
  const session = useSession();
  return useLoaded<{ rows: Pile[] }>(() => (session.site ? "/api/overviews/put_away" : null), { query: () => ({ site: session.site?.id ?? "" }), topics: moved, rows: (data) => data.rows });
}

/** Stock of what was asked for; nothing is asked while nothing is wanted. */
export function useStock(wanted: () => Record<string, string>): Loaded<StockAnswer> {
  const session = useSession();
  return useLoaded<StockAnswer>(() => (session.site && Object.values(wanted()).some(Boolean) ? "/api/overviews/stock" : null), {
    query: () => ({ site: session.site?.id ?? "", ...wanted() }),
    topics: moved,
    rows: (data) => data.rows,
  });
}

export function useCounts(): Loaded<CountsAnswer> {
  const session = useSession();
  return useLoaded<CountsAnswer>(() => (session.site ? "/api/overviews/counts" : null), {
    query: () => ({ site: session.site?.id ?? "" }),
    topics: ["inventory.CountOpened", "inventory.CountWaits", "inventory.CountBooked", "kind:inventory.count_sheet"],
    rows: (data) => data.sheets,
  });
}

export function useCount(id: () => string): Loaded<CountAnswer> {
  return useLoaded<CountAnswer>(() => `/api/overviews/count/${id()}`, { topics: () => [`count_sheet:${id()}`], rows: (data) => data.lines });
}

/** The line a scan means: by its lot, else by its item, those still to count first. */
export function lineOfScan(lines: CountedLine[], code: string): CountedLine | null {
  const open = (line: CountedLine) => line.status === "open" || line.status === "recount";
  const fits = (line: CountedLine) => line.lot === code || (line.lot === null && line.item.code === code) || line.item.code === code;
  return lines.find((line) => line.lot === code && open(line)) ?? lines.find((line) => fits(line) && open(line)) ?? lines.find((line) => line.lot === code) ?? null;
}

/** The next line to count after one, in the order of the walk; null when all are counted. */
export function nextLine(lines: CountedLine[], after: string | null): CountedLine | null {
  const at = lines.findIndex((line) => line.id === after);
  const walk = [...lines.slice(at + 1), ...lines.slice(0, at + 1)];
  return walk.find((line) => line.status === "open") ?? walk.find((line) => line.status === "recount") ?? null;
}

/** Tasks of one document in the order of the walk: by place. */
export function walk<T extends { source: Told; due_at: string | null; id: string }>(tasks: T[]): T[] {
  return [...tasks].sort((a, b) => a.source.code.localeCompare(b.source.code, "en", { numeric: true }) || a.id.localeCompare(b.id));
}

export interface PickGroup<T> {
  key: string;
  purpose: string;
  kind: string;
  due_at: string | null;
  tasks: T[];
}

/** Tasks by the document they are fetched for, the most urgent document first, each in the order of the walk. */
export function pickGroups<T extends { id: string; source: Told; due_at: string | null; purpose: string | null; purpose_kind: string; purpose_id: string }>(tasks: T[]): PickGroup<T>[] {
  const groups = new Map<string, PickGroup<T>>();
  for (const task of tasks) {
    const group = groups.get(task.purpose_id) ?? { key: task.purpose_id, purpose: task.purpose ?? "", kind: task.purpose_kind, due_at: null, tasks: [] };
    group.tasks.push(task);
    if (task.due_at && (!group.due_at || task.due_at < group.due_at)) group.due_at = task.due_at;
    groups.set(task.purpose_id, group);
  }
  return [...groups.values()]
    .map((group) => ({ ...group, tasks: walk(group.tasks) }))
    .sort((a, b) => (a.due_at ?? "9").localeCompare(b.due_at ?? "9") || a.purpose.localeCompare(b.purpose));
}
