/** From wall-clock time in the site's zone to an instant. */

import { instantParts } from "@/session/format";

/** The instant at which clocks in the shown zone read `day` `time`; null when the text is no date. */
export function zonedInstant(day: string, time: string): string | null {
  const wanted = Date.parse(`${day}T${time}:00Z`);
  if (Number.isNaN(wanted)) return null;
  let guess = wanted;
  // Twice: the second pass corrects a guess that fell on the other side of a clock change.
  for (let pass = 0; pass < 2; pass += 1) {
    const seen = instantParts(new Date(guess));
    guess += wanted - Date.parse(`${seen.year}-${seen.month}-${seen.day}T${seen.hour}:${seen.minute}:00Z`);
  }
  return new Date(guess).toISOString();
}
