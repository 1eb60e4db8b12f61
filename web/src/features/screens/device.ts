/** The wall display this browser is: its key, what the server says of it, and what became of it. */

import { defineStore } from "pinia";
import { ref } from "vue";
import { call, get } from "@/api/client";
import { asProblem, type Problem } from "@/api/problem";
import { showZone } from "@/session/format";
import { keep, preferences, recall } from "@/session/preferences";
import { asLanguage } from "@/words";

export interface DisplayFacts {
  id: string;
  name: string;
  site_id: string;
  site_name: string;
  time_zone: string;
  screens: string[];
  dwell_seconds: number;
  language: string;
  theme: "dark" | "light";
}

/** starting: not asked yet · unbound: wants a code · refused: the key is worth nothing any more · shown. */
export type DeviceState = "starting" | "unbound" | "refused" | "shown";

const storage = "lianzao.display";
const askAgainMs = 15_000;

/** The code of a link stands behind the `#`, which no server and no log sees. */
export function codeIn(hash: string): string {
  return hash.replace(/^#(code=)?/, "").trim();
}

export const useDevice = defineStore("display", () => {
  const key = ref(recall<string>(storage, ""));
  const state = ref<DeviceState>("starting");
  const facts = ref<DisplayFacts | null>(null);
  const problem = ref<Problem | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;

  const headers = (): Record<string, string> => (key.value ? { Authorization: `Bearer ${key.value}` } : {});

  /** The server does not know this key (any more): nothing of the plant stays on the wall. */
  function refused(): void {
    if (!key.value) return;
    facts.value = null;
    state.value = "refused";
  }

  function take(found: DisplayFacts): void {
    preferences.language = asLanguage(found.language);
    preferences.theme = found.theme;
    showZone(found.time_zone);
    if (JSON.stringify(found) !== JSON.stringify(facts.value)) facts.value = found;
    problem.value = null;
    state.value = "shown";
  }

  /** Ask what to show, now and every 15 s: a change of the playlist comes by itself, and so does being cut off. */
  async function look(): Promise<void> {
    clearTimeout(timer);
    try {
      if (key.value) take(await get<DisplayFacts>("/api/access/this_display"));
      else state.value = "unbound";
    } catch (error) {
      const found = asProblem(error);
      // 401 was told already; whatever else is wrong passes, and what is on the wall says by itself how old it is.
      if (found.status !== 401) problem.value = found;
    }
    timer = setTimeout(() => void look(), askAgainMs);
  }

  /** Become a display by the code of a link. Throws a Problem when the code is refused. */
  async function open(code: string): Promise<void> {
    const opened = await call<{ key: string }>("/api/access/open_display", { method: "POST", body: { code }, headers: { Authorization: "" } });
    key.value = opened.key;
    keep(storage, opened.key);
    await look();
  }

  async function begin(): Promise<void> {
    const code = codeIn(location.hash);
    if (code) {
      history.replaceState(null, "", location.pathname);
      try {
        return await open(code);
      } catch (error) {
        problem.value = asProblem(error);
      }
    }
    await look();
  }

  return { key, state, facts, problem, headers, refused, look, open, begin };
});
