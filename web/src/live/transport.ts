/** How a tab reaches the browser's one live line: a shared worker, else a leading tab, else a line of its own. */

import { LiveStream, type News } from "./stream";

export type Signal = { type: "news"; news: News } | { type: "beat"; at: number } | { type: "gap" };

export interface Transport {
  /** The topics this tab wants; every tab's wishes are joined. */
  setTopics(topics: string[]): void;
  /** The session changed: the line must be opened anew. */
  renew(): void;
  close(): void;
}

export type Receive = (signal: Signal) => void;

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Of a device that says by its key who it is: its line belongs to no session, so it shares it with no other tab. */
let deviceHeaders: (() => Record<string, string>) | null = null;

export function lineOfDevice(headers: () => Record<string, string>): void {
  deviceHeaders = headers;
}

export function openStream(receive: Receive, missed = false): LiveStream {
  const setting = {
    fetch: (url: Parameters<typeof fetch>[0], options?: RequestInit) => fetch(url, deviceHeaders ? { ...options, headers: { ...options?.headers, ...deviceHeaders() } } : options),
    url: "/live",
    wait: pause,
    onNews: (news: News) => receive({ type: "news", news }),
    onBeat: () => receive({ type: "beat", at: Date.now() }),
    onGap: () => receive({ type: "gap" }),
  };
  return new LiveStream(setting, missed);
}

/** Joins the wishes of many tabs; tabs that fell silent (crashed, frozen) lose theirs. */
export class Wishes {
  private readonly tabs = new Map<string, { topics: string[]; at: number }>();

  set(tab: string, topics: string[], now: number): void {
    this.tabs.set(tab, { topics, at: now });
  }

  drop(tab: string): void {
    this.tabs.delete(tab);
  }

  /** Forget tabs not heard of for `silence` ms; background tabs may speak only once a minute. */
  sweep(now: number, silence = 200_000): void {
    for (const [tab, wish] of this.tabs) if (now - wish.at > silence) this.tabs.delete(tab);
  }

  union(): string[] {
    return [...new Set([...this.tabs.values()].flatMap((wish) => wish.topics))];
  }
}

export type ToHub = { type: "wish"; tab: string; topics: string[] } | { type: "leave"; tab: string } | { type: "renew"; tab: string };

/** The side that owns the line, for the worker and for the leading tab alike. */
export class Hub {
  private readonly wishes = new Wishes();
  private readonly stream: LiveStream;
  private pending: ReturnType<typeof setTimeout> | undefined;
  private lastBeat = 0;
  private readonly sweeping: ReturnType<typeof setInterval>;
  private closed = false;

  constructor(private readonly receive: Receive, missed = false) {
    this.stream = openStream((signal) => {
      if (signal.type === "beat") this.lastBeat = signal.at;
      receive(signal);
    }, missed);
    this.sweeping = setInterval(() => (this.wishes.sweep(Date.now()), this.apply()), 60_000);
  }

  take(message: ToHub): void {
    if (message.type === "renew") return this.stream.renew();
    if (message.type === "leave") this.wishes.drop(message.tab);
    else {
      this.wishes.set(message.tab, message.topics, Date.now());
      // A tab that joins learns at once how fresh the line is.
      if (this.lastBeat) this.receive({ type: "beat", at: this.lastBeat });
    }
    this.apply();
  }

  /** For good: a wish that comes late must not open the line again beside the next leader's. */
  close(): void {
    this.closed = true;
    clearInterval(this.sweeping);
    clearTimeout(this.pending);
    this.stream.close();
  }

  /** A page that opens asks for many topics one after the other: change the line once. */
  private apply(): void {
    clearTimeout(this.pending);
    if (this.closed) return;
    this.pending = setTimeout(() => this.stream.setTopics(this.wishes.union()), 40);
  }
}

const tabId = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`;

/** Repeats the wish so that the hub knows the tab lives, and takes it back when the page goes. */
function keepWishing(post: (message: ToHub) => void): Transport {
  const tab = tabId();
  let topics: string[] = [];
  const wish = () => post({ type: "wish", tab, topics });
  const timer = setInterval(wish, 30_000);
  const leave = () => post({ type: "leave", tab });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", wish);
  return {
    setTopics: (next) => ((topics = next), wish()),
    renew: () => post({ type: "renew", tab }),
    close: () => {
      clearInterval(timer);
      window.removeEventListener("pagehide", leave);
      window.removeEventListener("pageshow", wish);
      leave();
    },
  };
}

function workerTransport(receive: Receive): Transport {
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lianzao-live" });
  worker.port.onmessage = (event: MessageEvent<Signal>) => receive(event.data);
  worker.port.start();
  return keepWishing((message) => worker.port.postMessage(message));
}

/** Without shared workers the tab holding a lock keeps the line; the others hear it over a channel. */
export function leaderTransport(receive: Receive): Transport {
  const channel = new BroadcastChannel("lianzao-live");
  let hub: Hub | null = null;
  /** Another tab had the line before: when it closes, news may have come before ours is open. */
  let heard = false;
  const release = new AbortController();
  channel.onmessage = (event: MessageEvent<Signal | ToHub | { type: "leader" }>) => {
    const message = event.data;
    if (message.type === "wish" || message.type === "leave" || message.type === "renew") hub?.take(message);
    else if (message.type === "leader") wishing.setTopics(current);
    else {
      heard = true;
      receive(message);
    }
  };
  let current: string[] = [];
  const post = (message: ToHub) => (hub ? hub.take(message) : channel.postMessage(message));
  const wishing = keepWishing(post);
  void navigator.locks
    .request("lianzao-live", { signal: release.signal }, () => {
      hub = new Hub((signal) => (receive(signal), channel.postMessage(signal)), heard);
      channel.postMessage({ type: "leader" });
      wishing.setTopics(current);
      return new Promise<void>((done) => release.signal.addEventListener("abort", () => done()));
    })
    .catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    });
  return {
    setTopics: (topics) => wishing.setTopics((current = topics)),
    renew: () => wishing.renew(),
    close: () => (wishing.close(), hub?.close(), release.abort(), channel.close()),
  };
}

function ownTransport(receive: Receive): Transport {
  const stream = openStream(receive);
  return { setTopics: (topics) => stream.setTopics(topics), renew: () => stream.renew(), close: () => stream.close() };
}

export function openTransport(receive: Receive): Transport {
  if (deviceHeaders) return ownTransport(receive);
  if (typeof SharedWorker !== "undefined") return workerTransport(receive);
  if (typeof BroadcastChannel !== "undefined" && "locks" in navigator) return leaderTransport(receive);
  return ownTransport(receive);
}
