/** The office's navigation: the pages made by hand, then every room with its lists, as far as the viewer may see them. */

import { computed, type ComputedRef } from "vue";
import { roomIcons, type IconName } from "@/kit/icons";
import type { ShellEntry, ShellSection } from "@/kit/shell/AppShell.vue";
import { useMeta } from "@/session/meta";
import { useSession } from "@/session/session";
import { say, type WordKey } from "@/words";

export interface NavPage {
  name: string;
  to: string;
  icon: IconName;
  word: WordKey;
  /** Shown only to those who hold this right, or one of these. */
  right?: string | string[];
  /** Also in the bottom bar of a phone-sized window (three fit). */
  bottom?: boolean;
}

/** Pages made by hand, in the order of navigation. */
export const pages: NavPage[] = [
  { name: "home", to: "/", icon: "home", word: "nav.home", bottom: true },
  { name: "plan", to: "/plan", icon: "plan", word: "nav.plan", right: "planning.view_shortage", bottom: true },
  { name: "kits", to: "/kits", icon: "layers", word: "kit.title", right: "planning.view_shortage" },
  { name: "orders", to: "/orders", icon: "order", word: "nav.orders", right: "sales.view_sales_order", bottom: true },
  { name: "buy", to: "/buy", icon: "cart", word: "nav.buy", right: "procurement.order_requisitions" },
  { name: "shipping", to: "/shipping", icon: "truck", word: "nav.shipping", right: "logistics.view_shipment" },
  { name: "production", to: "/production", icon: "machine", word: "nav.production", right: "production.view_work_order" },
  { name: "shift", to: "/shift", icon: "users", word: "nav.shift", right: "production.view_shift_post" },
  { name: "equipment", to: "/equipment", icon: "tools", word: "nav.equipment", right: "equipment.view_machine_state" },
  { name: "quality", to: "/quality", icon: "shield", word: "nav.quality", right: "quality.view_inspection" },
  { name: "screens", to: "/screens", icon: "chart", word: "nav.screens", right: ["order_progress", "plan_load", "stock_use", "quality_trace", "supplier_performance"].map((name) => `overviews.view_${name}`) },
  { name: "displays", to: "/displays", icon: "globe", word: "nav.displays", right: "access.register_display" },
  { name: "layouts", to: "/layouts", icon: "printer", word: "print.layouts", right: "foundation.write_print_layout" },
];

/** Whether a page is for somebody with these rights. */
export const seer = (may: (right: string) => boolean) => (page: NavPage): boolean => !page.right || [page.right].flat().some(may);

export function useNav(): { sections: ComputedRef<ShellSection[]>; bottom: ComputedRef<ShellEntry[]>; alertsTo: ComputedRef<string | undefined> } {
  const meta = useMeta();
  const session = useSession();
  const shown = computed(() => pages.filter(seer(session.may)));
  const entry = (page: NavPage): ShellEntry => ({ name: page.name, to: page.to, icon: page.icon, title: say(page.word) });
  const rooms = computed<ShellEntry[]>(() => {
    const all = Object.values(meta.meta?.resources ?? {});
    return (meta.meta?.rooms ?? []).map((room) => ({
      name: room.name,
      to: `/list/${room.name}`,
      icon: roomIcons[room.name] ?? "list",
      title: room.title,
      children: all.filter((one) => one.room === room.name).map((one) => ({ to: `/list/${one.room}/${one.entity}`, title: one.titles ?? one.title })),
    }));
  });
  return {
    sections: computed(() => [{ entries: shown.value.map(entry) }, { title: say("nav.rooms"), entries: rooms.value }]),
    bottom: computed(() => shown.value.filter((page) => page.bottom).map(entry)),
    alertsTo: computed(() => (session.may("alerts.view_notice") ? "/alerts" : undefined)),
  };
}
