/** The one connection to /live: keeps the union of topics, resumes after a break, never delivers an event twice. */

import { streamReader, type Message } from "./sse";

/** One event as it travels: `event` is `<room>.<EventName>`, `topics` are all it was sent under. */
export interface News {
  id: string;
  event: string;
  at: string;
  site_id?: string | null;
  topics: string[];
  [fact: string]: unknown;
}

export interface StreamSetting {
  fetch: typeof fetch;
  url: string;
  onNews: (news: News) => void;
  /** The line showed life (a ping, a message, the opening). */
  onBeat: () => void;
  /** The server could not resume where we were: what is on screen may have missed something. */
  onGap: () => void;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  random?: () => number;
}

const remembered = 2000;

/** Ids seen lately: a resumed stream may repeat what was delivered just before the break. */
export class Seen {
  private readonly ids = new Set<string>();
  constructor(private readonly size: number = remembered) {}

  /** True the first time only. */
  first(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > this.size) this.ids.delete(this.ids.values().next().value as string);
    return true;
  }
}

export class LiveStream {
  private topics: string[] = [];
  private lastId = "";
  private readonly seen = new Seen();
  private running: AbortController | null = null;
  private failures = 0;

  /** `missed`: another line was heard before this one, so that something may have happened in between. */
  constructor(
    private readonly setting: StreamSetting,
    private missed = false,
  ) {}

  /** Listen to exactly these topics from now on; an empty list closes the line. */
  setTopics(topics: Iterable<string>): void {
    const wanted = [...new Set(topics)].sort();
    if (this.running && wanted.join() === this.topics.join()) return;
    this.topics = wanted;
    this.running?.abort();
    this.running = null;
    if (wanted.length) void this.run((this.running = new AbortController()));
  }

  close(): void {
    this.setTopics([]);
  }

  /** Somebody else has signed in: open the line anew under the new session. */
  renew(): void {
    const topics = this.topics;
    this.close();
    this.lastId = "";
    this.setTopics(topics);
  }

  private async run(control: AbortController): Promise<void> {
    while (!control.signal.aborted) {
      try {
        await this.listen(control.signal);
      } catch (error) {
        if (control.signal.aborted) return;
        if (!(error instanceof TypeError || error instanceof LineRefused || error instanceof DOMException)) throw error;
      }
      if (control.signal.aborted) return;
      this.failures += 1;
      const pause = Math.min(15_000, 500 * 2 ** Math.min(this.failures, 5)) * (0.7 + 0.6 * (this.setting.random ?? Math.random)());
      await this.setting.wait(pause, control.signal);
    }
  }

  private async listen(signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    const url = `${this.setting.url}?topics=${this.topics.map(encodeURIComponent).join(",")}`;
    const response = await this.setting.fetch(url, { headers, signal, credentials: "same-origin", cache: "no-store" });
    if (!response.ok || !response.body) throw new LineRefused(response.status);
    if (this.missed || (this.failures && !this.lastId)) this.setting.onGap();
    this.missed = false;
    this.failures = 0;
    this.setting.onBeat();
    const reader = streamReader((message) => this.take(message), this.setting.onBeat);
    const text = new TextDecoder();
    const body = response.body.getReader();
    for (;;) {
      const { value, done } = await body.read();
      if (done) return;
      reader.feed(text.decode(value, { stream: true }));
    }
  }

  private take(message: Message): void {
    // A reset is followed by a hello that says the same.
    if (message.event === "reset") return;
    const news = parseNews(message);
    if (message.event === "hello") {
      if (news?.resumed === false) this.setting.onGap();
      if (message.id) this.lastId = message.id;
      return;
    }
    if (message.id) this.lastId = message.id;
    if (news && this.seen.first(news.id)) this.setting.onNews(news);
  }
}

class LineRefused extends Error {
  constructor(readonly status: number) {
    super(`live line refused: ${status}`);
  }
}

/** An event whose data is not JSON is the server's bug: it is named in the console and skipped, the line goes on. */
export function parseNews(message: Message): News | null {
  try {
    const data = JSON.parse(message.data || "{}") as Partial<News>;
    return { at: "", ...data, id: String(data.id ?? message.id), event: data.event ?? message.event, topics: data.topics ?? [] };
  } catch (error) {
    console.error("unreadable live event", message, error);
    return null;
  }
}
