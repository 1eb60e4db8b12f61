/** Documents opened lately on this device, and how well a text fits what was typed. */

import { ref } from "vue";
import { keep, recall } from "./preferences";

export interface RecentDocument {
  to: string;
  room: string;
  title: string;
  text: string;
}

const key = "lianzao.recent";
const kept = 12;
export const recentDocuments = ref<RecentDocument[]>(typeof localStorage === "undefined" ? [] : recall(key, []));

export function remember(document: RecentDocument): void {
  recentDocuments.value = [document, ...recentDocuments.value.filter((one) => one.to !== document.to)].slice(0, kept);
  keep(key, recentDocuments.value);
}

/** 0: does not fit; larger: better. All words must occur, or the letters in order. */
export function rank(text: string, wanted: string): number {
  const hay = text.toLowerCase();
  const needle = wanted.toLowerCase();
  const at = hay.indexOf(needle);
  if (at >= 0) return 100 - Math.min(50, at);
  const words = needle.split(/\s+/).filter(Boolean);
  if (words.length > 1 && words.every((word) => hay.includes(word))) return 40;
  let from = 0;
  for (const letter of needle) {
    const next = hay.indexOf(letter, from);
    if (next < 0) return 0;
    from = next + 1;
  }
  return needle.length > 2 ? 10 : 0;
}
