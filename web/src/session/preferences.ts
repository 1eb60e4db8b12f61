/** What one person prefers on this device: theme, density, language. Kept in the browser, applied to <html>. */

import { reactive, watch } from "vue";
import { asLanguage, speak, type Language } from "@/words";

export type Theme = "light" | "dark" | "system";
export type Density = "compact" | "office";

interface Preferences {
  theme: Theme;
  density: Density;
  language: Language;
  navCollapsed: boolean;
  /** Whether single keys (J, K, X …) are orders. */
  shortcuts: boolean;
}

const common = "lianzao.preferences";

/** Read a JSON value a person's browser keeps; unreadable or forbidden storage counts as empty. */
export function recall<T>(name: string, fallback: T): T {
  try {
    const text = localStorage.getItem(name);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch (error) {
    console.warn(`stored ${name} cannot be read`, error);
    return fallback;
  }
}

export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch (error) {
    console.warn(`${name} cannot be stored`, error);
  }
}

export const preferences = reactive<Preferences>({
  theme: "system",
  density: "office",
  language: asLanguage(typeof navigator === "undefined" ? "zh" : navigator.language),
  navCollapsed: false,
  shortcuts: true,
  ...(typeof localStorage === "undefined" ? {} : recall<Partial<Preferences>>(common, {})),
});

const dark = typeof matchMedia === "undefined" ? null : matchMedia("(prefers-color-scheme: dark)");

export function shownTheme(): "light" | "dark" {
  if (preferences.theme !== "system") return preferences.theme;
  return dark?.matches ? "dark" : "light";
}

function apply(): void {
  const root = document.documentElement;
  root.dataset.theme = shownTheme();
  root.dataset.density = preferences.density;
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", shownTheme() === "dark" ? "#0B111C" : "#1F4FD8");
}

/**
 * Apply the preferences now and whenever they change. Resolves when the words are there. A wall keeps its own, so that it
 * does not change how the same browser's other pages look.
 */
export async function usePreferences(of?: "screen"): Promise<void> {
  const key = of ? `${common}.${of}` : common;
  if (of) Object.assign(preferences, { theme: "dark", ...recall<Partial<Preferences>>(key, {}) });
  apply();
  dark?.addEventListener("change", apply);
  watch(preferences, () => {
    apply();
    keep(key, { ...preferences });
  });
  watch(() => preferences.language, (next) => void speak(next));
  await speak(preferences.language);
}
