/** What the screen of plan and load is told, and what is worked out of it. */

export interface Cell {
  planned: number;
  capacity: number;
  percent: number | null;
}

export interface HourRow {
  id: string;
  name: string;
  plan: number[];
  good: string[];
  good_total: string;
  scrap_total: string;
  due: number;
  percent: number | null;
}

export interface MachineNow {
  id: string;
  code: string;
  name: string;
  work_center: string | null;
  state: "running" | "idle" | "setup" | "stopped";
  since: string | null;
  reason: string | null;
  planned: boolean;
  expected_until: string | null;
}

export interface OperationRow {
  id: string;
  work_order_id: string;
  number: string;
  sequence: number;
  name: string;
  item: string;
  work_center: string | null;
  status: string;
  planned_start_at: string | null;
  planned_finish_at: string | null;
  quantity: string;
  good_quantity: string;
  overdue: "start" | "finish";
  late_minutes: number;
}

export interface PlanLoad {
  today: string;
  now: string;
  load: { days: string[]; rows: { id: string; name: string; cells: Cell[] }[] } | null;
  hours: { hour_now: number; count: number; rows: HourRow[] } | null;
  machines: { counts: Record<MachineNow["state"], number>; rows: MachineNow[] } | null;
  late: { total: number; rows: OperationRow[] } | null;
  next: { total: number; hours: number; rows: OperationRow[] } | null;
}

export const full = 100;
export const busy = 85;

/** The cell that is fullest: what the heat map's title says. */
export function fullest(load: PlanLoad["load"]): { name: string; day: string; percent: number } | null {
  let found: { name: string; day: string; percent: number } | null = null;
  for (const row of load?.rows ?? [])
    row.cells.forEach((cell, at) => {
      if (cell.percent !== null && (!found || cell.percent > found.percent)) found = { name: row.name, day: load?.days[at] ?? "", percent: cell.percent };
    });
  return found;
}

/** Pieces of one work center, or of all together, hour by hour; what is not yet over has no actual. */
export function byHour(hours: NonNullable<PlanLoad["hours"]>, center: string | null): { from: number; plan: number[]; good: (number | null)[] } {
  const rows = hours.rows.filter((row) => !center || row.id === center);
  const sum = (pick: (row: HourRow) => number) => rows.reduce((all, row) => all + pick(row), 0);
  const plan = Array.from({ length: hours.count }, (_, hour) => Math.round(sum((row) => row.plan[hour] ?? 0) * 10) / 10);
  const good = Array.from({ length: hours.count }, (_, hour) => (hour > hours.hour_now ? null : sum((row) => Number(row.good[hour] ?? 0))));
  const used = plan.map((value, hour) => value > 0 || (good[hour] ?? 0) > 0);
  const from = Math.max(0, used.indexOf(true));
  const until = Math.max(from, used.lastIndexOf(true), hours.hour_now);
  return { from, plan: plan.slice(from, until + 1), good: good.slice(from, until + 1) };
}

/** The machines that fit on a wall, worst first: one that stands still or is set up takes a row of its own. */
export function fitting(machines: MachineNow[], rows: number, columns: number): MachineNow[] {
  const wide = machines.filter((one) => one.state === "stopped" || one.state === "setup").slice(0, rows);
  const others = machines.filter((one) => one.state !== "stopped" && one.state !== "setup");
  return [...wide, ...others.slice(0, (rows - wide.length) * columns)];
}

/** Today in all: good pieces, and what should be there by now. */
export function today(hours: PlanLoad["hours"]): { good: number; due: number; percent: number | null } | null {
  if (!hours) return null;
  const good = hours.rows.reduce((sum, row) => sum + Number(row.good_total), 0);
  const due = hours.rows.reduce((sum, row) => sum + row.due, 0);
  return { good, due, percent: due >= 1 ? Math.round((1000 * good) / due) / 10 : null };
}
