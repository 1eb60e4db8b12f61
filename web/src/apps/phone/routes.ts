/** The phone's pages, each from its room's folder and behind a lazy import. `tabs` are the bottom bar (at most four beside the scan). */

import type { RouteRecordRaw } from "vue-router";
import type { IconName } from "@/kit/icons";
import type { WordKey } from "@/words";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/SmallLoginPage.vue"), meta: { open: true, bare: true, title: "login.title" } },
  { path: "/", name: "home", component: () => import("@/features/access/WelcomePage.vue"), meta: { title: "nav.home" } },
  { path: "/me", component: () => import("@/features/access/MePage.vue"), meta: { title: "nav.me" } },
  { path: "/:rest(.*)*", redirect: "/" },
];

export interface PhoneTab {
  name: string;
  to: string;
  icon: IconName;
  word: WordKey;
  right?: string;
}

export const tabs: PhoneTab[] = [
  { name: "home", to: "/", icon: "home", word: "nav.home" },
  { name: "me", to: "/me", icon: "user", word: "nav.me" },
];

/** Where a scan leads when the open page does not take it itself; null: no big scan button. */
export const scanPath: string | null = null;
