/** Who is signed in, what they may do, and where. */

import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";
import { call, get, order } from "@/api/client";
import { asProblem, Problem } from "@/api/problem";
import type { Me, Site } from "@/api/types";
import { uuid7 } from "@/api/uuid7";
import { closeLive, renewLive } from "@/live/useLive";
import { asLanguage, sayIf } from "@/words";
import { knowNames, showZone } from "./format";
import { useMeta } from "./meta";
import { keep, preferences, recall, type Theme } from "./preferences";

/** Whether a held right (`sales.*`, `*.view_*`, `*`) covers the wanted one. */
export function rightMatches(held: string, wanted: string): boolean {
  if (held === wanted || held === "*") return true;
  if (!held.includes("*")) return false;
  const pattern = held.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(wanted);
}

/** What else happens when somebody comes in or leaves: a terminal keeps and forgets things of its own. */
export const passages = { entered: [] as ((me: Me) => Promise<void>)[], left: [] as (() => Promise<void>)[] };

/** Somebody left while the server could not be told: his session must not serve whoever comes next. */
const owed = "lianzao.logoutOwed";

export const useSession = defineStore("session", () => {
  const me = ref<Me | null>(null);
  /** False until the first answer to "who am I" is there. */
  const known = ref(false);
  const rights = computed(() => me.value?.rights ?? []);
  const sites = computed<Site[]>(() => me.value?.sites ?? []);
  const site = computed<Site | null>(() => {
    const current = me.value?.site;
    if (!current) return sites.value[0] ?? null;
    return typeof current === "string" ? (sites.value.find((one) => one.id === current) ?? null) : current;
  });

  /** Ask the server who we are; a missing session is an answer, not an error. */
  async function recognise(): Promise<Me | null> {
    let found: Me | null = null;
    try {
      await settleLeaving();
      found = await get<Me>("/api/access/me");
    } catch (error) {
      const problem = asProblem(error);
      // A terminal without the network meets the badge page; any other screen says what is wrong.
      if (problem.status !== 401 && !(problem.uncertain && passages.left.length)) throw problem;
    }
    const here = found;
    // A terminal has its key before the first page asks for what is to be kept under it.
    if (here) await Promise.all(passages.entered.map((work) => work(here)));
    me.value = here;
    known.value = true;
    return here;
  }

  async function entered(): Promise<Me> {
    const found = await recognise();
    if (!found) throw new Problem(401, {});
    // A choice made on this device before signing in wins over the stored one.
    const chosen = recall<{ language?: string; theme?: string }>("lianzao.preferences", {});
    if (!chosen.language && found.person.language) preferences.language = asLanguage(found.person.language);
    if (!chosen.theme && found.person.theme) preferences.theme = found.person.theme as Theme;
    useMeta().forget();
    renewLive();
    return found;
  }

  async function login(name: string, password: string): Promise<Me> {
    await settleLeaving();
    await call("/api/access/login", { method: "POST", body: { login: name, password } });
    return entered();
  }

  async function loginBadge(station: string, badge: string, pin: string): Promise<Me> {
    await settleLeaving();
    await call("/api/access/login_badge", { method: "POST", body: { station, badge, pin } });
    return entered();
  }

  async function logout(): Promise<void> {
    keep(owed, true);
    try {
      await settleLeaving();
    } catch (error) {
      // Without the network one leaves all the same: the server is told as soon as it can be.
      if (!asProblem(error).uncertain) throw error;
    }
    await leave();
  }

  async function settleLeaving(): Promise<void> {
    if (!recall(owed, false)) return;
    await call("/api/access/logout", { method: "POST", body: {}, headers: { "Idempotency-Key": uuid7() }, retries: 0, timeoutMs: 8_000 });
    keep(owed, false);
  }

  /** The language changed: the server's words and names again. */
  async function respeak(): Promise<void> {
    await Promise.all([useMeta().load(), recognise()]);
  }

  /** The session is over on the server's side. */
  async function leave(): Promise<void> {
    // What a terminal keeps is gone before the screen says so.
    await Promise.all(passages.left.map((work) => work()));
    me.value = null;
    useMeta().forget();
    closeLive();
  }

  const roles = computed(() => (me.value?.roles ?? []).map((role) => (typeof role === "string" ? sayIf(`role.${role}`, role) : role.name)));
  const may = (right: string): boolean => rights.value.some((held) => rightMatches(held, right));

  /** Work at another site from now on; everything on screen belongs to the old one. */
  async function useSite(id: string): Promise<void> {
    await order("access.set_preferences", { site: id });
    await recognise();
    useMeta().forget();
    renewLive();
  }

  watch(() => site.value?.time_zone, showZone, { immediate: true });
  watch(sites, (now) => knowNames(now.map((one) => [one.id, one.name] as const)), { immediate: true });
  watch(
    () => [preferences.language, preferences.theme] as const,
    ([language, theme]) => {
      if (!me.value || !may("access.set_preferences")) return;
      // Only a wish remembered for other devices: when it cannot be kept, this screen still shows it.
      order("access.set_preferences", { language, theme }).catch((error: unknown) => console.warn("preferences not kept", error));
    },
  );

  return { me, known, rights, roles, sites, site, recognise, login, loginBadge, logout, leave, may, useSite, respeak };
});
