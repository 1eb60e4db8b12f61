/** The partners' pages (suppliers and customers), each from its room's folder and behind a lazy import. */

import type { RouteRecordRaw } from "vue-router";
import type { IconName } from "@/kit/icons";
import type { WordKey } from "@/words";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/SmallLoginPage.vue"), meta: { open: true, bare: true, title: "login.title" } },
  { path: "/", name: "home", component: () => import("@/features/portals/PortalHome.vue"), meta: { title: "nav.home" } },
  { path: "/print/:paper/:id", name: "print", component: () => import("@/features/printing/PrintPage.vue"), meta: { title: "print.title" } },
  { path: "/me", component: () => import("@/features/access/MePage.vue"), meta: { title: "nav.me" } },
  { path: "/:rest(.*)*", redirect: "/" },
];

export interface PortalTab {
  name: string;
  to: string;
  icon: IconName;
  word: WordKey;
  /** Shown only to those who hold this right: suppliers and customers see their own pages. */
  right?: string;
}

export const tabs: PortalTab[] = [{ name: "home", to: "/", icon: "home", word: "nav.home" }];
