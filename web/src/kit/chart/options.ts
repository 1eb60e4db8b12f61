/** From figures to ECharts' options: direct labels before legends, bars before gauges, the target as a line. Pure. */

import type { EChartsCoreOption } from "echarts/core";
import { cumulated, type BarFigures, type DrawnFigures, type LineFigures, type ParetoFigures, type Series, type StackFigures } from "./figures";
import type { ChartTheme } from "./theme";

type Say = (value: number, decimals?: number) => string;
interface Item {
  value: number | null;
  itemStyle?: object;
  label?: object;
}

const base = (theme: ChartTheme): EChartsCoreOption => ({
  animationDuration: theme.motionMs,
  animationDurationUpdate: theme.motionMs,
  animation: theme.motionMs > 0,
  textStyle: { fontFamily: theme.font, color: theme.text, fontSize: theme.size },
});

const axisText = (theme: ChartTheme) => ({ color: theme.axis, fontSize: theme.size, fontFamily: theme.font });

function categoryAxis(theme: ChartTheme, names: string[], lying = false): object {
  return {
    type: "category",
    data: names,
    inverse: lying,
    axisTick: { show: false },
    axisLine: { show: !lying, lineStyle: { color: theme.line } },
    axisLabel: { ...axisText(theme), ...(lying ? { color: theme.text, width: theme.size * 9, overflow: "truncate" } : { hideOverlap: true }) },
  };
}

function valueAxis(theme: ChartTheme, figures: { most?: number; least?: number }, say: Say, quiet = false): object {
  return {
    type: "value",
    min: figures.least ?? 0,
    max: figures.most,
    minInterval: 1,
    splitNumber: 3,
    axisLabel: { ...axisText(theme), show: !quiet, formatter: (value: number) => say(value) },
    splitLine: { show: !quiet, lineStyle: { color: theme.line } },
  };
}

const targetLine = (theme: ChartTheme, target: { value: number; name: string }, lying: boolean, aside = false) => ({
  silent: true,
  symbol: "none",
  lineStyle: { color: theme.text, width: 2, type: "solid" },
  label: { show: true, formatter: target.name, position: lying ? "start" : aside ? "end" : "insideStartTop", color: theme.axis, fontSize: theme.size },
  data: [lying ? { xAxis: target.value } : { yAxis: target.value }],
});

function lineOf(theme: ChartTheme, one: Series, say: Say, figures: { unit?: string; decimals?: number }, named: boolean): object {
  const last = one.values.reduce<number>((found, value, at) => (value === null ? found : at), -1);
  const colour = theme.tones[one.tone ?? "brand"];
  return {
    type: "line",
    name: one.name,
    // On one level with bars, so that their figures stand above the line.
    z: 2,
    step: one.step ? "middle" : undefined,
    symbol: one.step || one.dashed ? "none" : "circle",
    symbolSize: theme.size / 2,
    lineStyle: { color: colour, width: Math.max(2, theme.size / 8), type: one.dashed ? "dashed" : "solid" },
    itemStyle: { color: colour },
    connectNulls: false,
    data: one.values.map<Item>((value, at) => ({
      value,
      // A line is named where it ends, so that nobody has to look for a legend.
      label: named && at === last ? { show: true, position: "right", distance: 8, formatter: `${one.name} ${say(value ?? 0, figures.decimals)}${figures.unit ?? ""}`, color: colour, fontWeight: 700, fontSize: theme.strong } : { show: false },
    })),
  };
}

