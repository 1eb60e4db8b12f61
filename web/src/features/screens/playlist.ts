/** Which screen is on, and the next. Pure, so that the rotation can be tested without waiting. */

/** The place after this one; the same when there is only one. */
export function nextPlace(place: number, count: number): number {
  return count > 0 ? (place + 1) % count : 0;
}

/** Where the screen that is on stands in a list that has changed; the first when it is gone. */
export function placeIn(list: string[], shown: string | undefined): number {
  return Math.max(0, list.indexOf(shown ?? ""));
}

/** How much a 1920 x 1080 page is enlarged to fill a window, and where it then begins. */
export function fitted(width: number, height: number): { scale: number; left: number; top: number } {
  const scale = Math.max(0.1, Math.min(width / 1920, height / 1080));
  return { scale, left: (width - 1920 * scale) / 2, top: (height - 1080 * scale) / 2 };
}

/** The parts a page is made of, so that a new version is noticed: the hashed names in its scripts and sheets. */
export function buildOf(html: string): string {
  return [...html.matchAll(/\/assets\/[\w.-]+\.(?:js|css)/g)].map((match) => match[0]).sort().join(" ");
}
