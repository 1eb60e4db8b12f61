/** Which rows of a grid are selected. Rows are known by id: paging and sorting keep the selection. */

import { computed, shallowRef, type ComputedRef } from "vue";

export interface Selection {
  ids: ComputedRef<ReadonlySet<string>>;
  has(id: string): boolean;
  toggle(id: string, index: number): void;
  /** Select everything between the last toggled row and this one. */
  extend(index: number, idAt: (index: number) => string | undefined): void;
  set(ids: Iterable<string>): void;
  clear(): void;
}

export function makeSelection(): Selection {
  const held = shallowRef<ReadonlySet<string>>(new Set());
  let anchor = -1;
  return {
    ids: computed(() => held.value),
    has: (id) => held.value.has(id),
    toggle(id, index) {
      const next = new Set(held.value);
      if (!next.delete(id)) next.add(id);
      held.value = next;
      anchor = index;
    },
    extend(index, idAt) {
      const next = new Set(held.value);
      const from = anchor < 0 ? index : anchor;
      for (let at = Math.min(from, index); at <= Math.max(from, index); at += 1) {
        const id = idAt(at);
        if (id) next.add(id);
      }
      held.value = next;
    },
    set: (ids) => (held.value = new Set(ids)),
    clear: () => (held.value = new Set()),
  };
}