function bars(theme: ChartTheme, figures: BarFigures | StackFigures, say: Say): EChartsCoreOption {
  const lying = Boolean(figures.lying);
  const stacked = figures.kind === "stacked";
  // A line across the bars would run through figures above them.
  const crossed = !lying && figures.series.some((one) => one.line);
  const drawn = figures.series.filter((one) => !one.line);
  const series = figures.series.map((one) => {
    if (one.line) return lineOf(theme, one, say, figures, false);
    const first = one === drawn[0];
    const tones = figures.kind === "bars" && first ? figures.tones : undefined;
    const colour = theme.tones[one.tone ?? "brand"];
    return {
      type: "bar",
      name: one.name,
      stack: stacked ? "all" : undefined,
      barMaxWidth: lying ? theme.size * 1.1 : theme.size * 3,
      itemStyle: { color: colour, borderRadius: stacked ? 0 : lying ? [0, 3, 3, 0] : [3, 3, 0, 0] },
      label: stacked
        ? { show: true, position: "inside", color: theme.onTone, fontSize: theme.size, formatter: ({ value }: { value: number }) => (value ? say(value, figures.decimals) : "") }
        : { show: true, position: lying ? "right" : "top", ...(crossed ? { backgroundColor: theme.surface, padding: [1, 3], borderRadius: 3 } : {}), color: theme.text, fontWeight: 600, fontSize: theme.size, formatter: ({ value }: { value: number }) => (crossed && !value ? "" : `${say(value, figures.decimals)}${lying ? (figures.unit ?? "") : ""}`) },
      labelLayout: { hideOverlap: true },
      data: one.values.map<Item>((value, at) => ({ value, ...(tones?.[at] ? { itemStyle: { color: theme.tones[tones[at]!] } } : {}) })),
      ...(first && figures.target ? { markLine: targetLine(theme, figures.target, lying) } : {}),
    };
  });
  const names = categoryAxis(theme, figures.categories, lying);
  const values = valueAxis(theme, figures, say, lying);
  const legend = figures.series.length > 1;
  return {
    ...base(theme),
    grid: { left: 4, right: lying ? theme.size * 4 : 8, top: legend ? theme.size * 2.4 : theme.size * 1.6, bottom: lying && figures.target ? theme.size * 1.4 : 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: legend ? { show: true, right: 0, top: 0, itemWidth: theme.size, itemHeight: theme.size * 0.6, textStyle: axisText(theme), icon: "roundRect", selectedMode: false } : { show: false },
    xAxis: lying ? values : names,
    yAxis: lying ? names : values,
    series,
  };
}

/** About how wide a text is, in its own size: a Han character is a square, others a good half of one. */
const widthOf = (text: string) => [...text].reduce((sum, letter) => sum + (letter.charCodeAt(0) > 0x2e7f ? 1 : 0.62), 0);

/** Whether the target can be named at the end of its line without covering the name of a series that ends near it. */
function apart(figures: LineFigures): boolean {
  if (!figures.target) return false;
  const every = figures.series.flatMap((one) => one.values).filter((value): value is number => value !== null);
  const range = (figures.most ?? Math.max(...every, figures.target.value)) - (figures.least ?? 0);
  return figures.series.every((one) => Math.abs((one.values.findLast((value) => value !== null) ?? 0) - figures.target!.value) > range / 6);
}

function lines(theme: ChartTheme, figures: LineFigures, say: Say): EChartsCoreOption {
  const longest = Math.max(0, ...figures.series.map((one) => widthOf(`${one.name} ${say(99.9, figures.decimals)}${figures.unit ?? ""}`)));
  return {
    ...base(theme),
    grid: { left: 4, right: theme.strong * (longest + 1), top: theme.size * 1.4, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: { show: false },
    xAxis: { ...categoryAxis(theme, figures.categories), boundaryGap: false },
    yAxis: valueAxis(theme, figures, say),
    series: figures.series.map((one, at) => ({ ...lineOf(theme, one, say, figures, true), ...(at === 0 && figures.target ? { markLine: targetLine(theme, figures.target, false, apart(figures)) } : {}), labelLayout: { moveOverlap: "shiftY" } })),
  };
}

function pareto(theme: ChartTheme, figures: ParetoFigures, say: Say): EChartsCoreOption {
  const shares = cumulated(figures.values);
  return {
    ...base(theme),
    grid: { left: 4, right: 8, top: theme.size * 2.2, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: { show: false },
    xAxis: categoryAxis(theme, figures.categories),
    // Both axes reach the whole, so that the line starts at the first bar's top and ends at 100 %.
    yAxis: [valueAxis(theme, { most: Math.max(1, figures.values.reduce((sum, value) => sum + value, 0)) }, say), { type: "value", min: 0, max: 100, show: false }],
    series: [
      {
        type: "bar",
        name: figures.name,
        barMaxWidth: theme.size * 3,
        itemStyle: { borderRadius: [3, 3, 0, 0] },
        label: { show: true, position: "inside", color: theme.onTone, fontWeight: 600, fontSize: theme.size, formatter: ({ value }: { value: number }) => say(value, figures.decimals) },
        data: figures.values.map<Item>((value, at) => ({ value, itemStyle: { color: theme.tones[at < 2 ? "bad" : "muted"] } })),
      },
      {
        type: "line",
        yAxisIndex: 1,
        symbolSize: theme.size / 2,
        lineStyle: { color: theme.text, width: 2 },
        itemStyle: { color: theme.text },
        label: { show: true, position: "top", color: theme.axis, fontSize: theme.size, formatter: ({ value }: { value: number }) => `${say(value)}%` },
        data: shares,
      },
    ],
  };
}

export function optionsOf(figures: DrawnFigures, theme: ChartTheme, say: Say): EChartsCoreOption {
  switch (figures.kind) {
    case "lines":
      return lines(theme, figures, say);
    case "pareto":
      return pareto(theme, figures, say);
    default:
      return bars(theme, figures, say);
  }
}
