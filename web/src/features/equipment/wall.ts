/** The state wall as the server tells it (GET /api/overviews/machines). */

import type { State } from "@/kit/states";
import type { Told } from "@/session/told";

export type MachineDoes = "running" | "stopped" | "setup" | "idle" | "no_signal";

export interface DaySlice {
  id: string;
  state: MachineDoes;
  planned: boolean;
  from: string;
  until: string;
  reason: Told | null;
}

export interface WallRow extends Told {
  state: MachineDoes;
  state_id: string | null;
  since: string | null;
  reason: Told | null;
  expected_until: string | null;
  note: string;
  work_center: Told;
  job: { work_order_id: string; number: string; item: string; status: string; due_at: string; planned_start_at: string | null; finish_at: string | null; late: boolean; quantity: string; good: string } | null;
  today: DaySlice[];
  /** Share of busy time it ran (ISO 22400); null where part of the working time was never told. */
  availability: number | null;
  running_s: number;
  busy_s: number;
  unknown_s: number;
}

export interface StopRow {
  id: string;
  machine: Told;
  began_at: string;
  ended_at: string | null;
  reason: (Told & { planned: boolean }) | null;
  note: string;
  corrects: boolean;
}

export interface WallAnswer {
  now: string;
  from: string;
  until: string;
  working: [number, number][];
  machines: WallRow[];
  stops: StopRow[];
  stop_reasons: (Told & { planned: boolean })[];
}

export const wallTopics = ["equipment.MachineStopped", "equipment.MachineStarted", "equipment.MachineStateChanged", "equipment.StopForecastChanged", "equipment.StopClassified", "production.OperationStarted", "production.OperationReported", "production.OperationsScheduled"];

/** How a machine's state is drawn; one that nobody ever said anything of is drawn as unknown, never as running. */
export const drawn = (state: MachineDoes): State => (state === "stopped" ? "down" : state === "running" ? "running" : state === "setup" ? "setup" : state === "idle" ? "ready" : "planned");

/** How many machines are in each state, those that stand first. */
export function tally(rows: WallRow[]): { state: MachineDoes; count: number }[] {
  const order: MachineDoes[] = ["stopped", "setup", "idle", "no_signal", "running"];
  return order.map((state) => ({ state, count: rows.filter((row) => row.state === state).length }));
}

/** Stops without a reason, and the minutes of unplanned ones. */
export function openStops(stops: StopRow[]): number {
  return stops.filter((stop) => !stop.reason).length;
}

/** Whole minutes a stop lasted, or has lasted by now. */
export function stopMinutes(stop: Pick<StopRow, "began_at" | "ended_at">, now: string): number {
  return Math.max(0, Math.floor((Date.parse(stop.ended_at ?? now) - Date.parse(stop.began_at)) / 60_000));
}
