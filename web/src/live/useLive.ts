/** Live news for components. `useLive` listens while the component stands; `useStale` says how old the line is. */

import { computed, getCurrentScope, onScopeDispose, reactive, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from "vue";
import type { News } from "./stream";
import { freshness, TopicTable, type Freshness } from "./topics";
import { openTransport, type Signal, type Transport } from "./transport";

export type { News } from "./stream";

const state = reactive({ lastBeat: null as number | null, knownAt: null as number | null, now: Date.now(), openedAt: 0 });
let transport: Transport | null = null;
let ticking: ReturnType<typeof setInterval> | undefined;
let lastPoll = 0;

const table = new TopicTable((topics) => {
  if (!transport && topics.length) start();
  transport?.setTopics(topics);
});

function start(): void {
  state.openedAt = Date.now();
  transport = openTransport(receive);
  ticking = setInterval(tick, 1000);
}

function receive(signal: Signal): void {
  if (signal.type === "news") table.deliver(signal.news);
  else if (signal.type === "gap") table.gap();
  else {
    const silent = state.lastBeat !== null && signal.at - state.lastBeat > 15_000;
    state.lastBeat = signal.at;
    if (silent) table.gap();
  }
}

/** Without a line the screens read again every 10 seconds. */
function tick(): void {
  state.now = Date.now();
  const quietSince = state.lastBeat ?? state.openedAt;
  if (state.now - quietSince > 15_000 && state.now - lastPoll > 10_000 && document.visibilityState === "visible") {
    lastPoll = state.now;
    table.gap();
  }
}

/** The screen shows last answers of that instant (ms), because the server cannot be reached; null: its own again. */
export function showKnown(at: number | null): void {
  state.knownAt = at;
}

/** Close the line (sign-out): nothing of the last person's may arrive any more. */
export function closeLive(): void {
  transport?.close();
  transport = null;
  clearInterval(ticking);
  state.lastBeat = null;
}

/** The session changed (sign-in): open the line anew, also for the browser's other tabs. */
export function renewLive(): void {
  transport?.renew();
}

export interface LiveOptions {
  /** Called when news may have been missed, and every 10 s while the line is down. Default: the handler with no news. */
  onGap?: () => void;
  /** News that comes in a stream is handed over at most this often (ms), and less often while the stream lasts. */
  every?: number;
}

/** The longest pause between two handings in a stream (ms). */
export const longestPause = 5000;
/** The first news of a quiet time is handed over within this time (ms): not at once, or all screens would ask in one instant. */
export const spread = 150;

/** The pause after a handing: short after a quiet time, twice as long each time while the stream lasts. */
export function nextPause(pause: number, every: number, sinceLast: number): number {
  return sinceLast > 2 * pause ? every : Math.min(longestPause, 2 * pause);
}

/**
 * Listen to topics: event names (`sales.OrderConfirmed`), `<entity>:<uuid>`, `site:<uuid>`, `kind:<room>.<entity>`.
 * The handler gets what arrived since its last call; an empty list means: read again.
 */
export function useLive(topics: MaybeRefOrGetter<string[]>, handler: (news: News[]) => void, options: LiveOptions = {}): void {
  const every = options.every ?? 250;
  let waiting: News[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  let pause = every;
  let last = Number.NEGATIVE_INFINITY;
  const hand = () => {
    timer = undefined;
    const batch = waiting;
    waiting = [];
    last = performance.now();
    handler(batch);
  };
  const take = (news: News) => {
    waiting.push(news);
    if (timer !== undefined) return;
    const since = performance.now() - last;
    pause = nextPause(pause, every, since);
    // Up to a quarter sooner or later, so that screens that were opened together do not ask together.
    const rest = pause * (0.75 + Math.random() / 2) - since;
    timer = setTimeout(hand, Math.max(rest, Math.random() * Math.min(spread, every)));
  };
  const gap = () => (options.onGap ? options.onGap() : handler([]));
  const unwatch = watch(
    () => toValue(topics).join(","),
    () => {
      const wanted = toValue(topics);
      const before = stop;
      stop = wanted.length ? table.add({ topics: [...wanted], take, gap }) : undefined;
      before?.();
    },
    { immediate: true },
  );
  if (getCurrentScope())
    onScopeDispose(() => {
      unwatch();
      clearTimeout(timer);
      stop?.();
    });
}

export interface Stale {
  state: ComputedRef<Freshness>;
  /** The instant of the last sign of life. */
  since: ComputedRef<Date | null>;
  seconds: ComputedRef<number>;
}

export function useStale(): Stale {
  return {
    state: computed(() => (state.lastBeat === null && state.knownAt !== null ? "lost" : freshness(state.lastBeat, state.now))),
    since: computed(() => {
      const at = state.lastBeat ?? state.knownAt;
      return at === null ? null : new Date(at);
    }),
    seconds: computed(() => (state.lastBeat === null ? 0 : Math.max(0, Math.round((state.now - state.lastBeat) / 1000)))),
  };
}
