/**
 * The five screens. How one is added:
 *
 * 1. Server: `lianzao/overviews/<name>.py` with a function `(by, site_id) -> dict`; a route `/screen/<name>` in
 *    `overviews/api.py`, which asks for the right `overviews.view_<name>` by `screen_viewer`. Each part asks `sees(by,
 *    "<room>.view_<entity>")` first and is `None` for who may not see it: the pages then say 无权限, never 0. A wall
 *    display was given its screens whole, so `sees` lets it through; what is masked (money) it never sees.
 * 2. Which rooms' news a wall hears for it stands in `lianzao/access/screens.json`.
 * 3. Here: an entry in `screens`, with its topics (events that carry a site, as a wall hears only those) and its page.
 * 4. The page: `<Name>Screen.vue` with the props `ScreenProps`. It is laid out with `Panel`, `Figure`, `Chart`, `HeatMap`,
 *    `Drill` of this folder and the kit. Its root has the class `screen-page`: on the wall it fills 1888 x 960 px without
 *    scroll bars, at a desk and on a phone it flows (container queries, see wall.css). Sizes by tokens only.
 * 5. Words: its title `screens.<name>` in zh.json and en.json; what it says below `<name>.` in screens.zh.json and
 *    screens.en.json, which are fetched with the pages.
 */

import { defineAsyncComponent, type Component } from "vue";
import { speakAlso, type WordKey } from "@/words";
import type { IconName } from "@/kit/icons";

export interface ScreenProps<T> {
  data: T;
  /** On a wall: no links, no buttons, everything visible at once. */
  wall: boolean;
}

export interface Screen {
  name: string;
  title: WordKey;
  right: string;
  icon: IconName;
  topics: string[];
  page: Component;
}

const screen = (name: string, icon: IconName, topics: string[], page: () => Promise<{ default: Component }>): Screen => ({
  name,
  title: `screens.${name}` as WordKey,
  right: `overviews.view_${name}`,
  icon,
  topics,
  page: defineAsyncComponent(async () => (await Promise.all([page(), speakAlso("screens")]))[0]),
});

export const screens: Screen[] = [
  screen(
    "order_progress",
    "order",
    ["planning.PlanChanged", "sales.OrderConfirmed", "sales.OrderCancelled", "sales.OrderClosed", "sales.OrderLineChanged", "sales.OrderLineCancelled", "sales.PromiseMade", "sales.PromiseOffered", "sales.PromiseAccepted", "sales.PromiseDeclined", "sales.LineShipped", "sales.LineDelivered", "sales.LineProjected", "production.WorkOrderReleased", "production.WorkOrderCompleted", "production.OperationStarted", "production.OperationReported", "production.ReportReversed", "logistics.ShipmentPacked", "logistics.ShipmentDispatched", "logistics.ShipmentDelivered", "quality.InspectionOpened", "quality.InspectionAccepted", "quality.InspectionRejected"],
    () => import("./OrderProgressScreen.vue"),
  ),
  screen(
    "plan_load",
    "machine",
    ["planning.PlanChanged", "production.OperationStarted", "production.OperationReported", "production.ReportReversed", "production.OperationsScheduled", "production.WorkOrderReleased", "production.WorkOrderCompleted", "production.WorkOrderClosed", "equipment.MachineStarted", "equipment.MachineStopped", "equipment.MachineStateChanged", "equipment.StopClassified", "equipment.StopForecastChanged", "plant.WorkingTimeChanged"],
    () => import("./PlanLoadScreen.vue"),
  ),
  screen(
    "stock_use",
    "warehouse",
    ["inventory.StockMoved", "inventory.StockCounted", "inventory.StockReserved", "inventory.ReservationVoided", "inventory.IssueUncovered", "inventory.IssueCovered", "inventory.LotHeld", "inventory.LotReleased", "planning.PlanChanged", "production.MaterialIssued", "production.MaterialReturned", "production.OperationReported", "production.ReportReversed", "production.WorkOrderCompleted", "procurement.ShipmentAnnounced", "procurement.ShipmentWithdrawn", "procurement.GoodsReceived", "procurement.GoodsReceiptReversed", "procurement.ScheduleConfirmed"],
    () => import("./StockUseScreen.vue"),
  ),
  screen(
    "quality_trace",
    "shield",
    ["production.OperationReported", "production.ReportReversed", "quality.InspectionOpened", "quality.MeasurementsRecorded", "quality.InspectionAccepted", "quality.InspectionHeld", "quality.InspectionRejected", "quality.InspectionCancelled", "inventory.LotHeld", "inventory.LotReleased", "inventory.StockMoved", "alerts.AlertRaised", "alerts.AlertTaken", "alerts.AlertClosed"],
    () => import("./QualityTraceScreen.vue"),
  ),
  screen(
    "supplier_performance",
    "truck",
    ["procurement.PurchaseOrderSent", "procurement.PurchaseOrderRecalled", "procurement.PurchaseOrderClosed", "procurement.ScheduleConfirmed", "procurement.ScheduleChanged", "procurement.ScheduleLineCancelled", "procurement.ShipmentAnnounced", "procurement.ArrivalDelayed", "procurement.ArrivalAdvanced", "procurement.GoodsReceived", "procurement.GoodsReceiptReversed", "logistics.ShipmentPlanned", "logistics.ShipmentPacked", "logistics.ShipmentDispatched", "logistics.ShipmentReturned", "logistics.MilestoneReached", "logistics.ShipmentDelivered", "logistics.ShipmentCancelled", "planning.PlanChanged"],
    () => import("./SupplierPerformanceScreen.vue"),
  ),
];

export const screenOf = (name: string): Screen | undefined => screens.find((one) => one.name === name);
