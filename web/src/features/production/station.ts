/** The station as the server tells it (GET /api/overviews/station/<work center>), and what a person stages before reporting. */

import type { Told, ToldItem } from "@/session/told";

export interface KitRow {
  material_id: string;
  item: ToldItem;
  needed: string;
  issued: string;
  at_line: string;
  available: string;
  state: "ready" | "in_store" | "missing";
}

export interface Step {
  id: string;
  position: number;
  text: string;
  link: string;
  capture: "none" | "number" | "text" | "check";
  unit: string;
  lower: string | null;
  upper: string | null;
  required: boolean;
  /** What was last written down here and still stands. */
  value: string | null;
  within: boolean | null;
  at: string | null;
}

export type Block = "machine_down" | "material_missing" | "waits_before" | "material_in_store" | "not_released";

export interface Job {
  operation_id: string;
  sequence: number;
  name: string;
  status: string;
  work_order_id: string;
  work_order_number: string;
  work_order_status: string;
  item_id: string;
  item_code: string;
  item_name: string;
  unit: string;
  quantity: string;
  good: string;
  scrap: string;
  rework: string;
  remaining: string;
  available: string;
  planned_start_at: string | null;
  planned_finish_at: string | null;
  due_at: string;
  inspect: boolean;
  instruction: string;
  run_minutes: string;
  steps: Step[];
  /** How a running job keeps up: pieces it should have by now, minutes each took. */
  pace: { expected: string | null; minutes_each: string | null } | null;
  /** Why it cannot be worked on now, the strongest reason first. */
  blocks: Block[];
  kit: KitRow[];
}

export interface MachineRow extends Told {
  state: string;
  state_id: string | null;
  since: string | null;
  reason: Told | null;
  expected_until: string | null;
}

export interface PersonHere {
  /** The stay, which leaving ends. */
  id: string;
  person_id: string;
  name: string;
  since: string;
}

export const causes = ["material", "machine", "quality", "tool", "instruction", "other"] as const;
export type Cause = (typeof causes)[number];

export interface Call {
  id: string;
  number: string;
  status: "open" | "acknowledged";
  cause: Cause;
  work_center: Told;
  called_at: string;
  called_by: string | null;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  note: string;
}

export interface StationAnswer {
  work_center: Told & { site_id: string };
  jobs: Job[];
  machines: MachineRow[];
  scrap_reasons: Told[];
  people: PersonHere[];
  calls: Call[];
}

const mostTopics = 80;

/**
 * Whatever changes a station's queue: its own reports, orders given or moved, machines, and material that its jobs need.
 * What happens at other stations to other orders does not.
 */
export function stationTopics(center: string, answer: StationAnswer | null): string[] {
  const topics = new Set([
    `work_center:${center}`,
    "production.WorkOrderReleased", "production.WorkOrderRescheduled", "production.WorkOrderResized", "production.WorkOrderCompleted", "production.WorkOrderClosed", "production.WorkOrderCancelled",
    "equipment.MachineStopped", "equipment.MachineStarted", "equipment.MachineStateChanged", "equipment.StopForecastChanged", "inventory.LotReleased", "inventory.LotHeld",
  ]);
  const jobs = answer?.jobs ?? [];
  for (const job of jobs) topics.add(`work_order:${job.work_order_id}`);
  for (const job of jobs) for (const row of job.kit) topics.add(`item:${row.item.id}`);
  return topics.size <= mostTopics ? [...topics] : ["production.OperationReported", "production.ReportReversed", "production.MaterialIssued", "inventory.StockMoved", ...topics].slice(0, mostTopics);
}

/** Pieces and starts that wait at this terminal for the network are shown as if the server knew them. */
export function withKept(answer: StationAnswer, reports: Record<string, unknown>[], starts: Record<string, unknown>[]): StationAnswer {
  if (!reports.length && !starts.length) return answer;
  const jobs = answer.jobs.map((job) => {
    const own = reports.filter((body) => body.operation === job.operation_id);
    const begun = own.length > 0 || starts.some((body) => body.operation === job.operation_id);
    if (!begun) return job;
    const sum = (name: Field) => own.reduce((total, body) => total + Number(body[name] ?? 0), 0);
    const [good, scrap, rework] = [sum("good"), sum("scrap"), sum("rework")];
    const plus = (value: string, by: number) => String(Math.max(0, Number(value) + by));
    return {
      ...job,
      status: job.status === "waiting" ? "started" : job.status,
      good: plus(job.good, good),
      scrap: plus(job.scrap, scrap),
      rework: plus(job.rework, rework),
      remaining: plus(job.remaining, -good - scrap),
      available: plus(job.available, -good - scrap - rework),
    };
  });
  return { ...answer, jobs };
}

