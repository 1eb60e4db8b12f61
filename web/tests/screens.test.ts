import { describe, expect, it } from "vitest";
import { codeIn } from "@/features/screens/device";
import { displayState, type DisplayRow } from "@/features/screens/displays";
import { keptFloor, weeksWithFigures } from "@/features/screens/orderProgress";
import { byHour, fitting, fullest, today, type PlanLoad } from "@/features/screens/planLoad";
import { buildOf, fitted, nextPlace, placeIn } from "@/features/screens/playlist";
import { cumulated, heatTone, isEmpty, twinOf, type DrawnFigures } from "@/kit/chart/figures";
import { optionsOf } from "@/kit/chart/options";
import type { ChartTheme } from "@/kit/chart/theme";

const theme: ChartTheme = {
  tones: { good: "#0a0", warn: "#fa0", bad: "#f00", brand: "#00f", hold: "#a0a", muted: "#888", plain: "#000" },
  text: "#111", axis: "#555", line: "#ddd", surface: "#fff", onTone: "#fff", font: "x", size: 12, strong: 13, motionMs: 0,
};
const say = (value: number) => String(value);

describe("figures", () => {
  it("say the same as a table", () => {
    const figures: DrawnFigures = { kind: "bars", categories: ["08", "09"], series: [{ name: "made", values: [5, null] }, { name: "plan", values: [6, 7], line: true }], target: { value: 6, name: "target" } };
    expect(twinOf(figures, { share: "share" })).toEqual({ columns: ["made", "plan", "target"], rows: [{ name: "08", cells: [5, 6, 6] }, { name: "09", cells: [null, 7, 6] }] });
    expect(twinOf({ kind: "pareto", categories: ["a", "b"], values: [3, 1], name: "n" }, { share: "share" }).rows).toEqual([{ name: "a", cells: [3, 75] }, { name: "b", cells: [1, 100] }]);
    expect(cumulated([46, 28, 17, 11, 8, 6])).toEqual([39.7, 63.8, 78.4, 87.9, 94.8, 100]);
    expect(cumulated([0, 0])).toEqual([0, 0]);
  });
  it("know when there is nothing to draw", () => {
    expect(isEmpty({ kind: "lines", categories: ["a"], series: [{ name: "x", values: [null] }] })).toBe(true);
    expect(isEmpty({ kind: "bars", categories: ["a"], series: [{ name: "x", values: [0] }] })).toBe(false);
    expect(isEmpty({ kind: "pareto", categories: ["a"], values: [0], name: "x" })).toBe(true);
  });
  it("call a cell by its load", () => {
    const bounds = { warnAbove: 85, badAbove: 100 };
    expect([null, 0, 85, 86, 100, 101].map((value) => heatTone(bounds, value))).toEqual(["muted", "good", "good", "warn", "warn", "bad"]);
  });
});

describe("options", () => {
  it("draw a target as a line and name a series where it ends", () => {
    const made = optionsOf({ kind: "lines", categories: ["a", "b", "c"], series: [{ name: "kept", values: [90, 80, null] }], unit: "%", most: 100, least: 60, target: { value: 95, name: "target" } }, theme, say) as { series: { data: { label: { show: boolean; formatter?: string } }[]; markLine: { data: unknown[] } }[] };
    expect(made.series[0]!.markLine.data).toEqual([{ yAxis: 95 }]);
    expect(made.series[0]!.data.map((one) => one.label.show)).toEqual([false, true, false]);
    expect(made.series[0]!.data[1]!.label.formatter).toBe("kept 80%");
  });
  it("colour single bars and stand still for those who want no motion", () => {
    const made = optionsOf({ kind: "bars", categories: ["a", "b"], series: [{ name: "x", values: [1, 2] }], tones: ["bad", undefined], lying: true }, theme, say) as { animation: boolean; series: { data: { itemStyle?: { color: string } }[] }[] };
    expect(made.animation).toBe(false);
    expect(made.series[0]!.data.map((one) => one.itemStyle?.color)).toEqual(["#f00", undefined]);
  });
  it("bring a pareto's line to the whole of both axes", () => {
    const made = optionsOf({ kind: "pareto", categories: ["a", "b"], values: [3, 1], name: "n" }, theme, say) as { yAxis: { max: number }[]; series: { data: number[] }[] };
    expect(made.yAxis.map((axis) => axis.max)).toEqual([4, 100]);
    expect(made.series[1]!.data).toEqual([75, 100]);
  });
});

