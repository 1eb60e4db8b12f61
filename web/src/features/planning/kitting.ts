/** Kits and shortages of the next fourteen days as the server tells them (GET /api/overviews/kitting). */

import type { State } from "@/kit/states";
import type { ToldItem } from "@/session/told";
import type { WordKey } from "@/words";
import type { Doc, Remedy } from "./plan";

export type KitState = "complete" | "coming" | "late" | "never";
/** From bad to good: what needs somebody stands first. */
export const kitStates: KitState[] = ["never", "late", "coming", "complete"];

export interface KitPart {
  item: ToldItem;
  quantity: string;
  in_stock: string;
  never: string;
  need_at: string;
  ready_at: string | null;
  state: KitState;
  supplies: { kind: string; id: string; number: string | null; quantity: string; ready_at: string }[];
}

export interface KitOrder {
  kind: string;
  id: string;
  number: string;
  status: string;
  item: ToldItem;
  quantity: string;
  due_at: string;
  start_at: string;
  finish_at: string;
  state: KitState;
  complete_at: string | null;
  parts: KitPart[];
}

export interface MissingItem {
  item: ToldItem;
  amounts: string[];
  causes: { quantity: string; need_at: string; ready_at: string | null; consumer: Doc | null; demand: Doc | null; supply: Doc | null }[];
}

export interface Kitting {
  orders: KitOrder[];
  states: Record<KitState, number>;
  remedies: Remedy[];
  days: string[];
  missing: MissingItem[];
  more: boolean;
}

export const kitWord = (state: KitState): WordKey => `kit.${state}`;
/** How the kit's state is drawn: shape and colour of the states every screen knows. */
export const kitShape: Record<KitState, State> = { complete: "done", coming: "ready", late: "setup", never: "down" };

/** The changes that are proposed for what an order's kit waits for. */
export function remediesOf(order: KitOrder, all: Remedy[]): Remedy[] {
  const ids = new Set(order.parts.flatMap((part) => part.supplies.map((supply) => supply.id)));
  return all.filter((remedy) => ids.has(remedy.subject_id));
}

/** How dark a day's cell is: the part of an item's worst day that is missing, in fifths (0 … 5). */
export function depth(amount: string, amounts: string[]): number {
  const worst = Math.max(...amounts.map(Number));
  return Number(amount) <= 0 || worst <= 0 ? 0 : Math.max(1, Math.ceil((Number(amount) / worst) * 5));
}

/** Whether the text names the order, its product or one of its parts. */
export function speaksOf(order: KitOrder, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return true;
  const words = [order.number, order.item.code, order.item.name, ...order.parts.flatMap((part) => [part.item.code, part.item.name])];
  return words.some((word) => word.toLowerCase().includes(wanted));
}
