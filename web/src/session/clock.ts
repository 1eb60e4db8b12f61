/** The plant's clock: the server's instant, also when a demo plant lives faster than the wall clock. */

import { computed, onScopeDispose, ref, type ComputedRef } from "vue";
import { get } from "@/api/client";
import { instantParts } from "./format";
import { keep, recall } from "./preferences";

interface ClockAnswer {
  now: string;
  rate: number;
  virtual: boolean;
}

const key = "lianzao.clock";
/** Kept in the browser: a page that is opened without the network still knows how far the device's clock is off. */
const anchor = { plant: 0, real: 0, rate: 1, ...(typeof localStorage === "undefined" ? {} : recall<object>(key, {})) };
let readAt = 0;
let reading: Promise<void> | null = null;
const readAgainMs = 60_000;

/** Milliseconds of the plant's instant for a real one, from what the server said last. */
export function plantMs(real: number = Date.now(), from: { plant: number; real: number; rate: number } = anchor): number {
  return from.real ? from.plant + (real - from.real) * from.rate : real;
}

/** The plant's instant, now. */
export const plantNow = (): Date => new Date(plantMs());

/** The plant's today as its site counts days, `YYYY-MM-DD`. */
export function plantToday(): string {
  const parts = instantParts(plantNow());
  return `${parts.year}-${parts.month}-${parts.day}`;
}

async function read(): Promise<void> {
  const asked = Date.now();
  const answer = await get<ClockAnswer>("/api/clock");
  // Half of the way is taken as the way back.
  Object.assign(anchor, { plant: Date.parse(answer.now), real: (asked + Date.now()) / 2, rate: answer.rate });
  keep(key, anchor);
}

/** Ask the server what time it is, at most once a minute; done when the answer is there. */
export function learnClock(): Promise<void> {
  if (reading) return reading;
  if (Date.now() - readAt < readAgainMs) return Promise.resolve();
  reading = read()
    // The wall clock serves until the server can be asked again.
    .catch((error: unknown) => console.warn("the plant's clock could not be read", error))
    .finally(() => {
      readAt = Date.now();
      reading = null;
    });
  return reading;
}

/** The plant's now, told anew every second. */
export function usePlantNow(): ComputedRef<Date> {
  const now = ref(plantMs());
  const tick = () => {
    now.value = plantMs();
    void learnClock().then(() => (now.value = plantMs()));
  };
  tick();
  const timer = setInterval(tick, 1000);
  onScopeDispose(() => clearInterval(timer));
  return computed(() => new Date(now.value));
}
