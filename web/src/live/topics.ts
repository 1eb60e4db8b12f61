/** Who in this tab listens to what: reference-counted topics, and delivery of each event to those who asked. */

import type { News } from "./stream";

export interface Listener {
  topics: string[];
  take: (news: News) => void;
  /** Something may have been missed: read again. */
  gap: () => void;
}

export class TopicTable {
  private readonly counts = new Map<string, number>();
  private readonly listeners = new Set<Listener>();

  constructor(private readonly changed: (topics: string[]) => void) {}

  /** Start listening; the answer stops it. */
  add(listener: Listener): () => void {
    this.listeners.add(listener);
    this.count(listener.topics, 1);
    let gone = false;
    return () => {
      if (gone) return;
      gone = true;
      this.listeners.delete(listener);
      this.count(listener.topics, -1);
    };
  }

  topics(): string[] {
    return [...this.counts.keys()].sort();
  }

  deliver(news: News): void {
    const under = new Set([news.event, ...news.topics]);
    for (const listener of [...this.listeners]) if (listener.topics.some((topic) => under.has(topic))) listener.take(news);
  }

  gap(): void {
    for (const listener of [...this.listeners]) listener.gap();
  }

  private count(topics: string[], by: 1 | -1): void {
    const before = this.counts.size;
    let changed = false;
    for (const topic of new Set(topics)) {
      const next = (this.counts.get(topic) ?? 0) + by;
      if (next <= 0) this.counts.delete(topic);
      else this.counts.set(topic, next);
      changed ||= (by === 1 && next === 1) || next <= 0;
    }
    if (changed || before !== this.counts.size) this.changed(this.topics());
  }
}

/** How old the line's last sign of life is: amber after 15 s, grey after 60 s. */
export type Freshness = "off" | "live" | "late" | "lost";

export function freshness(lastBeat: number | null, now: number): Freshness {
  if (lastBeat === null) return "off";
  const age = now - lastBeat;
  if (age > 60_000) return "lost";
  return age > 15_000 ? "late" : "live";
}
