/** The phone's pages, each from its room's folder and behind a lazy import. `tabs` are the bottom bar (at most four beside the scan). */

import type { RouteRecordRaw } from "vue-router";
import { withWords } from "@/words";
import type { IconName } from "@/kit/icons";
import type { WordKey } from "@/words";

/** The right without which the warehouse's board is not shown. */
const task = "inventory.view_pick_task";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/SmallLoginPage.vue"), meta: { open: true, bare: true, title: "login.title" } },
  { path: "/", name: "home", component: () => import("@/features/warehouse/WarehouseHome.vue"), meta: { title: "nav.home", right: task } },
  { path: "/receive", name: "receive", component: () => import("@/features/warehouse/ReceiveList.vue"), meta: { title: "phone.receive", right: task } },
  { path: "/receive/:id", component: () => import("@/features/warehouse/ReceivePage.vue"), meta: { title: "phone.receive", right: task } },
  { path: "/picks", name: "picks", component: () => import("@/features/warehouse/PickList.vue"), meta: { title: "phone.picks", right: task } },
  { path: "/picks/:id", component: () => import("@/features/warehouse/PickPage.vue"), meta: { title: "phone.picks", right: task } },
  { path: "/inspect", name: "inspect", component: () => import("@/features/warehouse/InspectList.vue"), meta: { title: "phone.inspect", right: task } },
  { path: "/inspect/:id", component: () => import("@/features/warehouse/InspectPage.vue"), meta: { title: "phone.inspect", right: "quality.view_inspection" } },
  { path: "/ship", name: "ship", component: () => import("@/features/warehouse/ShipList.vue"), meta: { title: "phone.ship", right: task } },
  { path: "/ship/:id", component: () => import("@/features/warehouse/ShipPage.vue"), meta: { title: "phone.ship", right: "logistics.view_shipment" } },
  { path: "/move", name: "move", component: () => import("@/features/warehouse/MovePage.vue"), meta: { title: "stores.putAway", right: "inventory.move_stock" } },
  { path: "/stock", name: "stock", component: () => import("@/features/warehouse/StockPage.vue"), meta: { title: "stores.stock", right: "inventory.view_balance" } },
  { path: "/count", name: "count", component: () => import("@/features/warehouse/CountList.vue"), meta: { title: "stores.count", right: "inventory.view_count_sheet" } },
  { path: "/count/:id", component: () => import("@/features/warehouse/CountPage.vue"), meta: { title: "stores.count", right: "inventory.view_count_sheet" } },
  { path: "/lot/:id", component: () => import("@/features/warehouse/LotPage.vue"), meta: { title: "phone.scan", right: "inventory.view_lot" } },
  { path: "/trace/:id", redirect: (to) => `/lot/${String(to.params.id)}` },
  { path: "/scan", name: "scan", component: () => import("@/features/warehouse/ScanPage.vue"), meta: { title: "phone.scan", right: "inventory.view_lot" } },
  { path: "/screens/:name?", name: "screens", component: () => withWords("screens", () => import("@/features/screens/ScreensPage.vue")), meta: { title: "screens.title" } },
  { path: "/print/:paper/:id", name: "print", component: () => import("@/features/printing/PrintPage.vue"), meta: { title: "print.title" } },
  { path: "/no-right", component: () => import("@/features/access/WelcomePage.vue"), meta: { title: "noRight.title" } },
  { path: "/me", component: () => import("@/features/access/MePage.vue"), meta: { title: "nav.me" } },
  { path: "/:rest(.*)*", redirect: "/" },
];

export interface PhoneTab {
  name: string;
  to: string;
  icon: IconName;
  word: WordKey;
  right?: string;
}

export const tabs: PhoneTab[] = [
  { name: "home", to: "/", icon: "home", word: "nav.home" },
  { name: "receive", to: "/receive", icon: "truck", word: "phone.receive", right: "procurement.receive_goods" },
  { name: "picks", to: "/picks", icon: "box", word: "phone.picks", right: "inventory.confirm_pick" },
  { name: "inspect", to: "/inspect", icon: "shield", word: "phone.inspect", right: "quality.accept_inspection" },
  { name: "me", to: "/me", icon: "user", word: "nav.me" },
];

/** Where a scan leads when the open page does not take it itself; null: no big scan button. */
export const scanPath: string | null = "/scan";
