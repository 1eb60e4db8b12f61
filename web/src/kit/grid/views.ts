/** Saved views of a list: filters, sorting and columns under a name, kept per person in this browser. */

import { ref, watch, type Ref } from "vue";
import { keep, recall } from "@/session/preferences";
import type { ColumnLayout } from "./columns";
import type { GridQuery } from "./query";

export interface SavedView {
  name: string;
  query: GridQuery;
  layout: ColumnLayout | null;
}

export interface GridMemory {
  layout: Ref<ColumnLayout | null>;
  views: Ref<SavedView[]>;
}

/** @param person whose habits these are. @param name which grid. */
export function gridMemory(person: string, name: string): GridMemory {
  const at = `lianzao.grid.${person}.${name}`;
  const layout = ref<ColumnLayout | null>(recall(`${at}.columns`, null));
  const views = ref<SavedView[]>(recall(`${at}.views`, []));
  watch(layout, (next) => keep(`${at}.columns`, next), { deep: true });
  watch(views, (next) => keep(`${at}.views`, next), { deep: true });
  return { layout, views };
}
