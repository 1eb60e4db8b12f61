/** Where the figures of a screen lead: paths of the office. */

import type { InjectionKey } from "vue";

/** Goes to a page of the office; false when a plain link has to do it. */
export const drillKey: InjectionKey<(path: string) => boolean> = Symbol("drill");

export const orderPath = (id: string): string => `/orders/${id}`;
export const docPath = (kind: string, id: string): string => `/doc/${kind.replace(".", "/")}/${id}`;
export const listPath = (kind: string, filters: Record<string, string> = {}): string => {
  const query = new URLSearchParams(filters).toString();
  return `/list/${kind.replace(".", "/")}${query ? `?${query}` : ""}`;
};