export type KitState = "ready" | "in_store" | "missing";

/** The worst state of a kit; nothing to fetch is ready. */
export function kitState(kit: KitRow[]): KitState {
  if (kit.some((row) => row.state === "missing")) return "missing";
  return kit.some((row) => row.state === "in_store") ? "in_store" : "ready";
}

export type Field = "good" | "scrap" | "rework";

export interface Staged {
  good: number;
  scrap: number;
  rework: number;
  reason: string | null;
}

export const nothingStaged = (): Staged => ({ good: 0, scrap: 0, rework: 0, reason: null });

/** Add to what is staged; never below zero, never more than may still be reported. */
export function add(staged: Staged, field: Field, by: number, most: number): Staged {
  const others = staged.good + staged.scrap + staged.rework - staged[field];
  const next = Math.max(0, Math.min(staged[field] + by, Math.max(0, most - others)));
  return { ...staged, [field]: next, ...(field === "scrap" && next === 0 ? { reason: null } : {}) };
}

export const set = (staged: Staged, field: Field, to: number, most: number): Staged => add({ ...staged, [field]: 0 }, field, to, most);

/** What keeps a staged report from being sent; null: it can go. */
export function obstacle(staged: Staged): "empty" | "reason" | null {
  if (!staged.good && !staged.scrap && !staged.rework) return "empty";
  return staged.scrap > 0 && !staged.reason ? "reason" : null;
}

/** What was typed at the steps of an instruction and goes with the next report. */
export type Written = Record<string, string>;

/** Steps that must be written down before there is a report, and are not: neither typed now nor kept from before. */
export function unwritten(steps: Step[], written: Written): Step[] {
  return steps.filter((step) => step.required && !written[step.id]?.trim() && step.value === null);
}

/** Whether a typed value lies within a step's limits; null: nothing to say (no limits, or no number yet). */
export function withinLimits(step: Pick<Step, "capture" | "lower" | "upper">, value: string): boolean | null {
  if (step.capture === "check") return value === "yes" ? true : value === "no" ? false : null;
  if (step.capture !== "number" || (step.lower === null && step.upper === null)) return null;
  const number = Number(value);
  if (!value.trim() || !Number.isFinite(number)) return null;
  return (step.lower === null || number >= Number(step.lower)) && (step.upper === null || number <= Number(step.upper));
}

/** Pieces ahead of the plan (negative: behind); null when there is no plan to hold them against. */
export function ahead(job: Pick<Job, "pace" | "good">, staged = 0): number | null {
  const expected = job.pace?.expected;
  return expected === null || expected === undefined ? null : Number(job.good) + staged - Number(expected);
}

/** One tap of the pallet mode: a pallet, or what is left when that is less. */
export const palletOf = (perPallet: number, left: number): number => Math.max(0, Math.min(perPallet, left));

export interface ReportBody {
  operation: string;
  good?: string;
  scrap?: string;
  rework?: string;
  scrap_reason?: string;
  person_id?: string;
  values?: { step: string; value: string }[];
}

/** The body of production.report_operation. Quantities go as text: no float touches them on the way. */
export function reportBody(operation: string, staged: Staged, written: Written = {}, person: string | null = null): ReportBody {
  const body: ReportBody = { operation };
  if (staged.good) body.good = String(staged.good);
  if (staged.scrap) body.scrap = String(staged.scrap);
  if (staged.rework) body.rework = String(staged.rework);
  if (staged.scrap && staged.reason) body.scrap_reason = staged.reason;
  if (person) body.person_id = person;
  const values = Object.entries(written).filter(([, value]) => value.trim());
  if (values.length) body.values = values.map(([step, value]) => ({ step, value: value.trim() }));
  return body;
}

/** Jobs that got other times than they had before: the person is told which. */
export function rescheduled(before: Job[] | null, after: Job[]): string[] {
  if (!before) return [];
  const old = new Map(before.map((job) => [job.operation_id, `${job.planned_start_at} ${job.planned_finish_at}`]));
  return after.filter((job) => old.has(job.operation_id) && old.get(job.operation_id) !== `${job.planned_start_at} ${job.planned_finish_at}`).map((job) => job.operation_id);
}
