/** The plan board as the server tells it (GET /api/overviews/plan), and how its rows read. */

import type { CauseStep } from "@/kit/CauseChain.vue";
import { roomIcons, type IconName } from "@/kit/icons";
import { number } from "@/session/format";
import { dayOf, daysBetween, lateText, type Told, type ToldItem } from "@/session/told";
import { say, type WordKey } from "@/words";

export interface Reason {
  reason: string;
  text: string;
  kind: string | null;
  id: string | null;
  number: string | null;
  minutes: number | null;
  until_at: string | null;
}

export interface Doc {
  kind: string;
  id: string | null;
  number: string;
}

export interface LateDemand {
  id: string;
  order_id: string;
  number: string;
  customer: Told;
  priority: number;
  item: ToldItem;
  quantity: string;
  short_quantity: string;
  promised_on: string | null;
  requested_on: string;
  projected_at: string | null;
  late_minutes: number;
  reasons: Reason[];
}

export interface Remedy {
  id: string;
  number: string;
  action: string;
  status: string;
  item: ToldItem;
  subject_kind: string;
  subject_id: string;
  subject_number: string;
  partner: Told | null;
  from_at: string | null;
  to_at: string | null;
  from_quantity: string | null;
  to_quantity: string | null;
  committed: boolean;
  demand_kind: string;
  demand_id: string | null;
  serves: Doc[];
  reasons: Reason[];
  details: Record<string, unknown>;
}

export interface Proposal {
  id: string;
  number: string;
  kind_of_order: "buy" | "make";
  item: ToldItem;
  quantity: string;
  start_at: string;
  finish_at: string;
  need_at: string;
  late_minutes: number;
  supplier: Told | null;
  price?: string | null;
  cost?: string | null;
  currency: string;
  cause: Partial<Doc>[];
}

export interface ShortageRow {
  id: string;
  item: ToldItem;
  quantity: string;
  need_at: string;
  ready_at: string | null;
  consumer: Doc | null;
  demand: Doc | null;
  supply: Doc | null;
}

export interface Moved {
  id: string;
  number: string;
  from: string | null;
  to: string | null;
  short: string;
}

export interface Run {
  id: string;
  number: string;
  why: string;
  now_at: string;
  made_at: string;
  milliseconds: number;
  demands: number;
  late_demands: number;
  proposals: number;
  messages: number;
  shortages: number;
  difference: {
    demands?: Moved[];
    messages?: { new: string[]; gone: string[] };
    proposals?: { new: string[]; gone: string[]; changed: string[] };
  };
}

export interface PolicyRow {
  id: string;
  version: number;
  name: string;
  mode: "off" | "suggest" | "act";
  most_value: string | null;
  most_quantity: string | null;
  most_hours: number | null;
  most_per_day: number | null;
}

export interface PlanBoard {
  run: Run | null;
  late: LateDemand[];
  shortages: ShortageRow[];
  proposals: Proposal[];
  messages: Remedy[];
  policies: PolicyRow[];
  runs: Run[];
}

/** Whatever changes the board: a run, a decision, a policy's act. */
export const planTopics = ["planning.PlanChanged", "planning.ProposalDecided", "planning.RemedyDecided", "planning.RemedyProposed", "planning.ProposalMade", "kind:planning.policy"];

const reasonIcons: Record<string, IconName> = {
  material: "truck", overdue_receipt: "truck", purchasing_lead_time: "cart", manufacturing_lead_time: "machine", capacity: "machine",
  quality_hold: "shield", machine_down: "tools", short_for_ever: "warning", beyond_horizon: "calendar", planning_fence: "lock", shipping: "truck", delivered_together: "layers",
};

export const reasonIcon = (reason: Reason | undefined): IconName => (reason ? (reasonIcons[reason.reason] ?? roomIcons[reason.kind?.split(".")[0] ?? ""] ?? "bolt") : "clock");

