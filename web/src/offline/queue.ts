/** Orders that wait for the network: kept sealed, handed in one after the other in the order they were given, each once. */

import { asProblem, type Problem } from "@/api/problem";
import { seal, unseal, type Stay } from "./seal";
import type { KeptRow, Store } from "./store";

/** What an order says; it lies sealed in the store. */
export interface Content {
  command: string;
  body: Record<string, unknown>;
  /** The plant's instant of the act, and what the device's own clock said. */
  happened_at: string;
  device_at: string;
  sequence: number;
  /** How the person who gave it would name it. */
  label: string;
}

/** An order that waits, as its own person sees it; another's stays closed (`content` null). */
export interface Waiting extends KeptRow {
  content: Content | null;
}

export interface HandedIn {
  state: "done" | "filed";
  number: string;
  code: string;
}

export type HandIn = (row: KeptRow) => Promise<HandedIn>;

/** After so many errors of the server itself an order is set aside, so that those behind it are not held up for ever. */
const mostFaults = 5;
const pausesMs = [2_000, 5_000, 10_000, 30_000];
export const pauseAfter = (failures: number): number => pausesMs[Math.min(failures, pausesMs.length) - 1] ?? 0;

/** Whether a failure says "not now" (ask again), "the server is at fault" (a few times more), or "never". */
export function verdict(problem: Problem): "later" | "fault" | "never" {
  if (problem.uncertain || problem.code === "busy" || problem.code === "unavailable" || problem.status === 429) return "later";
  return problem.status >= 500 || problem.status < 0 ? "fault" : "never";
}

export class Queue {
  private sending: Promise<boolean> | null = null;
  private last = 0;

  constructor(
    private readonly store: Store,
    private readonly handIn: HandIn,
    /** Only one tab of the browser hands in at a time. */
    private readonly alone: <T>(work: () => Promise<T>) => Promise<T | null> = (work) => work(),
  ) {}

  async keep(stay: Stay, id: string, content: Omit<Content, "sequence">): Promise<KeptRow> {
    const rows = await this.store.rows();
    const known = rows.find((row) => row.id === id);
    if (known) return known;
    this.last = Math.max(Date.now(), this.last + 1, ...rows.map((row) => row.sequence + 1));
    const sequence = this.last;
    const row: KeptRow = { id, sequence, pass: stay.pass, person: stay.person, state: "waiting", tries: 0, faults: 0, sealed: await seal(stay.key, id, { ...content, sequence }) };
    await this.store.put(row);
    return row;
  }

  /** All that waits, in order; what it says only where the key of the stay is here. */
  async waiting(stay: Stay | null): Promise<Waiting[]> {
    const rows = await this.store.rows();
    return Promise.all(rows.map(async (row) => ({ ...row, content: stay && row.pass === stay.pass ? await unseal<Content>(stay.key, row.id, row.sealed) : null })));
  }

  /** Take back an order that has not been handed in. False: it is on its way, or gone. */
  async takeBack(id: string): Promise<boolean> {
    return (
      (await this.alone(async () => {
        const row = (await this.store.rows()).find((one) => one.id === id);
        if (!row || row.tries > 0) return false;
        await this.store.drop(id);
        return true;
      })) ?? false
    );
  }

  /** Hand in all that waits. True when nothing is left that should be tried again soon. */
  send(changed: (row: KeptRow, how: HandedIn | null) => void = () => undefined): Promise<boolean> {
    this.sending ??= this.alone(() => this.run(changed))
      .then((done) => done ?? true)
      .finally(() => (this.sending = null));
    return this.sending;
  }

  private async run(changed: (row: KeptRow, how: HandedIn | null) => void): Promise<boolean> {
    for (const row of await this.store.rows()) {
      if (row.state === "filed" || (row.state === "stuck" && row.faults > mostFaults * 3)) continue;
      // Before it is sent: if this page dies now, nobody may think that it was never on its way.
      await this.store.put({ ...row, tries: row.tries + 1 });
      try {
        const how = await this.handIn(row);
        if (how.state === "done") await this.store.drop(row.id);
        else await this.store.put({ ...row, state: "filed", number: how.number, code: how.code });
        changed(row, how);
      } catch (error) {
        const found = verdict(asProblem(error));
        if (found === "later") return false;
        const faults = row.faults + 1;
        const next: KeptRow = { ...row, tries: row.tries + 1, faults, state: found === "never" || faults >= mostFaults ? "stuck" : "waiting" };
        await this.store.put(next);
        changed(next, null);
        if (next.state === "waiting") return false;
      }
    }
    return true;
  }
}
