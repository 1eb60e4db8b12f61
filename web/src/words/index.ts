/** The words of the screens. Chinese is the source; a key that one language lacks does not compile or fails the word test. */

import { createI18n } from "vue-i18n";
import type { App } from "vue";
import type screens from "./screens.zh.json";
import type zh from "./zh.json";

export type Language = "zh-CN" | "en";

type Leaf<T, Prefix extends string = ""> = {
  [K in keyof T & string]: T[K] extends string ? `${Prefix}${K}` : Leaf<T[K], `${Prefix}${K}.`>;
}[keyof T & string];

/** Every key of zh.json and of the parts, as `feature.word`. */
export type WordKey = Leaf<typeof zh> | Leaf<typeof screens>;
export type Facts = Record<string, string | number>;

const i18n = createI18n({ legacy: false, locale: "zh-CN", fallbackLocale: "zh-CN", missingWarn: false, fallbackWarn: false, messages: {} });
const global = i18n.global as unknown as {
  locale: { value: string };
  t: (key: string, facts?: Facts) => string;
  te: (key: string) => boolean;
  setLocaleMessage: (language: string, words: object) => void;
  mergeLocaleMessage: (language: string, words: object) => void;
};

const files: Record<Language, () => Promise<{ default: object }>> = {
  "zh-CN": () => import("./zh.json"),
  en: () => import("./en.json"),
};
const loaded = new Set<Language>();

/** Words of pages that few people open: fetched with those pages, so that a terminal does not carry them. */
const parts = {
  screens: { "zh-CN": () => import("./screens.zh.json"), en: () => import("./screens.en.json") },
} satisfies Record<string, Record<Language, () => Promise<{ default: object }>>>;
export type WordPart = keyof typeof parts;
const wanted = new Set<WordPart>();
const loadedParts = new Set<string>();

async function loadPart(part: WordPart, language: Language): Promise<void> {
  const name = `${part} ${language}`;
  if (loadedParts.has(name)) return;
  global.mergeLocaleMessage(language, (await parts[part][language]()).default);
  loadedParts.add(name);
}

/** Fetch a part's words in the language in use; from then on they come with every other language too. */
export async function speakAlso(part: WordPart): Promise<void> {
  wanted.add(part);
  await loadPart(part, global.locale.value as Language);
}

export function asLanguage(text: string | null | undefined): Language {
  return text?.toLowerCase().startsWith("en") ? "en" : "zh-CN";
}

/** Load and show a language; only the one in use is fetched. */
export async function speak(language: Language): Promise<void> {
  if (!loaded.has(language)) {
    global.setLocaleMessage(language, (await files[language]()).default);
    loaded.add(language);
  }
  await Promise.all([...wanted].map((part) => loadPart(part, language)));
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