/** Reasons as a chain from the root cause (told last) down to the order that is hurt. */
export function causeSteps(reasons: Reason[], pathOf: (kind: string | null, id: string) => string | null): CauseStep[] {
  return reasons.map((reason, index) => ({
    id: `${index}-${reason.id ?? reason.reason}`,
    title: reason.text,
    at: reason.until_at ?? undefined,
    icon: reasonIcon(reason),
    tone: index === 0 ? "bad" : "warn",
    to: reason.id ? pathOf(reason.kind, reason.id) : null,
  }));
}

/** By how much a hurt line is late, in days against the promise when that says more than the hours. */
export function hurtText(line: Pick<LateDemand, "promised_on" | "requested_on" | "projected_at" | "late_minutes">): string {
  if (!line.projected_at) return say("late.never");
  const due = line.promised_on ?? line.requested_on;
  const days = daysBetween(due, line.projected_at);
  return days > 0 ? say("late.days", { count: days }) : lateText(line.late_minutes);
}

export const remedyIcons: Record<string, IconName> = {
  expedite: "bolt", defer: "clock", increase: "plus", decrease: "minus", cancel: "close", overdue: "truck", reschedule: "calendar", promise: "handshake",
};

/** What speaks to partners first: a promise to give, then what to ask of suppliers, then our own times. */
const remedyRank = ["promise", "overdue", "expedite", "increase", "cancel", "decrease", "defer", "reschedule"];
export function byWeight(rows: Remedy[]): Remedy[] {
  const rank = (row: Remedy) => (remedyRank.indexOf(row.action) + 1 || 99);
  return [...rows].sort((a, b) => rank(a) - rank(b));
}

/** `WO-1 · 03-20 02:00 → 03-25 08:00`: what a remedy changes, as from and to. */
export function remedyChange(remedy: Remedy, instantOf: (value: string) => string): { from: string; to: string } {
  const unit = remedy.item.unit;
  const amount = (value: string | null) => (value === null ? "" : `${number(value)} ${unit}`);
  if (remedy.action === "increase" || remedy.action === "decrease") return { from: amount(remedy.from_quantity), to: amount(remedy.to_quantity) };
  if (remedy.action === "cancel") return { from: amount(remedy.from_quantity), to: say("plan.nothing") };
  if (remedy.action === "promise") {
    const { promised_on, projected_on } = remedy.details as { promised_on?: string; projected_on?: string };
    return { from: dayOf(promised_on ?? remedy.from_at), to: dayOf(projected_on ?? remedy.to_at) };
  }
  if (remedy.action === "reschedule") {
    const { old_start_at, old_finish_at, start_at, finish_at } = remedy.details as Record<string, string | null>;
    const span = (start: string | null | undefined, end: string | null | undefined) => [start, end].flatMap((each) => (each ? [instantOf(each)] : [])).join(" – ");
    return { from: old_start_at || old_finish_at ? span(old_start_at, old_finish_at) : say("plan.undated"), to: span(start_at, finish_at) };
  }
  return { from: dayOf(remedy.from_at), to: dayOf(remedy.to_at) };
}

/** Whose sake: the documents a remedy or a planned order serves, each once. */
export function sakes(rows: object[]): Doc[] {
  const found = new Map<string, Doc>();
  for (const row of rows as (Partial<Doc> & { reason?: string })[]) {
    if (row.number && row.kind && !row.reason) found.set(row.number, { kind: row.kind, id: row.id ?? null, number: row.number });
  }
  return [...found.values()];
}

const modes = ["off", "suggest", "act"] as const;
export const policyModes = modes.map((mode) => ({ mode, word: `plan.mode_${mode}` as WordKey }));

/** How many things a run changed: nothing is told as nothing. */
export function changesOf(run: Run): { moved: Moved[]; fresh: number; gone: number } {
  const { demands = [], messages, proposals } = run.difference;
  return {
    moved: demands,
    fresh: (messages?.new.length ?? 0) + (proposals?.new.length ?? 0),
    gone: (messages?.gone.length ?? 0) + (proposals?.gone.length ?? 0),
  };
}
