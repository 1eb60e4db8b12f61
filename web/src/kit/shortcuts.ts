/**
 * Keys that are orders: one table, one listener. `useShortcuts([...])` in a component says which keys work while it
 * stands; the help (`?`) lists them all. No single key is an order while somebody writes, or while an input method
 * composes: then it is a letter on its way into a word.
 */

import { computed, getCurrentScope, onScopeDispose, shallowReactive } from "vue";
import { preferences } from "@/session/preferences";
import { say, type WordKey } from "@/words";

export interface Shortcut {
  /** As `KeyboardEvent.key`, with `Ctrl+` and `Shift+` before it: `j`, `Shift+X`, `Ctrl+Enter`, `?`. */
  keys: string[];
  word: WordKey;
  /** Under which heading the help shows it. */
  group: WordKey;
  /** Only then is the key an order; the help lists it all the same. */
  when?: () => boolean;
  /** Absent: a component listens for itself, and the help only tells of it. */
  run?: (event: KeyboardEvent) => void;
}

const table = shallowReactive(new Set<Shortcut[]>());

/** All that works on the page as it stands, by heading. */
export const shortcutsHere = computed(() => {
  const groups = new Map<WordKey, Shortcut[]>();
  for (const list of table) for (const one of list) if (!groups.get(one.group)?.some((other) => other.word === one.word)) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [...groups].map(([group, list]) => ({ group, list }));
});

export function useShortcuts(list: Shortcut[]): void {
  listen();
  table.add(list);
  if (getCurrentScope()) onScopeDispose(() => table.delete(list));
}

/** Whether a key is being typed into something: a field, or an input method that is not yet done with it. */
export function isTyping(event: Pick<KeyboardEvent, "isComposing" | "keyCode" | "target">): boolean {
  if (event.isComposing || event.keyCode === 229) return true;
  const target = event.target as HTMLElement | null;
  return Boolean(target?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]"));
}

/** `Ctrl+Enter`, `Shift+X`, `j`: Ctrl and ⌘ are one; Shift is told only with letters and named keys. */
export function keyOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">): string {
  const letter = /^[a-z]$/i.test(event.key);
  const shift = event.shiftKey && (letter || event.key.length > 1);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${letter ? (shift ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key}`;
}

/** The shortcut an event is, in a table; single keys only where the person wants them. */
export function findShortcut(lists: Iterable<Shortcut[]>, event: KeyboardEvent, wanted: boolean): Shortcut | null {
  if (isTyping(event)) return null;
  const key = keyOf(event);
  if (!wanted && !key.startsWith("Ctrl+")) return null;
  let found: Shortcut | null = null; // what was added last stands before: a drawer's keys over its page's
  for (const list of lists) for (const one of list) if (one.run && one.keys.includes(key) && (!one.when || one.when())) found = one;
  return found;
}

/** Whether a dialog or drawer is open; one that is on its way out has nothing to say any more. */
export function modalOpen(): boolean {
  return [...document.querySelectorAll("[role=dialog][aria-modal=true]")].some((panel) => !panel.parentElement?.matches(".slide-leave-active, .pop-leave-active"));
}

let listening = false;
function listen(): void {
  if (listening || typeof document === "undefined") return;
  listening = true;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    // An open dialog is a page of its own; its fields and buttons have the keys.
    if (modalOpen() && !(event.target as HTMLElement).closest("[role=dialog]")) return;
    const found = findShortcut(table, event, preferences.shortcuts);
    if (!found?.run) return;
    event.preventDefault();
    found.run(event);
  });
}

const mac = typeof navigator !== "undefined" && /Mac/.test(navigator.platform);
/** A key as people read it: `Ctrl+Enter` → `Ctrl Enter`, on a Mac `⌘ ↵`. */
export const keyText = (key: string): string =>
  key
    .replace("Ctrl+", mac ? "⌘ " : "Ctrl ")
    .replace("Shift+", "Shift ")
    .replace(/(^|[ +])([a-z])$/, (_, before: string, letter: string) => before + letter.toUpperCase())
    .replace("ArrowDown", "↓")
    .replace("ArrowUp", "↑")
    .replace("ArrowLeft", "←")
    .replace("ArrowRight", "→");

/** A tooltip with its key, as long as the person wants keys. */
export const withKey = (text: string, key: string): string => (preferences.shortcuts || key.startsWith("Ctrl+") ? `${text} (${keyText(key)})` : text);
/** What is said of a shortcut. */
export const shortcutText = (one: Shortcut): string => say(one.word);
