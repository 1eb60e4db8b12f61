/**
 * The service worker: the shell of terminal and phone per version, and pushed messages. It keeps no answer of the server:
 * those belong to a person, and lie sealed in the page's own store (reads.ts).
 */

import { cacheName, outdated, pages, storedFor, type Shell } from "./shell";

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Pushed extends Extendable {
  data: { json(): unknown } | null;
}
interface Clicked extends Extendable {
  notification: Notification;
}
interface Client {
  url: string;
  focus(): Promise<Client>;
  navigate(url: string): Promise<Client | null>;
}
interface Worker {
  __SHELL__: Shell;
  location: Location;
  registration: ServiceWorkerRegistration;
  clients: { claim(): Promise<void>; matchAll(options: object): Promise<Client[]>; openWindow(url: string): Promise<unknown> };
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

interface Message {
  title: string;
  body: string;
  url: string;
  tag: string;
}

function show(message: Message): Promise<void> {
  return self.registration.showNotification(message.title, { body: message.body, tag: message.tag, data: message.url, icon: "/assets/mark.svg" });
}

async function open(path: unknown): Promise<void> {
  const url = new URL(typeof path === "string" ? path : "/", self.location.origin);
  if (url.origin !== self.location.origin) return;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const here = windows.find((one) => new URL(one.url).origin === url.origin);
  if (here) await (await here.focus()).navigate(url.href);
  else await self.clients.openWindow(url.href);
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
self.addEventListener("push", (event: Pushed) => {
  if (event.data) event.waitUntil(show(event.data.json() as Message));
});
self.addEventListener("notificationclick", (event: Clicked) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});
