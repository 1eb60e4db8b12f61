/** What the screen of suppliers and shipping is told, and what is worked out of it. */

import type { Tone } from "@/kit/chart/figures";
import type { Told, ToldItem } from "@/session/told";

export interface RefusedRow {
  supplier: Told;
  unit: string;
  lines: number;
  left_out: number;
  delivered: string;
  refused: string;
  share: string | null;
  ppm: number | null;
}

export interface SupplierRow {
  supplier: Told;
  due: number;
  on_time: number;
  missing: number;
  share: string | null;
}

export interface ExpectedRow {
  id: string;
  item: ToldItem;
  supplier: Told;
  purchase_order_id: string;
  number: string;
  quantity: string;
  required_on: string;
  expected_on: string;
  status: string;
  overdue: boolean;
  unconfirmed: boolean;
  days_late: number;
  needs: number;
}

export interface ShipmentRow {
  id: string;
  number: string;
  status: string;
  place: "due" | "ready" | "on_way";
  late: boolean;
  due_on: string;
  dispatched_at: string | null;
  eta_at: string | null;
  customer: Told;
  carrier: Told | null;
}

export interface ExpectedDay {
  on: string;
  deliveries: number;
  overdue: number;
  hurting: number;
  late: number;
  unconfirmed: number;
}

export interface TransitRow {
  carrier: Told | null;
  shipments: number;
  on_time: number;
  share: string | null;
  planned_hours: number;
  actual_hours: number;
  worst_hours: number;
}

export interface SupplierPerformance {
  today: string;
  masked: string[];
  deliveries: { days: number; due: number; on_time: number; share: string | null; suppliers: number; rows: SupplierRow[]; lateness: { name: string; count: number }[] } | null;
  confirmations: { days: number; open: number; oldest_hours: number | null; answered: number; median_hours: number | null; slow_hours: number | null; rows: { supplier: Told; deliveries: number; sent_at: string; hours: number }[] } | null;
  refused: { days: number; suppliers: number; rows: RefusedRow[] } | null;
  expected: { days: number; deliveries: number; by_day: ExpectedDay[]; rows: ExpectedRow[] } | null;
  shipments: { due: number; ready: number; on_way: number; today: number; late: number; proof: number; rows: ShipmentRow[] } | null;
  transit: { days: number; shipments: number; on_time: number; share: string | null; rows: TransitRow[] } | null;
}

export interface DeliveryRow {
  id: string;
  item: ToldItem;
  purchase_order_id: string;
  number: string;
  quantity: string;
  received: string;
  status: string;
  due_on: string;
  full_on: string | null;
  days_late: number;
}

export const otifTarget = 95;

export function otifTone(share: string | null | undefined): Tone {
  if (share === null || share === undefined) return "muted";
  return Number(share) >= otifTarget ? "good" : Number(share) >= otifTarget - 10 ? "warn" : "bad";
}

/** Good deliveries come early or on their day; from three days on they hurt. */
export const lateTones: Record<string, Tone> = { early: "good", on_day: "good", days_1_2: "warn", days_3_5: "bad", days_6_10: "bad", longer: "bad", missing: "bad" };

export type Risk = "overdue" | "hurting" | "late" | "unconfirmed" | "safe";

/** The first thing that makes a delivery uncertain; the server counts it in the same order. */
export function riskOf(row: Pick<ExpectedRow, "overdue" | "needs" | "days_late" | "unconfirmed">): Risk {
  if (row.overdue) return "overdue";
  if (row.needs > 0) return "hurting";
  if (row.days_late > 0) return "late";
  return row.unconfirmed ? "unconfirmed" : "safe";
}

export const risky = (days: ExpectedDay[]): number => days.reduce((sum, day) => sum + day.overdue + day.hurting + day.late + day.unconfirmed, 0);

export const riskShape: Record<Risk, string> = { overdue: "■", hurting: "■", late: "▲", unconfirmed: "?", safe: "●" };
export const riskTone: Record<Risk, Tone> = { overdue: "bad", hurting: "bad", late: "warn", unconfirmed: "warn", safe: "good" };

/** Of several, the ones late most often; named in the title. */
export const worstSupplier = (rows: SupplierRow[]): SupplierRow | undefined => rows.find((row) => row.share !== null && Number(row.share) < otifTarget);
