/**
 * The words of the screens, in sets, so that a terminal does not carry those of the desk. Chinese is the source; a key that one
 * language lacks does not compile or fails the word test.
 */

import { createI18n } from "vue-i18n";
import type { App } from "vue";
import type desk from "./desk.zh.json";
import type screens from "./screens.zh.json";
import type zh from "./zh.json";

export type Language = "zh-CN" | "en";

type Leaf<T, Prefix extends string = ""> = {
  [K in keyof T & string]: T[K] extends string ? `${Prefix}${K}` : Leaf<T[K], `${Prefix}${K}.`>;
}[keyof T & string];

/** Every key of the Chinese files, as `feature.word`. */
export type WordKey = Leaf<typeof zh> | Leaf<typeof desk> | Leaf<typeof screens>;
/** What every app says; what only the office's pages say; what the manager's screens say. */
export type WordSet = "base" | "desk" | "screens";
export type Facts = Record<string, string | number>;

const i18n = createI18n({ legacy: false, locale: "zh-CN", fallbackLocale: "zh-CN", missingWarn: false, fallbackWarn: false, messages: {} });
const global = i18n.global as unknown as {
  locale: { value: string };
  t: (key: string, facts?: Facts) => string;
  te: (key: string) => boolean;
  mergeLocaleMessage: (language: string, words: object) => void;
};

const files: Record<WordSet, Record<Language, () => Promise<{ default: object }>>> = {
  base: { "zh-CN": () => import("./zh.json"), en: () => import("./en.json") },
  desk: { "zh-CN": () => import("./desk.zh.json"), en: () => import("./desk.en.json") },
  screens: { "zh-CN": () => import("./screens.zh.json"), en: () => import("./screens.en.json") },
};
const wanted = new Set<WordSet>(["base"]);
const loaded = new Set<string>();

/** Fetch what is wanted of a language and not here yet. */
async function fetchWords(language: Language): Promise<void> {
  await Promise.all(
    [...wanted].map(async (set) => {
      const name = `${language}/${set}`;
      if (loaded.has(name)) return;
      const words = (await files[set][language]()).default;
      global.mergeLocaleMessage(language, words);
      loaded.add(name);
    }),
  );
}

/** An app's start says what it needs from the first page on. */
export function needWords(...sets: WordSet[]): void {
  for (const set of sets) wanted.add(set);
}

/** A lazy page together with the words it alone needs. */
export async function withWords<T>(set: WordSet, page: () => Promise<T>): Promise<T> {
  wanted.add(set);
  const [made] = await Promise.all([page(), fetchWords(asLanguage(language()))]);
  return made;
}

export function asLanguage(text: string | null | undefined): Language {
  return text?.toLowerCase().startsWith("en") ? "en" : "zh-CN";
}

/** Load and show a language; only the one in use is fetched. */
export async function speak(language: Language): Promise<void> {
  await fetchWords(language);
  global.locale.value = language;
  if (typeof document !== "undefined") document.documentElement.lang = language;
}

export function installWords(app: App): void {
  app.use(i18n);
}

/** Say a word of the catalogue in the language in use (reactive inside templates and computed values). */
export function say(key: WordKey, facts: Facts = {}): string {
  return global.t(key, facts);
}

/** For keys put together at run time (states, types): the word, or the fallback when there is none. */
export function sayIf(key: string, fallback: string, facts: Facts = {}): string {
  return global.te(key) ? global.t(key, facts) : fallback;
}

export function language(): Language {
  return global.locale.value as Language;
}
