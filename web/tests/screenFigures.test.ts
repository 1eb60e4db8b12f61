import { describe, expect, it } from "vitest";
import { inOneLanguage, minutesLeft, vitalFew, yieldFloor, yieldTone, type AlertRow } from "@/features/screens/qualityTrace";
import { comesTooLate, coverShare, coverTone, onHand, useTone, worstUse, type CoverRow, type UseRow } from "@/features/screens/stockUse";
import { otifTone, riskOf, risky, worstSupplier, type ExpectedDay, type SupplierRow } from "@/features/screens/supplierPerformance";

const item = { id: "i", code: "STEEL", name: "Steel", unit: "pcs" };

describe("cover of stock", () => {
  it("is bad below three days, a warning below a week, good when all is covered", () => {
    expect([0, 2, 3, 6, 7, null].map(coverTone)).toEqual(["bad", "bad", "warn", "warn", "good", "good"]);
  });
  it("fills its bar by two weeks, and shows something of nothing", () => {
    expect([null, 0, 7, 30].map((days) => coverShare(days, 14))).toEqual([100, 2, 50, 100]);
  });
  it("says when what comes comes only after the stock is out", () => {
    const row = (out_on: string | null, on: string | null): CoverRow => ({ item, usable: "1", safety: "0", needed: "2", out_on, days: 1, next: on === null ? null : { kind: "k", id: "1", number: "PO", on, quantity: "5" } });
    expect(comesTooLate(row("2026-03-09", "2026-03-11"))).toBe(true);
    expect(comesTooLate(row("2026-03-09", "2026-03-09"))).toBe(false);
    expect(comesTooLate(row("2026-03-09", null))).toBe(true);
    expect(comesTooLate(row(null, null))).toBe(false);
  });
  it("counts as on hand what is free, reserved or held, not what is on its way", () => {
    expect(onHand({ free: "1444.5", reserved: "6", held: "160", on_way: "400" })).toBe(1610.5);
  });
});

describe("use against the bill", () => {
  it("names the first that used too much, never one that used less", () => {
    const row = (code: string, difference: string): UseRow => ({ item: { ...item, code }, allowed: "20", used: "24", difference, percent: "20", orders: 1, cost: null });
    expect(worstUse([row("LESS", "-9"), row("MORE", "4")])?.item.code).toBe("MORE");
    expect(worstUse([row("LESS", "-9")])).toBeUndefined();
  });
  it("asks from two percent on, either way; what the bill does not know is bad", () => {
    expect(["1.9", "-2.0", "10.0", "-12", null].map(useTone)).toEqual(["good", "warn", "bad", "bad", "bad"]);
  });
});

describe("quality", () => {
  it("begins the axis of yield below the worst, so that differences show", () => {
    expect(yieldFloor([98.2, null, 97.1])).toBe(90);
    expect(yieldFloor([83.3, 99])).toBe(80);
    expect(yieldFloor([0.5])).toBe(0);
    expect(yieldFloor([null])).toBe(90);
  });
  it("holds yield against its target", () => {
    expect([null, 98, "95.0", "94.9"].map(yieldTone)).toEqual(["muted", "good", "warn", "bad"]);
  });
  it("names how many reasons make half of what is lost", () => {
    expect(vitalFew([{ upto: "39.7" }, { upto: "63.8" }, { upto: "100.0" }])).toEqual({ count: 2, share: 63.8 });
    expect(vitalFew([])).toBeNull();
  });
  it("tells how long until somebody must answer, or since when", () => {
    const alert = (due_at: string | null) => ({ due_at }) as AlertRow;
    const now = new Date("2026-03-02T08:00:00Z");
    expect(minutesLeft(alert("2026-03-02T08:18:00Z"), now)).toBe(18);
    expect(minutesLeft(alert("2026-03-02T07:45:00Z"), now)).toBe(-15);
    expect(minutesLeft(alert(null), now)).toBeNull();
  });
});

describe("a reason noted in both languages", () => {
  it("is said in the one that is spoken; people's own words stay whole", () => {
    expect(inOneLanguage("待检 / to be inspected", "en")).toBe("to be inspected");
    expect(inOneLanguage("待检 / to be inspected", "zh-CN")).toBe("待检");
    expect(inOneLanguage("裂纹 / 划伤", "en")).toBe("裂纹 / 划伤");
    expect(inOneLanguage("cracked", "zh-CN")).toBe("cracked");
  });
});

describe("suppliers", () => {
  it("counts a delivery under the first risk that holds, as the server does", () => {
    expect(riskOf({ overdue: true, needs: 2, days_late: 3, unconfirmed: true })).toBe("overdue");
    expect(riskOf({ overdue: false, needs: 2, days_late: 3, unconfirmed: true })).toBe("hurting");
    expect(riskOf({ overdue: false, needs: 0, days_late: 3, unconfirmed: true })).toBe("late");
    expect(riskOf({ overdue: false, needs: 0, days_late: 0, unconfirmed: true })).toBe("unconfirmed");
    expect(riskOf({ overdue: false, needs: 0, days_late: 0, unconfirmed: false })).toBe("safe");
  });
  it("adds up all kinds of risk of all days", () => {
    const day = (more: Partial<ExpectedDay>): ExpectedDay => ({ on: "2026-03-06", deliveries: 4, overdue: 0, hurting: 0, late: 0, unconfirmed: 0, ...more });
    expect(risky([day({ overdue: 1, late: 1 }), day({ hurting: 2, unconfirmed: 1 }), day({})])).toBe(5);
  });
  it("names nobody as the worst when all reach the target", () => {
    const row = (name: string, share: string | null): SupplierRow => ({ supplier: { id: name, code: name, name }, due: 2, on_time: 1, missing: 0, share });
    expect(worstSupplier([row("A", "95.0"), row("B", "100.0")])).toBeUndefined();
    expect(worstSupplier([row("A", "33.3"), row("B", "100.0")])?.supplier.name).toBe("A");
    expect(["95.0", "85.0", "84.9", null].map(otifTone)).toEqual(["good", "warn", "bad", "muted"]);
  });
});
