/** Rows of a server list, fetched in pages as they come into view, kept while the query stays the same. */

import { reactive, shallowReactive } from "vue";
import { asProblem, type Problem } from "@/api/problem";
import type { Page, Row } from "@/api/types";

export const pageSize = 200;
/** Pages kept in memory: 20,000 rows; the farthest from view go first. */
const pagesKept = 100;

export type FetchPage = (offset: number, limit: number, signal: AbortSignal) => Promise<Page>;

interface PagingState {
  total: number;
  /** The first answer for the present query is there. */
  ready: boolean;
  loading: number;
  problem: Problem | null;
}

export class PagedRows {
  readonly state: PagingState = reactive({ total: 0, ready: false, loading: 0, problem: null });
  private readonly pages = shallowReactive(new Map<number, Row[]>());
  private readonly running = new Map<number, AbortController>();
  private generation = 0;

  constructor(
    private fetchPage: FetchPage,
    private readonly size: number = pageSize,
  ) {}

  /** A new query (or the same, read again): what is shown stays until the first answer replaces it. */
  async restart(fetchPage?: FetchPage): Promise<void> {
    if (fetchPage) this.fetchPage = fetchPage;
    this.generation += 1;
    for (const control of this.running.values()) control.abort();
    this.running.clear();
    this.state.problem = null;
    await this.load(0, true);
  }

  rowAt(index: number): Row | undefined {
    return this.pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  /** See to it that rows from `first` to `last` are there or on their way. */
  need(first: number, last: number): void {
    if (!this.state.ready || this.state.problem) return;
    const from = Math.floor(Math.max(0, first) / this.size);
    const until = Math.floor(Math.max(0, Math.min(last, this.state.total - 1)) / this.size);
    for (let page = from; page <= until; page += 1) if (!this.pages.has(page) && !this.running.has(page)) void this.load(page, false);
    this.forgetFarFrom(Math.floor((from + until) / 2));
  }

  indexOf(id: string): number {
    for (const [page, rows] of this.pages) {
      const at = rows.findIndex((row) => row.id === id);
      if (at >= 0) return page * this.size + at;
    }
    return -1;
  }

  /** Rows at hand, in order. */
  loaded(): Row[] {
    return [...this.pages.keys()].sort((a, b) => a - b).flatMap((page) => this.pages.get(page) ?? []);
  }

  /**
   * Read the pages that hold these rows again and put the new values in place: nothing moves under the cursor.
   * @returns the ids whose row really changed.
   */
  async refresh(ids: ReadonlySet<string>): Promise<string[]> {
    const generation = this.generation;
    const touched = [...this.pages].filter(([, rows]) => rows.some((row) => ids.has(row.id))).map(([page]) => page);
    const changed: string[] = [];
    for (const page of touched) {
      const answer = await this.fetchPage(page * this.size, this.size, new AbortController().signal);
      if (generation !== this.generation) return [];
      const fresh = new Map(answer.rows.map((row) => [row.id, row]));
      const next = (this.pages.get(page) ?? []).map((row) => {
        const now = fresh.get(row.id);
        if (!now || JSON.stringify(now) === JSON.stringify(row)) return row;
        changed.push(row.id);
        return now;
      });
      this.pages.set(page, next);
    }
    return changed;
  }

  private async load(page: number, first: boolean): Promise<void> {
    const generation = this.generation;
    const control = new AbortController();
    this.running.set(page, control);
    this.state.loading += 1;
    try {
      const answer = await this.fetchPage(page * this.size, this.size, control.signal);
      if (generation !== this.generation) return;
      if (first) this.pages.clear();
      this.pages.set(page, answer.rows);
      this.state.total = answer.total;
      this.state.ready = true;
    } catch (error) {
      if (generation === this.generation && !control.signal.aborted) this.state.problem = asProblem(error);
    } finally {
      this.state.loading -= 1;
      if (this.running.get(page) === control) this.running.delete(page);
    }
  }

  private forgetFarFrom(page: number): void {
    if (this.pages.size <= pagesKept) return;
    const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - page) - Math.abs(a - page));
    for (const key of far.slice(0, this.pages.size - pagesKept)) this.pages.delete(key);
  }
}
