/** Saved views of a list: filters, sorting, groups and columns under a name, kept on the server; shared ones by role. */

import { ref, watch, type Ref } from "vue";
import { get, order } from "@/api/client";
import { asProblem } from "@/api/problem";
import { keep, recall } from "@/session/preferences";
import type { ColumnLayout } from "./columns";
import { emptyQuery, groupColumn, type GridQuery } from "./query";

export interface Recipe {
  q?: string;
  sort?: string;
  filters?: Record<string, string>;
  group?: string;
  layout?: ColumnLayout | null;
}

export interface SavedView {
  id: string;
  name: string;
  recipe: Recipe;
  own: boolean;
  owner: string;
  role: { id: string; name: string } | null;
}

interface Answer {
  rows: SavedView[];
  first: string | null;
  roles: { id: string; name: string }[];
}

export interface GridMemory {
  layout: Ref<ColumnLayout | null>;
  views: Ref<SavedView[]>;
  /** The view the list opens with. */
  first: Ref<string | null>;
  /** The roles a view may be shared with. */
  roles: Ref<{ id: string; name: string }[]>;
  load(): Promise<void>;
  save(name: string, recipe: Recipe, more: { id?: string; role?: string | null; first?: boolean }): Promise<string>;
  drop(id: string): Promise<void>;
  openWith(id: string | null): Promise<void>;
}

/** What of a query a view keeps. */
export const recipeOf = (query: GridQuery, layout: ColumnLayout | null): Recipe => ({
  q: query.q,
  sort: query.sort,
  filters: { ...query.filters },
  group: query.group ?? "",
  layout: layout ? (JSON.parse(JSON.stringify(layout)) as ColumnLayout) : null,
});

/** The query of a view for this person: what he may not ask for (a column shared by somebody who sees more) is left out. */
export function queryOf(view: SavedView, known: ReadonlySet<string>): GridQuery {
  const { recipe } = view;
  const query: GridQuery = { ...emptyQuery(), q: recipe.q ?? "", view: view.id };
  query.sort = (recipe.sort ?? "").split(",").filter((part) => known.has(part.replace(/^-/, ""))).join(",");
  for (const [name, value] of Object.entries(recipe.filters ?? {})) if (known.has(name.split("__")[0])) query.filters[name] = value;
  const group = (recipe.group ?? "").split(",").filter((name) => name && known.has(groupColumn(name)));
  if (group.length) query.group = group.join(",");
  return query;
}

interface Older {
  name: string;
  query: GridQuery;
  layout: ColumnLayout | null;
}

/** @param person whose habits these are. @param name which list, as the server knows it. */
export function gridMemory(person: string, name: string): GridMemory {
  const at = `lianzao.grid.${person}.${name}`;
  const layout = ref<ColumnLayout | null>(recall(`${at}.columns`, null));
  const views = ref<SavedView[]>([]);
  const first = ref<string | null>(null);
  const roles = ref<{ id: string; name: string }[]>([]);
  watch(layout, (next) => keep(`${at}.columns`, next), { deep: true });

  async function load(): Promise<void> {
    const answer = await get<Answer>(`/api/access/views/${name}`);
    views.value = answer.rows;
    first.value = answer.first;
    roles.value = answer.roles;
    await moveIn();
  }

  /** Views this browser alone knew until now go to the server; one whose name is taken there stays as it is there. */
  async function moveIn(): Promise<void> {
    const older = recall<Older[]>(`${at}.views`, []);
    if (!older.length) return;
    keep(`${at}.views`, []);
    for (const one of older) {
      try {
        await order("access.save_view", { list_name: name, name: one.name, recipe: recipeOf(one.query, one.layout) });
      } catch (error) {
        if (asProblem(error).code !== "already_taken") console.warn("an older view could not be kept", error);
      }
    }
    const answer = await get<Answer>(`/api/access/views/${name}`);
    views.value = answer.rows;
  }

  return {
    layout,
    views,
    first,
    roles,
    load,
    async save(title, recipe, more) {
      const body = { list_name: name, name: title, recipe, ...(more.id ? { view: more.id } : {}), ...(more.role ? { role: more.role } : {}), ...(more.first === undefined ? {} : { first: more.first }) };
      const answer = await order("access.save_view", body);
      await load();
      return String(answer.id);
    },
    async drop(id) {
      await order("access.drop_view", { view: id });
      await load();
    },
    async openWith(id) {
      await order("access.open_with", { list_name: name, ...(id ? { view: id } : {}) });
      first.value = id;
    },
  };
}
