/** The terminal's pages, each from its room's folder and behind a lazy import. Nothing of the office may be reached from here. */

import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/BadgePage.vue"), meta: { open: true, bare: true, title: "badge.title" } },
  { path: "/", name: "home", component: () => import("@/features/production/StationPage.vue"), meta: { title: "nav.home", right: "production.view_work_order" } },
  { path: "/job/:job", name: "job", component: () => import("@/features/production/StationPage.vue"), meta: { title: "nav.home", right: "production.view_work_order" } },
  { path: "/no-right", component: () => import("@/features/access/WelcomePage.vue"), meta: { title: "noRight.title" } },
  { path: "/:rest(.*)*", redirect: "/" },
];
