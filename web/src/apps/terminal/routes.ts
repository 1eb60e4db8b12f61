/** The terminal's pages, each from its room's folder and behind a lazy import. Nothing of the office may be reached from here. */

import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/BadgePage.vue"), meta: { open: true, bare: true, title: "badge.title" } },
  { path: "/", name: "home", component: () => import("@/features/access/WelcomePage.vue"), meta: { title: "nav.home" } },
  { path: "/:rest(.*)*", redirect: "/" },
];
