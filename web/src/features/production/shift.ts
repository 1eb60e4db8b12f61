/** The production lead's board as the server tells it (GET /api/overviews/shift). */

import type { Told } from "@/session/told";
import type { Block, Call, MachineRow, PersonHere } from "./station";

export interface ShiftJob {
  operation_id: string;
  work_order_id: string;
  number: string;
  sequence: number;
  name: string;
  item: string;
  unit: string;
  quantity: string;
  good: string;
  planned: string;
  status: string;
  planned_start_at: string | null;
  planned_finish_at: string | null;
  due_at: string;
  late: boolean;
  blocks: Block[];
}

export interface Post {
  id: string;
  person_id: string;
  name: string;
}

export interface CenterRow {
  center: Told;
  planned: string;
  good: string;
  scrap: string;
  by_hour: { hour: number; good: string; scrap: string }[];
  jobs: ShiftJob[];
  job_count: number;
  stuck: number;
  machines: MachineRow[];
  people: PersonHere[];
  posts: Post[];
  calls: Call[];
}

export interface Note {
  id: string;
  text: string;
  important: boolean;
  work_center: Told | null;
  written_at: string;
  written_by: string | null;
  seen_to_at: string | null;
  seen_to_by: string | null;
}

export interface Span {
  name: string;
  starts_at: string;
  ends_at: string;
}

export interface ShiftAnswer {
  now: string;
  shift: Span;
  next: Span;
  following: boolean;
  hours: number;
  confirmed: { at: string; people: number; by: string | null } | null;
  centers: CenterRow[];
  crew: { id: string; name: string }[];
  notes: Note[];
}

export const shiftTopics = [
  "production.OperationReported", "production.ReportReversed", "production.OperationStarted", "production.OperationPaused", "production.OperationsScheduled", "production.WorkOrderReleased", "production.WorkOrderCompleted", "production.WorkOrderClosed",
  "production.HelpCalled", "production.HelpAcknowledged", "production.HelpEnded", "production.PersonCame", "production.PersonLeft", "production.ShiftStaffed", "production.ShiftNoteWritten",
  "equipment.MachineStopped", "equipment.MachineStarted", "equipment.MachineStateChanged", "equipment.StopForecastChanged", "equipment.StopClassified",
];

/** The share of a shift that is over, from 0 to 1. */
export function shiftShare(span: Span, now: string | Date): number {
  const [begin, end, at] = [Date.parse(span.starts_at), Date.parse(span.ends_at), new Date(now).getTime()];
  return end <= begin ? 0 : Math.max(0, Math.min(1, (at - begin) / (end - begin)));
}

export interface HourBar {
  hour: number;
  good: number;
  scrap: number;
  /** Pieces this hour should have made, the shift's plan spread evenly over its hours. */
  due: number;
  future: boolean;
}

/** One bar for each hour of a shift, also those in which nothing was made. */
export function hourBars(row: Pick<CenterRow, "by_hour" | "planned">, hours: number, span: Span, now: string): HourBar[] {
  const made = new Map(row.by_hour.map((each) => [each.hour, each]));
  const begin = Date.parse(span.starts_at);
  return Array.from({ length: hours }, (_, hour) => ({
    hour,
    good: Number(made.get(hour)?.good ?? 0),
    scrap: Number(made.get(hour)?.scrap ?? 0),
    due: Number(row.planned) / hours,
    future: begin + hour * 3_600_000 > Date.parse(now),
  }));
}

/** What needs the lead most comes first: calls, stops, jobs that cannot go on, then pieces behind; idle centers last. */
export function rank(row: CenterRow, share: number): number {
  const stops = row.machines.filter((machine) => machine.state === "stopped").length;
  const open = row.calls.filter((call) => call.status === "open").length;
  const behind = Math.max(0, Number(row.planned) * share - Number(row.good)) / Math.max(1, Number(row.planned));
  const idle = !row.jobs.length && !row.people.length && !row.calls.length;
  return open * 1000 + row.calls.length * 300 + stops * 200 + row.stuck * 20 + behind * 10 - (idle ? 1 : 0);
}

/** Who of the crew has no post in this shift. */
export function unposted(answer: ShiftAnswer): { id: string; name: string }[] {
  const posted = new Set(answer.centers.flatMap((row) => row.posts.map((post) => post.person_id)));
  return answer.crew.filter((person) => !posted.has(person.id));
}
