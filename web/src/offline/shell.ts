/** Which requests the service worker answers out of its own store: the pages of terminal and phone, and the files they are made of. */

export interface Shell {
  version: string;
  /** Paths of all files the pages load, now or later. */
  files: string[];
}

/** The pages a shop floor opens without the network. */
export const pages = ["/terminal", "/phone"];

export const cachePrefix = "lianzao-shell-";
export const cacheName = (shell: Shell): string => cachePrefix + shell.version;

/** The stored path that answers a request; null: the network's business, as are all words with the server. */
export function storedFor(method: string, url: URL, origin: string, isPage: boolean, shell: Shell): string | null {
  if (method !== "GET" || url.origin !== origin) return null;
  if (isPage) return pages.find((page) => url.pathname === page || url.pathname.startsWith(`${page}/`)) ?? null;
  return shell.files.includes(url.pathname) ? url.pathname : null;
}

/** Stores of other versions: they go when this one takes over, all at once, so that no page mixes parts of two. */
export const outdated = (names: string[], shell: Shell): string[] => names.filter((name) => name.startsWith(cachePrefix) && name !== cacheName(shell));
