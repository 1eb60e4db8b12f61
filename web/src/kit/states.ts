/** The seven states every screen draws alike, and which of them a business status is. */

export type State = "planned" | "ready" | "running" | "setup" | "down" | "hold" | "done" | "cancelled";

const meanings: Record<State, string> = {
  planned: "draft planned new proposed firmed created requested quoted pending waiting queued scheduled idle unread inactive none offline",
  ready: "ready usable confirmed released approved accepted sent open ordered announced acknowledged available active dispatched allocated picked packed submitted standby enabled loaded assigned",
  running: "running started in_progress producing active_run partially_received partially_shipped partial in_transit shipping receiving counting inspecting ok normal passed online busy processing",
  setup: "setup paused changeover suspended interrupted waiting_material slow warning blocked_short expiring in_review under_review escalated amended delayed overdue",
  down: "down stopped failed error broken rejected breakdown refused parked critical scrapped disputed lost alarm out_of_control",
  hold: "hold held on_hold locked quarantine quarantined blocked nonconforming frozen restricted",
  done: "done completed finished closed shipped delivered received posted released_lot paid settled resolved issued counted consumed invoiced verified implemented",
  cancelled: "cancelled canceled voided void withdrawn retired obsolete expired superseded declined reversed merged",
};

const byStatus = new Map<string, State>();
for (const [state, words] of Object.entries(meanings)) for (const word of words.split(" ")) byStatus.set(word, state as State);

/** The state a business status is drawn as; unknown words count as planned (a ring says nothing wrong). */
export function stateOf(status: string | null | undefined): State {
  return byStatus.get((status ?? "").toLowerCase()) ?? "planned";
}
