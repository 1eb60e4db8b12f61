/** Papers and their layouts as the server tells them (GET /api/overviews/papers, layout). */

export interface PaperRow {
  paper: string;
  title: string;
  kind: string;
}

export interface Layout {
  paper: string;
  kind: string;
  text: string;
  shipped: string;
  changed: boolean;
  version: number | null;
  changed_at: string | null;
  /** A record to try it on; null where there is none yet. */
  sample: string | null;
}

/** What a layout may name, as it is written in it: `item.code`, and `lines › quantity` for what each row has. */
export function namesOf(facts: unknown, before = ""): string[] {
  if (facts === null || typeof facts !== "object") return [];
  return Object.entries(facts).flatMap(([name, value]) => {
    const path = before + name;
    if (Array.isArray(value)) return [path, ...namesOf(value[0], `${path} › `)];
    return value !== null && typeof value === "object" ? namesOf(value, `${path}.`) : [path];
  });
}
