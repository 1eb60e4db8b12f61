/** Rows that do not jump under the hand: they change in place; another order, new and gone rows wait for the "n updates" pill. */

import { computed, shallowRef, watch, type ComputedRef } from "vue";
import type { Named } from "./useLoaded";

export interface Arranged<T> {
  rows: T[];
  /** Rows that the server does not list any more, still in their place. */
  gone: Set<string>;
  /** How many rows are new, gone, or stand elsewhere now. */
  pending: number;
}

/** The most ids that stand in the same order in both lists: all others have moved. */
function inOrder(places: number[]): number {
  const ends: number[] = [];
  for (const place of places) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] < place) low = middle + 1;
      else high = middle;
    }
    ends[low] = place;
  }
  return ends.length;
}

/** What is shown stays where it is, with the newest content; what else the answer says is counted. */
export function arrange<T extends Named>(shown: T[], next: T[]): Arranged<T> {
  const place = new Map(next.map((row, index) => [row.id, index]));
  const gone = new Set(shown.filter((row) => !place.has(row.id)).map((row) => row.id));
  const stays = shown.filter((row) => place.has(row.id)).map((row) => place.get(row.id) as number);
  const rows = shown.map((row) => (gone.has(row.id) ? row : next[place.get(row.id) as number]));
  const moved = stays.length - inOrder(stays);
  return { rows, gone, pending: next.length - stays.length + gone.size + moved };
}

export interface Steady<T> {
  rows: ComputedRef<T[]>;
  gone: ComputedRef<Set<string>>;
  pending: ComputedRef<number>;
  /** Show the list as it is now. */
  settle: () => void;
}

/**
 * `source`: the rows as the server sorts them; null while there are none yet. `held`: somebody's pointer or focus is in the
 * list; while it is not, every answer is shown as it comes. `of`: what the list is about (its query): another list starts afresh.
 */
export function useSteady<T extends Named>(source: () => T[] | null, held: () => boolean, of: () => unknown = () => null): Steady<T> {
  const shown = shallowRef<Arranged<T>>({ rows: [], gone: new Set(), pending: 0 });
  const settle = () => (shown.value = { rows: source() ?? [], gone: new Set(), pending: 0 });
  let known = false;
  watch(of, () => (known = false), { flush: "sync" });
  watch(
    source,
    (next) => {
      if (!known || !next || !held()) settle();
      else shown.value = arrange(shown.value.rows, next);
      known = next !== null;
    },
    { immediate: true },
  );
  watch(held, (now) => !now && settle());
  return { rows: computed(() => shown.value.rows), gone: computed(() => shown.value.gone), pending: computed(() => shown.value.pending), settle };
}
