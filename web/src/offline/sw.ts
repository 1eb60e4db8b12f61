/**
 * The service worker: the pages and files of terminal and phone, per version. It keeps no answer of the server: those belong to
 * a person, and lie sealed in the page's own store (reads.ts).
 */

import { cacheName, outdated, pages, storedFor, type Shell } from "./shell";

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Worker {
  __SHELL__: Shell;
  location: Location;
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, work: (event: never) => void): void;
}

const self = globalThis as unknown as Worker;
const shell = self.__SHELL__;

async function install(): Promise<void> {
  const cache = await caches.open(cacheName(shell));
  await cache.addAll([...pages, ...shell.files].map((path) => new Request(path, { cache: "reload" })));
}

async function takeOver(): Promise<void> {
  await Promise.all(outdated(await caches.keys(), shell).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(path: string, request: Request): Promise<Response> {
  const stored = await (await caches.open(cacheName(shell))).match(path, { ignoreVary: true });
  return stored ?? fetch(request);
}

self.addEventListener("install", (event: Extendable) => event.waitUntil(install()));
self.addEventListener("activate", (event: Extendable) => event.waitUntil(takeOver()));
self.addEventListener("message", (event: MessageEvent) => {
  if (event.data === "take over") void self.skipWaiting();
});
self.addEventListener("fetch", (event: Fetching) => {
  const { method, url, mode } = event.request;
  const path = storedFor(method, new URL(url), self.location.origin, mode === "navigate", shell);
  if (path) event.respondWith(answer(path, event.request));
});
