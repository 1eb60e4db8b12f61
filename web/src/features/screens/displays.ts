/** What the list of wall displays tells of each. */

import type { State } from "@/kit/states";

export interface DisplayRow {
  id: string;
  code: string;
  screens: string[];
  dwell_seconds: number;
  language: string;
  theme: "dark" | "light";
  expires_at: string | null;
  opened_at: string | null;
  link_until: string | null;
  seen_at: string | null;
  retired_at?: string | null;
}

export type DisplayStatus = "shown" | "silent" | "linked" | "waiting" | "expired";

/** It tells of itself at least once a minute: after two it is off, or its line is cut. */
const silentAfterMs = 150_000;

export function displayState(row: DisplayRow, now: number = Date.now()): { status: DisplayStatus; state: State } {
  if (row.expires_at && Date.parse(row.expires_at) <= now) return { status: "expired", state: "cancelled" };
  if (row.link_until && Date.parse(row.link_until) > now) return { status: "linked", state: "ready" };
  if (!row.opened_at) return { status: "waiting", state: "planned" };
  if (row.seen_at && now - Date.parse(row.seen_at) < silentAfterMs) return { status: "shown", state: "running" };
  return { status: "silent", state: "down" };
}
