/** The page of a record in this app: the one made by hand where there is one, else the generic one, else none. */

import { useRouter } from "vue-router";
import { useMeta } from "@/session/meta";

/** Kinds whose page was made by hand: the route's name and its parameter. */
const own: Record<string, [string, string]> = { "sales.sales_order": ["order", "id"], "inventory.lot": ["trace", "lot"], "catalog.item": ["item", "id"], "procurement.purchase_order": ["purchase", "id"] };

export function useDocPath(): (kind: string | null | undefined, id: string | null | undefined) => string | null {
  const meta = useMeta();
  const router = useRouter();
  return (kind, id) => {
    if (!kind || !id || !meta.resource(kind)) return null;
    const hand = own[kind];
    if (hand && router.hasRoute(hand[0])) return router.resolve({ name: hand[0], params: { [hand[1]]: id } }).fullPath;
    return router.hasRoute("doc") ? meta.pathOf(kind, id) : null;
  };
}
