/** Short notes in the footer band: what was done, with a way back for six seconds. */

import { reactive } from "vue";
import { Problem } from "@/api/problem";
import { say, sayIf } from "@/words";

export interface Toast {
  id: number;
  tone: "good" | "bad" | "plain";
  text: string;
  /** Shown as a button (撤销); the toast goes when it is pressed. */
  undo?: () => void | Promise<void>;
  to?: string;
  toText?: string;
  until: number;
}

export const toasts = reactive<Toast[]>([]);
let next = 1;

function add(toast: Omit<Toast, "id" | "until">, seconds: number): number {
  const id = next++;
  toasts.push({ ...toast, id, until: Date.now() + seconds * 1000 });
  while (toasts.length > 3) toasts.shift();
  setTimeout(() => dismiss(id), seconds * 1000);
  return id;
}

export function dismiss(id: number): void {
  const index = toasts.findIndex((toast) => toast.id === id);
  if (index >= 0) toasts.splice(index, 1);
}

export const toast = {
  good: (text: string, more: Pick<Toast, "undo" | "to" | "toText"> = {}) => add({ tone: "good", text, ...more }, 6),
  plain: (text: string, more: Pick<Toast, "undo" | "to" | "toText"> = {}) => add({ tone: "plain", text, ...more }, 6),
  /** Bad news stays longer; a field error belongs beside its field, not here. */
  bad: (text: string) => add({ tone: "bad", text }, 12),
  problem: (problem: Problem) => add({ tone: "bad", text: problemText(problem) }, 12),
};

/** A problem in plain words: the server's sentence, else ours for its code. */
export function problemText(problem: Problem): string {
  if (problem.detail) return problem.detail;
  return sayIf(`problem.${problem.code}`, say("problem.unknown"));
}
