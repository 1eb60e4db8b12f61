/** Rows under the heads of their groups: which line of a grid is a head and which is the how-manieth row of the list. */

import { shallowReactive, shallowRef, type ShallowRef } from "vue";
import { get } from "@/api/client";
import { asProblem, type Problem } from "@/api/problem";

export interface Figures {
  count: number;
  /** What a column comes to; null where its rows have no figure, or several units (then it is named in `mixed`). */
  sums: Record<string, string | null>;
  mixed: string[];
}

export interface Group extends Figures {
  values: Record<string, unknown>;
}

export interface GroupsAnswer {
  by: string[];
  sums: string[];
  groups: Group[];
  /** False: there are more groups than the server tells at once. */
  complete: boolean;
  total: Figures;
}

export type Line = { head: Group; at: number } | { row: number };

/** Groups in the list's own order, each with the place of its first row; closed ones show their head alone. */
export class GroupLines {
  /** Line number of each head, and the number of the first row of its group. */
  private readonly heads: number[] = [];
  private readonly firsts: number[] = [];
  readonly count: number;

  constructor(
    readonly groups: Group[],
    readonly closed: ReadonlySet<number>,
  ) {
    let line = 0;
    let row = 0;
    groups.forEach((group, at) => {
      this.heads.push(line);
      this.firsts.push(row);
      line += 1 + (closed.has(at) ? 0 : group.count);
      row += group.count;
    });
    this.count = line;
  }

  lineAt(line: number): Line {
    const at = this.groupOf(line);
    const under = line - this.heads[at];
    return under === 0 ? { head: this.groups[at], at } : { row: this.firsts[at] + under - 1 };
  }

  /** The line a row stands on, or of the head it is folded under. */
  lineOf(row: number): number {
    let at = 0;
    for (let low = 0, high = this.firsts.length - 1; low <= high; ) {
      const middle = (low + high) >> 1;
      if (this.firsts[middle] <= row) {
        at = middle;
        low = middle + 1;
      } else high = middle - 1;
    }
    return this.closed.has(at) ? this.heads[at] : this.heads[at] + 1 + row - this.firsts[at];
  }

  private groupOf(line: number): number {
    let low = 0;
    let high = this.heads.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.heads[middle] <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

export interface Grouping {
  answer: ShallowRef<GroupsAnswer | null>;
  problem: ShallowRef<Problem | null>;
  closed: Set<number>;
  load(path: string, query: Record<string, string | undefined>): Promise<void>;
  toggle(at: number): void;
  all(close: boolean): void;
}

/** The groups and the total row of a list, read with each query. An answer of an older query is thrown away. */
export function makeGrouping(): Grouping {
  const answer = shallowRef<GroupsAnswer | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const closed = shallowReactive(new Set<number>());
  let running: AbortController | null = null;
  let shownBy = "";
  return {
    answer,
    problem,
    closed,
    async load(path, query) {
      running?.abort();
      const control = (running = new AbortController());
      try {
        const found = await get<GroupsAnswer>(path, query, control.signal);
        if (found.by.join() !== shownBy) closed.clear();
        shownBy = found.by.join();
        answer.value = found;
        problem.value = null;
      } catch (error) {
        if (!control.signal.aborted) problem.value = asProblem(error);
      }
    },
    toggle(at) {
      if (!closed.delete(at)) closed.add(at);
    },
    all(close) {
      closed.clear();
      if (close) answer.value?.groups.forEach((_, at) => closed.add(at));
    },
  };
}
