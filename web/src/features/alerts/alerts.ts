/** The inbox as the server tells it (GET /api/alerts/inbox), and the bell that counts it. */

import { computed, watch } from "vue";
import { badges } from "@/kit/shell/badges";
import { useLoaded } from "@/live/useLoaded";
import { useSession } from "@/session/session";

export interface NoticeRow {
  id: string;
  alert_id: string;
  number: string;
  title: string;
  body: string;
  severity: "info" | "warning" | "critical";
  status: "open" | "taken" | "done" | "expired";
  event: string;
  event_title: string;
  subject: { kind: string; id: string; label: string | null } | null;
  raised_at: string;
  last_at: string;
  age_minutes: number;
  repeats: number;
  due_at: string | null;
  overdue: boolean;
  read_at: string | null;
  owner?: { id: string; name: string } | string | null;
  mine?: boolean;
  cause_order_id?: string | null;
  step?: number;
  note?: string;
}

export interface Counts {
  unread: number;
  open: number;
  mine: number;
  overdue: number;
  critical: number;
}

export interface Inbox {
  rows: NoticeRow[];
  total: number;
  counts: Counts;
}

export type Show = "open" | "unread" | "mine" | "all";

/** What changes a person's inbox, on whatever screen. */
export const inboxTopics = (person: string | undefined): string[] => (person ? [`person:${person}`] : []);

export const ownerName = (row: NoticeRow): string => (!row.owner ? "" : typeof row.owner === "string" ? row.owner : row.owner.name);
export const living = (row: NoticeRow): boolean => row.status === "open" || row.status === "taken";

/** Keeps the number on the bell right while the person is signed in. */
export function useBell(): void {
  const session = useSession();
  const person = computed(() => session.me?.person.id);
  const listens = computed(() => Boolean(person.value) && session.may("alerts.view_notice"));
  const { data } = useLoaded<Counts>(() => (listens.value ? "/api/alerts/inbox/counts" : null), { topics: () => inboxTopics(person.value) });
  watch(data, (now) => (badges.alerts = now?.unread ?? 0));
}
