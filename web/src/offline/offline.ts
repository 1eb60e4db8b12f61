/** Working on while the network is away: what a terminal or a phone keeps, shows, and hands in when it is back. */

import { computed, reactive, shallowRef } from "vue";
import { call, configureClient, order, type Answer } from "@/api/client";
import { asProblem } from "@/api/problem";
import type { Me } from "@/api/types";
import { uuid7 } from "@/api/uuid7";
import { showKnown } from "@/live/useLive";
import { learnClock, plantMs } from "@/session/clock";
import { useMeta } from "@/session/meta";
import { preferences } from "@/session/preferences";
import { passages } from "@/session/session";
import { pauseAfter, Queue, type HandedIn, type Waiting } from "./queue";
import { isKept, LastAnswers } from "./reads";
import { canSeal, importKey, type Stay } from "./seal";
import { openStore, type KeptRow, type Store } from "./store";

/** An order that was kept: the screen goes on as if it were done. */
export interface Kept {
  kept: true;
  id: string;
}

export const isKeptAnswer = (answer: unknown): answer is Kept => typeof answer === "object" && answer !== null && "kept" in answer;

const state = reactive({ away: false, knownAt: null as number | null });
const rows = shallowRef<Waiting[]>([]);
let store: Store | null = null;
let queue: Queue | null = null;
let answers: LastAnswers | null = null;
let stay: Stay | null = null;
let failures = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<(row: KeptRow, how: HandedIn | null) => void>();

/** Only one tab hands in; where the browser has no locks, the order's id keeps it from being done twice. */
async function alone<T>(work: () => Promise<T>): Promise<T | null> {
  return navigator.locks ? await (navigator.locks.request("lianzao-hand-in", work) as Promise<T>) : await work();
}

function handIn(row: KeptRow): Promise<HandedIn> {
  return call<HandedIn>("/api/access/hand_in", { method: "POST", body: { pass: row.pass, order_id: row.id, sealed: row.sealed }, headers: { "Idempotency-Key": row.id }, retries: 0, timeoutMs: 15_000 });
}

/** A terminal's or phone's page begins: read what lies in the browser before the first question to the server. */
export async function prepareOffline(): Promise<void> {
  if (!canSeal()) return;
  store = openStore();
  queue = new Queue(store, handIn, alone);
  answers = new LastAnswers(store);
  stay = await store.stay();
  if (stay && stay.until < Date.now()) {
    await store.forget();
    stay = null;
  }
  configureClient({ remember, lastKnown, keeps: (path) => stay !== null && isKept(path), reached: (there) => (state.away = !there) });
  passages.entered.push(enter);
  passages.left.push(leave);
  addEventListener("online", () => void sendNow());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void sendNow());
  await refresh();
  if (rows.value.length) schedule(500);
}

function remember(path: string, language: string, answer: unknown): void {
  tellKnown(null);
  if (!stay || !answers || !isKept(path)) return;
  answers.remember(stay, path, language, answer).catch((error: unknown) => console.warn("the last answer cannot be kept", error));
}

function tellKnown(at: number | null): void {
  state.knownAt = at;
  showKnown(at);
}

async function lastKnown(path: string, language: string): Promise<{ answer: unknown } | null> {
  const known = stay && answers && isKept(path) ? await answers.last(stay, path, language) : null;
  if (known) tellKnown(Math.min(state.knownAt ?? Infinity, known.at));
  return known;
}

/** Somebody is signed in: take the stay's key, unless it is here. */
async function enter(me: Me): Promise<void> {
  if (!store || me.partner) return;
  try {
    const told = await call<{ pass: string; key: string; person: string; ends_at: string }>("/api/access/offline_pass", { method: "POST", body: {}, headers: { "Idempotency-Key": uuid7() }, retries: 2, timeoutMs: 5_000 });
    if (stay?.pass !== told.pass) {
      await store.forget();
      stay = { pass: told.pass, person: told.person, until: Date.parse(told.ends_at), key: await importKey(told.key) };
      await store.keepStay(stay);
    }
    // Who we are was asked before there was a key to keep it under.
    remember("/api/access/me", preferences.language, me);
    await learnClock();
  } catch (error) {
    const problem = asProblem(error);
    // Without the network the key of the same person's stay serves on; without any, orders go straight or not at all.
    if (!problem.uncertain) console.warn("no pass for working offline", problem);
    if (stay && stay.person !== me.person.id) await leave();
  }
  await refresh();
  void sendNow();
}

/** Badge-out: the key and the last answers go; what waits stays sealed, and is handed in all the same. */
async function leave(): Promise<void> {
  stay = null;
  tellKnown(null);
  await store?.forget();
  await refresh();
}

async function refresh(): Promise<void> {
  if (queue) rows.value = await queue.waiting(stay);
}

function schedule(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void sendNow(), ms);
}

export async function sendNow(): Promise<void> {
  clearTimeout(timer);
  if (!queue || !rows.value.some((row) => row.state !== "filed")) return;
  const done = await queue.send((row, how) => {
    void refresh();
    for (const listener of listeners) listener(row, how);
  });
  await refresh();
  failures = done ? 0 : failures + 1;
  if (!done) schedule(pauseAfter(failures));
  else if (rows.value.some((row) => row.state === "stuck")) schedule(300_000);
}

/** Called after each order that was handed in (`how` null: the server could not take it). The answer stops it. */
export function onHandedIn(listener: (row: KeptRow, how: HandedIn | null) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export interface GiveOptions {
  orderId?: string;
  /** How the person would name it, for the list of what waits. */
  label: string;
}

const patienceMs = 6_000;

/**
 * Give an order that may wait: at once when the server can be reached, else kept and handed in later with the time of now.
 * Behind orders that wait it waits too, so that all arrive in the order they were given.
 */
export async function give<T = Answer>(command: string, body: Record<string, unknown>, options: GiveOptions): Promise<T | Kept> {
  const orderId = options.orderId ?? uuid7();
  const here = stay;
  const line = queue;
  if (!here || !line || !useMeta().command(command)?.offline) return order<T>(command, body, { orderId });
  const now = Date.now();
  const content = { command, body, happened_at: new Date(plantMs(now)).toISOString(), device_at: new Date(now).toISOString(), label: options.label };
  if (!rows.value.some((row) => row.state === "waiting")) {
    try {
      return await order<T>(command, body, { orderId, retries: 0, timeoutMs: patienceMs });
    } catch (error) {
      const problem = asProblem(error);
      if (!problem.uncertain) throw problem;
    }
  }
  await line.keep(here, orderId, content);
  await refresh();
  schedule(pauseAfter(Math.max(1, failures)));
  return { kept: true, id: orderId };
}

/** Take back a kept order; false when it is on its way already. */
export async function takeBack(id: string): Promise<boolean> {
  const done = (await queue?.takeBack(id)) ?? false;
  await refresh();
  return done;
}

/** A filed one has been read by its person. */
export async function dismissFiled(id: string): Promise<void> {
  await store?.drop(id);
  await refresh();
}

export function useOffline() {
  return {
    away: computed(() => state.away),
    /** Since when the screen shows last answers only (ms); null: it shows the server's own. */
    knownAt: computed(() => state.knownAt),
    rows: computed(() => rows.value),
    waiting: computed(() => rows.value.filter((row) => row.state !== "filed").length),
    filed: computed(() => rows.value.filter((row) => row.state === "filed" && row.content)),
    /** What this person's waiting orders of a kind say. */
    bodies: (command: string): Record<string, unknown>[] => rows.value.filter((row) => row.state !== "filed" && row.content?.command === command).map((row) => row.content?.body ?? {}),
  };
}
