/** The page's side of the service worker: registered where the browser trusts the origin, renewed when nobody is in mid-work. */

import type { Router } from "vue-router";

let ready: ServiceWorker | null = null;

/** A new version waits until the page shows nothing that could be lost; then it takes over, and the page starts anew with it. */
export function takeUpdate(): void {
  ready?.postMessage("take over");
  ready = null;
}

function watchFor(registration: ServiceWorkerRegistration): void {
  if (registration.waiting && navigator.serviceWorker.controller) ready = registration.waiting;
  registration.addEventListener("updatefound", () => {
    const next = registration.installing;
    next?.addEventListener("statechange", () => {
      if (next.state === "installed" && navigator.serviceWorker.controller) ready = next;
    });
  });
}

const lookAgainMs = 3_600_000;

export async function registerWorker(router?: Router): Promise<ServiceWorkerRegistration | null> {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator) || !isSecureContext) return null;
  const had = Boolean(navigator.serviceWorker.controller);
  let reloaded = false;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    // The first worker of all finds a page that is as new as itself.
    if (!had || reloaded) return;
    reloaded = true;
    location.reload();
  });
  try {
    const registration = await navigator.serviceWorker.register("/sw.js", { scope: "/", updateViaCache: "none" });
    watchFor(registration);
    takeUpdate();
    setInterval(() => void registration.update().catch(() => undefined), lookAgainMs);
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && takeUpdate());
    router?.afterEach((to) => (to.path === "/" || to.path === "/login") && takeUpdate());
    return registration;
  } catch (error) {
    console.warn("this page will not open without the network", error);
    return null;
  }
}
