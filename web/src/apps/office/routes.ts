/** The office's pages. Pages of a room live in features/<room> and are added here, each behind a lazy import. */

import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/features/access/LoginPage.vue"), meta: { open: true, bare: true, title: "login.title" } },
  { path: "/password", name: "password", component: () => import("@/features/access/PasswordPage.vue"), meta: { title: "password.title" } },
  { path: "/", name: "home", component: () => import("@/features/home/HomePage.vue"), meta: { title: "nav.home" } },
  { path: "/plan", name: "plan", component: () => import("@/features/planning/PlanBoardPage.vue"), meta: { title: "plan.title", right: "planning.view_shortage" } },
  { path: "/kits", name: "kits", component: () => import("@/features/planning/KittingPage.vue"), meta: { title: "kit.title", right: "planning.view_shortage" } },
  { path: "/pegs/:kind/:id", name: "pegging", component: () => import("@/features/planning/PeggingPage.vue"), meta: { title: "peg.title", right: "planning.view_shortage" } },
  { path: "/items/:id", name: "item", component: () => import("@/features/engineering/ItemPage.vue"), meta: { title: "item.tree", right: "catalog.view_item" } },
  { path: "/orders", name: "orders", component: () => import("@/features/sales/OrdersPage.vue"), meta: { title: "nav.orders", right: "sales.view_sales_order" } },
  { path: "/orders/:id", name: "order", component: () => import("@/features/sales/Order360Page.vue"), meta: { title: "nav.orders", right: "sales.view_sales_order" } },
  { path: "/buy", name: "buy", component: () => import("@/features/procurement/BuyPage.vue"), meta: { title: "nav.buy", right: "procurement.view_purchase_order" } },
  { path: "/quality", name: "quality", component: () => import("@/features/quality/QualityPage.vue"), meta: { title: "nav.quality", right: "quality.view_inspection" } },
  { path: "/trace/:lot", name: "trace", component: () => import("@/features/quality/TracePage.vue"), meta: { title: "trace.title", right: "inventory.view_lot" } },
  { path: "/production", name: "production", component: () => import("@/features/production/ProductionPage.vue"), meta: { title: "nav.production", right: "production.view_work_order" } },
  { path: "/screens/:name?", name: "screens", component: () => import("@/features/screens/ScreensPage.vue"), meta: { title: "screens.title" } },
  { path: "/displays", name: "displays", component: () => import("@/features/screens/DisplaysPage.vue"), meta: { title: "displays.title", right: "access.view_display" } },
  { path: "/shift", name: "shift", component: () => import("@/features/production/ShiftPage.vue"), meta: { title: "nav.shift", right: "production.view_work_order" } },
  { path: "/equipment", name: "equipment", component: () => import("@/features/equipment/EquipmentPage.vue"), meta: { title: "nav.equipment", right: "equipment.view_machine_state" } },
  { path: "/alerts", name: "alerts", component: () => import("@/features/alerts/InboxPage.vue"), meta: { title: "alerts.title" } },
  { path: "/list/:room/:entity", name: "list", component: () => import("@/features/records/ListPage.vue") },
  { path: "/doc/:room/:entity/:id", name: "doc", component: () => import("@/features/records/DocPage.vue") },
  { path: "/doc/:room/:entity/:id/edit", name: "edit", component: () => import("@/features/records/FormPage.vue") },
  { path: "/new/:room/:entity", name: "new", component: () => import("@/features/records/FormPage.vue") },
  { path: "/do/:room/:command", name: "do", component: () => import("@/features/records/CommandPage.vue") },
  { path: "/import/:room/:entity", name: "import", component: () => import("@/features/records/ImportPage.vue") },
  { path: "/no-right", component: () => import("@/features/home/NoRightPage.vue"), meta: { title: "noRight.title" } },
  { path: "/:rest(.*)*", component: () => import("@/features/home/NotFoundPage.vue"), meta: { title: "notFound.title" } },
];
