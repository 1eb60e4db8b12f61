/** The colours and sizes of charts, taken from the tokens that hold where the chart stands: light, dark or wall. */

import type { Tone } from "./figures";

export interface ChartTheme {
  tones: Record<Tone, string>;
  text: string;
  axis: string;
  line: string;
  surface: string;
  /** Text on a filled bar or cell. */
  onTone: string;
  font: string;
  size: number;
  strong: number;
  motionMs: number;
}

export function themeOf(element: Element): ChartTheme {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const pixels = (name: string, otherwise: number) => Number.parseFloat(token(name)) || otherwise;
  return {
    tones: { good: token("--chart-good"), warn: token("--chart-warn"), bad: token("--chart-bad"), brand: token("--chart-brand"), hold: token("--chart-hold"), muted: token("--chart-muted"), plain: token("--text") },
    text: token("--text"),
    axis: token("--chart-axis"),
    line: token("--line"),
    surface: token("--surface"),
    onTone: token("--chart-on"),
    font: style.fontFamily,
    size: pixels("--chart-fs", 12),
    strong: pixels("--chart-fs-strong", 13),
    motionMs: pixels("--chart", 0),
  };
}
