/** What every entry does before its first page: words, look, session, guard. */

import { createPinia } from "pinia";
import { createApp, type Component } from "vue";
import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from "vue-router";
import { configureClient } from "@/api/client";
import { learnClock } from "@/session/clock";
import { useMeta } from "@/session/meta";
import { preferences, usePreferences } from "@/session/preferences";
import { useSession } from "@/session/session";
import { installWords, say, type WordKey } from "@/words";
import "@/tokens/tokens.css";
import "@/tokens/base.css";

declare module "vue-router" {
  interface RouteMeta {
    /** Pages for people who are not signed in. */
    open?: boolean;
    title?: WordKey;
    /** The right without which the page is refused. */
    right?: string;
    /** Drawn without the shell. */
    bare?: boolean;
  }
}

/** A part that is missing in the new screens too must not make a tab reload for ever. */
const reloadPauseMs = 30_000;

export async function start(root: Component, routes: RouteRecordRaw[], base: string): Promise<Router> {
  const app = createApp(root);
  app.use(createPinia());
  installWords(app);
  const session = useSession();
  const meta = useMeta();
  const router = createRouter({ history: createWebHistory(base), routes, scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 } });

  configureClient({
    language: () => preferences.language,
    signedOut: () => {
      if (!session.me) return;
      const to = router.currentRoute.value.fullPath;
      void session.leave().then(() => router.push({ path: "/login", query: { to } }));
    },
  });

  router.beforeEach(async (to) => {
    if (!session.known) await session.recognise();
    if (!session.me) return to.meta.open ? true : { path: "/login", query: to.fullPath === "/" ? {} : { to: to.fullPath } };
    // A partner's people have one place; our own screens would only refuse them.
    if (session.me.partner && base !== "/portal") {
      location.replace("/portal/");
      return false;
    }
    if (to.path === "/login") return "/";
    if (session.me.must_change_password && to.path !== "/password" && router.hasRoute("password")) return "/password";
    // Greetings and forms say "today" and "now" by the plant's clock, so it is known before the first page.
    await Promise.all([meta.load(), learnClock()]);
    if (to.meta.right && !session.may(to.meta.right)) return { path: "/no-right", query: { right: to.meta.right, page: to.meta.title } };
    return true;
  });
  router.afterEach((to) => {
    document.title = to.meta.title ? `${say(to.meta.title)} · ${say("app.name")}` : say("app.name");
  });

  // After an upgrade this tab asks for parts of the old screens: take the new ones. Input of forms is kept as a draft.
  addEventListener("vite:preloadError", (event) => {
    const key = "lianzao.reloadedAt";
    if (Date.now() - Number(sessionStorage.getItem(key)) < reloadPauseMs) return;
    sessionStorage.setItem(key, String(Date.now()));
    event.preventDefault();
    location.reload();
  });

  await usePreferences();
  app.use(router);
  app.mount("#app");
  return router;
}
