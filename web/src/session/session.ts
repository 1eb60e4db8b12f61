/** Who is signed in, what they may do, and where. */

import { defineStore } from "pinia";
import { computed, ref, watch } from "vue";
import { call, get, order } from "@/api/client";
import { Problem } from "@/api/problem";
import type { Me, Site } from "@/api/types";
import { closeLive, renewLive } from "@/live/useLive";
import { asLanguage, sayIf } from "@/words";
import { knowNames, showZone } from "./format";
import { useMeta } from "./meta";
import { preferences, recall, type Density, type Theme } from "./preferences";

/** Whether a held right (`sales.*`, `*.view_*`, `*`) covers the wanted one. */
export function rightMatches(held: string, wanted: string): boolean {
  if (held === wanted || held === "*") return true;
  if (!held.includes("*")) return false;
  const pattern = held.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`).test(wanted);
}

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
    try {
      me.value = await get<Me>("/api/access/me");
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      me.value = null;
    }
    known.value = true;
    return me.value;
  }

  async function entered(): Promise<Me> {
    const found = await recognise();
    if (!found) throw new Problem(401, {});
    // A choice made on this device before signing in wins over the stored one.
    const chosen = recall<{ language?: string; theme?: string; density?: string; shortcuts?: boolean }>("lianzao.preferences", {});
    if (!chosen.language && found.person.language) preferences.language = asLanguage(found.person.language);
    if (!chosen.theme && found.person.theme) preferences.theme = found.person.theme as Theme;
    if (!chosen.density && found.person.density) preferences.density = found.person.density as Density;
    if (chosen.shortcuts === undefined && found.person.shortcuts !== undefined) preferences.shortcuts = found.person.shortcuts;
    useMeta().forget();
    renewLive();
    return found;
  }

  async function login(name: string, password: string): Promise<Me> {
    await call("/api/access/login", { method: "POST", body: { login: name, password } });
    return entered();
  }

  async function loginBadge(station: string, badge: string, pin: string): Promise<Me> {
    await call("/api/access/login_badge", { method: "POST", body: { station, badge, pin } });
    return entered();
  }

  async function logout(): Promise<void> {
    await call("/api/access/logout", { method: "POST", body: {} });
    leave();
  }

  /** The language changed: the server's words and names again. */
  async function respeak(): Promise<void> {
    await Promise.all([useMeta().load(), recognise()]);
  }

  /** The session is over on the server's side. */
  function leave(): void {
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
    () => [preferences.language, preferences.theme, preferences.density, preferences.shortcuts] as const,
    ([language, theme, density, shortcuts]) => {
      if (!me.value || !may("access.set_preferences")) return;
      // Only a wish remembered for other devices: when it cannot be kept, this screen still shows it.
      order("access.set_preferences", { language, theme, density, shortcuts }).catch((error: unknown) => console.warn("preferences not kept", error));
    },
  );

  return { me, known, rights, roles, sites, site, recognise, login, loginBadge, logout, leave, may, useSite, respeak };
});