describe("the wall", () => {
  it("turns its screens and stays where it was when the list changes", () => {
    expect([nextPlace(0, 2), nextPlace(1, 2), nextPlace(0, 1), nextPlace(0, 0)]).toEqual([1, 0, 0, 0]);
    expect([placeIn(["a", "b"], "b"), placeIn(["a"], "b"), placeIn([], undefined)]).toEqual([1, 0, 0]);
  });
  it("fills any window by one scale", () => {
    expect(fitted(3840, 2160)).toEqual({ scale: 2, left: 0, top: 0 });
    expect(fitted(1920, 1200)).toEqual({ scale: 1, left: 0, top: 60 });
    expect(fitted(1080, 1920).scale).toBe(0.5625);
  });
  it("knows a new version by the names of its parts", () => {
    const page = (hash: string) => `<script type="module" src="/assets/screen-${hash}.js"></script><link href="/assets/base-11aa22BB.css">`;
    expect(buildOf(page("AAAAAAAA"))).toBe("/assets/base-11aa22BB.css /assets/screen-AAAAAAAA.js");
    expect(buildOf(page("AAAAAAAA"))).not.toBe(buildOf(page("BBBBBBBB")));
    expect(buildOf("<p>not built</p>")).toBe("");
  });
  it("finds the code behind the hash", () => {
    expect([codeIn("#ABCDE-12345"), codeIn("#code=X "), codeIn("")]).toEqual(["ABCDE-12345", "X", ""]);
  });
  it("tells how a display stands", () => {
    const now = Date.parse("2026-03-02T08:00:00Z");
    const row = (more: Partial<DisplayRow>): DisplayRow => ({ id: "1", code: "H", screens: [], dwell_seconds: 30, language: "en", theme: "dark", expires_at: null, opened_at: null, link_until: null, seen_at: null, ...more });
    const opened = { opened_at: "2026-03-01T08:00:00Z" };
    expect(displayState(row({}), now).status).toBe("waiting");
    expect(displayState(row({ link_until: "2026-03-02T08:10:00Z" }), now).status).toBe("linked");
    expect(displayState(row({ ...opened, seen_at: "2026-03-02T07:59:00Z" }), now).status).toBe("shown");
    expect(displayState(row({ ...opened, seen_at: "2026-03-02T07:50:00Z" }), now).status).toBe("silent");
    expect(displayState(row({ ...opened, seen_at: "2026-03-02T07:59:00Z", expires_at: "2026-03-02T08:00:00Z" }), now).status).toBe("expired");
  });
});

describe("the screens' sums", () => {
  const hours: NonNullable<PlanLoad["hours"]> = {
    hour_now: 2,
    count: 5,
    rows: [
      { id: "a", name: "A", plan: [0, 4, 4, 4, 0], good: ["0", "3", "1", "0", "0"], good_total: "4", scrap_total: "1", due: 6, percent: 66.7 },
      { id: "b", name: "B", plan: [0, 0, 2, 2, 0], good: ["0", "0", "2", "0", "0"], good_total: "2", scrap_total: "0", due: 1, percent: 200 },
    ],
  };
  it("add work centers by the hour and leave what is to come open", () => {
    expect(byHour(hours, null)).toEqual({ from: 1, plan: [4, 6, 6], good: [3, 3, null] });
    expect(byHour(hours, "b")).toEqual({ from: 2, plan: [2, 2], good: [2, null] });
    expect(today(hours)).toEqual({ good: 6, due: 7, percent: 85.7 });
    expect(today(null)).toBeNull();
  });
  it("show as many machines as fit, those that stand still first and whole", () => {
    const machine = (code: string, state: "running" | "stopped") => ({ id: code, code, name: code, work_center: null, state, since: null, reason: null, planned: false, expected_until: null });
    const many = [machine("s1", "stopped"), ...["a", "b", "c", "d"].map((code) => machine(code, "running"))];
    expect(fitting(many, 2, 3).map((one) => one.code)).toEqual(["s1", "a", "b", "c"]);
    expect(fitting([...many, machine("s2", "stopped"), machine("s3", "stopped")], 2, 3).map((one) => one.code)).toEqual(["s1", "s2"]);
  });
  it("find the fullest cell, and none where there is none", () => {
    const cell = (percent: number | null) => ({ planned: 0, capacity: 0, percent });
    expect(fullest({ days: ["d1", "d2"], rows: [{ id: "a", name: "A", cells: [cell(null), cell(120)] }, { id: "b", name: "B", cells: [cell(90), cell(3)] }] })).toEqual({ name: "A", day: "d2", percent: 120 });
    expect(fullest({ days: [], rows: [] })).toBeNull();
  });
  it("begin the trend where there is something, with two weeks at least", () => {
    const weeks = [null, null, 80, null].map((percent) => ({ percent }));
    expect(weeksWithFigures(weeks)).toHaveLength(2);
    expect(weeksWithFigures([{ percent: null }])).toEqual([]);
    expect(weeksWithFigures([null, 100].map((percent) => ({ percent })))).toHaveLength(2);
    expect([keptFloor([66.7]), keptFloor([98, null]), keptFloor([])]).toEqual([60, 90, 0]);
  });
});
