/** The last answers a station needs to go on without the network, sealed under the stay's key: they die with the badge-out. */

import { seal, unseal, type Stay } from "./seal";
import type { Store } from "./store";

const kept = [/^\/api\/access\/(me|this_device)$/, /^\/api\/meta$/, /^\/api\/overviews\/(station\/[\w-]+|warehouse|arrival\/[\w-]+)$/, /^\/api\/plant\/work_center$/, /^\/api\/equipment\/stop_reason$/];

/** Whether the answer to this path is worth keeping. */
export const isKept = (path: string): boolean => kept.some((pattern) => pattern.test(path.split("?")[0]));

export interface Known {
  answer: unknown;
  at: number;
}

export class LastAnswers {
  constructor(private readonly store: Store) {}

  async remember(stay: Stay, path: string, language: string, answer: unknown): Promise<void> {
    const name = `${language} ${path}`;
    // A reading that ends after the badge-out is sealed with a key that nobody has any more.
    await this.store.putRead({ name, at: Date.now(), sealed: await seal(stay.key, name, answer) });
  }

  async last(stay: Stay, path: string, language: string): Promise<Known | null> {
    const name = `${language} ${path}`;
    const row = await this.store.read(name);
    const answer = row && (await unseal(stay.key, name, row.sealed));
    return row && answer !== null ? { answer, at: row.at } : null;
  }
}
