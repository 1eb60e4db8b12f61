/** What a chart shows, said without any drawing: the same figures make the drawing, the table twin and the words for screen readers. */

/** Good or bad, never up or down: an arrow says the direction, a tone says what it means. */
export type Tone = "good" | "warn" | "bad" | "brand" | "hold" | "muted" | "plain";

export interface Series {
  name: string;
  /** One per category; null: nothing known, drawn as a gap. */
  values: (number | null)[];
  tone?: Tone;
  /** Drawn as a line over the bars. */
  line?: boolean;
  dashed?: boolean;
  /** A line that holds until the next category (a plan by the hour). */
  step?: boolean;
}

interface Common {
  categories: string[];
  series: Series[];
  /** Behind every figure: `件`, `%`. */
  unit?: string;
  decimals?: number;
  /** A line across: what is aimed at. */
  target?: { value: number; name: string };
  /** The greatest value of the axis, when it is not to follow the figures (100 %). */
  most?: number;
  /** The least value of the axis; 0 unless said. */
  least?: number;
}

export interface BarFigures extends Common {
  kind: "bars";
  /** Bars lie, with the category before them: for long names, worst first. */
  lying?: boolean;
  /** A tone for each bar of the first series. */
  tones?: (Tone | undefined)[];
}

export interface StackFigures extends Common {
  kind: "stacked";
  lying?: boolean;
}

export interface LineFigures extends Common {
  kind: "lines";
}

/** Causes by size, worst first, and the share that they make up together. */
export interface ParetoFigures {
  kind: "pareto";
  categories: string[];
  values: number[];
  name: string;
  unit?: string;
  decimals?: number;
}

export interface HeatFigures {
  kind: "heat";
  categories: string[];
  rows: string[];
  /** By row, then by category; null: closed, or nothing to say. */
  cells: (number | null)[][];
  unit?: string;
  decimals?: number;
  /** Above which a cell warns, and above which it is bad. */
  warnAbove: number;
  badAbove: number;
  /** The word for a cell that is null. */
  closed?: string;
}

/** What the engine draws; a heat map is a table in colours, which needs no drawing and is its own twin. */
export type DrawnFigures = BarFigures | StackFigures | LineFigures | ParetoFigures;
export type Figures = DrawnFigures | HeatFigures;

export interface Twin {
  columns: string[];
  rows: { name: string; cells: (number | null)[] }[];
}

/** How much of the whole the causes up to each one make up, in percent. */
export function cumulated(values: number[]): number[] {
  const all = values.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  return values.map((value) => ((sum += value), all > 0 ? Math.round((1000 * sum) / all) / 10 : 0));
}

/** The same figures as a table: one row per category, or per row of a heat map. */
export function twinOf(figures: Figures, words: { share: string }): Twin {
  if (figures.kind === "heat") return { columns: figures.categories, rows: figures.rows.map((name, row) => ({ name, cells: figures.cells[row] ?? [] })) };
  if (figures.kind === "pareto") {
    const shares = cumulated(figures.values);
    return { columns: [figures.name, words.share], rows: figures.categories.map((name, at) => ({ name, cells: [figures.values[at] ?? null, shares[at] ?? null] })) };
  }
  const columns = [...figures.series.map((one) => one.name), ...(figures.target ? [figures.target.name] : [])];
  return {
    columns,
    rows: figures.categories.map((name, at) => ({ name, cells: [...figures.series.map((one) => one.values[at] ?? null), ...(figures.target ? [figures.target.value] : [])] })),
  };
}

/** Whether there is anything to draw. */
export function isEmpty(figures: Figures): boolean {
  if (!figures.categories.length) return true;
  if (figures.kind === "heat") return !figures.cells.some((row) => row.some((cell) => cell !== null));
  if (figures.kind === "pareto") return !figures.values.some((value) => value > 0);
  return !figures.series.some((one) => one.values.some((value) => value !== null));
}

/** What a heat map's cell says. */
export function heatTone(figures: Pick<HeatFigures, "warnAbove" | "badAbove">, value: number | null): Tone {
  if (value === null) return "muted";
  if (value > figures.badAbove) return "bad";
  return value > figures.warnAbove ? "warn" : "good";
}
