/** Spans as clocks, and a day as a strip: pure. */

/** `4:07`, `1:02:30`: a running clock of milliseconds; never below zero. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (part: number) => String(part).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Where a span lies in a day, in percent of it; null when it lies outside. */
export function placed(from: string | number, until: string | number, dayFrom: string, dayUntil: string): { left: number; width: number } | null {
  const ms = (at: string | number) => (typeof at === "number" ? at * 1000 : Date.parse(at));
  const [begin, end] = [Date.parse(dayFrom), Date.parse(dayUntil)];
  const start = Math.max(begin, ms(from));
  const stop = Math.min(end, ms(until));
  if (stop <= start || end <= begin) return null;
  return { left: (100 * (start - begin)) / (end - begin), width: (100 * (stop - start)) / (end - begin) };
}
