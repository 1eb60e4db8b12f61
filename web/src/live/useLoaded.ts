/** One answer of the server on a page: fetched, kept fresh by news, changed in place with a short tint. */

import { computed, onScopeDispose, ref, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";
import { get, type Query } from "@/api/client";
import { asProblem, type Problem } from "@/api/problem";
import { useLive } from "./useLive";

export interface Named {
  id: string;
}

export interface Loaded<T> {
  data: ShallowRef<T | null>;
  problem: Ref<Problem | null>;
  /** True until the first answer is there. */
  waiting: ComputedRef<boolean>;
  /** Rows that are new or other than a second ago. */
  tinted: Ref<Set<string>>;
  reload: () => Promise<void>;
}

export interface LoadedOptions<T> {
  /** News after which the answer is read again; may depend on what was answered. */
  topics?: string[] | ((data: T | null) => string[]);
  query?: MaybeRefOrGetter<Query>;
  /** The rows of an answer whose changes are tinted. */
  rows?: (data: T) => Named[];
  /** Bursts are gathered: read at most this often (ms). */
  every?: number;
}

const tintMs = 1000;

/** Ids of rows that were not there before, or not like this. The first answer is no news. */
export function changedRows(before: Named[] | null, after: Named[]): string[] {
  if (!before) return [];
  const old = new Map(before.map((row) => [row.id, JSON.stringify(row)]));
  return after.filter((row) => old.get(row.id) !== JSON.stringify(row)).map((row) => row.id);
}

export function useLoaded<T>(path: MaybeRefOrGetter<string | null>, options: LoadedOptions<T> = {}): Loaded<T> {
  const data = shallowRef<T | null>(null);
  const problem = ref<Problem | null>(null);
  const tinted = ref(new Set<string>());
  let running: AbortController | null = null;
  let again = false;

  function tint(ids: string[]): void {
    if (!ids.length) return;
    tinted.value = new Set([...tinted.value, ...ids]);
    setTimeout(() => (tinted.value = new Set([...tinted.value].filter((id) => !ids.includes(id)))), tintMs);
  }

  async function read(where: string, control: AbortController): Promise<void> {
    try {
      const answer = await get<T>(where, toValue(options.query), control.signal);
      if (control.signal.aborted) return;
      const before = data.value;
      data.value = answer;
      problem.value = null;
      if (options.rows) tint(changedRows(before && options.rows(before), options.rows(answer)));
    } catch (error) {
      if (!control.signal.aborted) problem.value = asProblem(error);
    }
  }

  /** News that comes while an answer is on its way is answered by one more reading. */
  async function reload(): Promise<void> {
    const where = toValue(path);
    if (!where) return;
    if (running) return void (again = true);
    const control = (running = new AbortController());
    do {
      again = false;
      await read(where, control);
    } while (again && !control.signal.aborted);
    if (running === control) running = null;
  }

  watch(
    () => [toValue(path), JSON.stringify(toValue(options.query) ?? {})].join(" "),
    () => {
      running?.abort();
      running = null;
      data.value = null;
      problem.value = null;
      void reload();
    },
    { immediate: true },
  );
  const topics = () => (typeof options.topics === "function" ? options.topics(data.value) : (options.topics ?? []));
  useLive(topics, () => void reload(), { every: options.every ?? 250 });
  onScopeDispose(() => running?.abort());

  return { data, problem, waiting: computed(() => data.value === null && problem.value === null), tinted, reload };
}
