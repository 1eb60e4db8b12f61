/** The figures of a role's home: which page settles each, and whether it is good, bad, or just so. */

export interface Figure {
  name: string;
  count: number;
  page: string;
}

const paths: Record<string, string> = {
  plan: "/plan", buy: "/buy", orders: "/orders", quality: "/quality", production: "/production", shift: "/shift",
  arrivals: "/list/procurement/asn?status=announced", picks: "/list/inventory/pick_task?status=open", shipments: "/list/logistics/shipment",
};

export const figurePath = (figure: Figure): string | undefined => paths[figure.name] ?? paths[figure.page];

/** What hurts somebody is bad, what waits for a decision warns; a stock of work is neither. */
export function figureTone(figure: Figure): "good" | "bad" | "warn" | "plain" {
  const neutral = ["open_lines", "arrivals", "picks", "shipments", "offers", "work_orders", "proposals"];
  if (neutral.includes(figure.name)) return "plain";
  if (!figure.count) return "good";
  return ["late_lines", "help_calls"].includes(figure.name) ? "bad" : "warn";
}
