/** What the screen of orders is told, and what is worked out of it. */

export type Stage = "ordered" | "planned" | "ready" | "production" | "quality" | "packed" | "shipped" | "proved";

export interface ThreatenedLine {
  id: string;
  order_id: string;
  number: string;
  sequence: number;
  customer: string | null;
  item: string;
  item_code: string;
  quantity: string;
  unit: string;
  due_on: string;
  projected_on: string | null;
  how: "late" | "risk" | "on_time";
  late_minutes: number;
  short_quantity: string;
  stage: Stage;
  done_percent: number | null;
  reason: { text: string; kind: string | null; id: string | null } | null;
  missing: { item: string; quantity: string; unit: string; need_at: string; ready_at: string | null; kind: string; id: string | null; number: string } | null;
}

export interface OrderProgress {
  today: string;
  stages: { stage: Stage; orders: number; late: number; risk: number }[] | null;
  totals: { orders: number; late: number; risk: number } | null;
  rows: ThreatenedLine[] | null;
  more: number | null;
  due: { on: string; on_time: number; risk: number; late: number; left: number }[] | null;
  kept: { days: number; lines: number; on_time: number; percent: number | null; weeks: { until: string; lines: number; percent: number | null }[] } | null;
  changes: { total: number; moved: number; rows: { id: string; order_id: string; number: string; sequence: number; old_on: string | null; new_on: string; status: string; at: string; customer: string | null }[] } | null;
}

/** What a plant aims at; shown as a line, never as a judgement of a single order. */
export const keptTarget = 95;

/** The weeks from the first with a delivery on; at least two, so that there is a line. */
export function weeksWithFigures<T extends { percent: number | null }>(weeks: T[]): T[] {
  const first = weeks.findIndex((week) => week.percent !== null);
  return first < 0 ? [] : weeks.slice(Math.min(first, weeks.length - 2));
}

/** The least value of the axis: the trend must be seen, but 100 % stays at the top. */
export function keptFloor(percents: (number | null)[]): number {
  const known = percents.filter((one): one is number => one !== null);
  return known.length ? Math.max(0, Math.floor((Math.min(...known, keptTarget) - 5) / 10) * 10) : 0;
}
