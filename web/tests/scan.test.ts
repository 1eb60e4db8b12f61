import { describe, expect, test } from "vitest";
import { WedgeReader } from "@/kit/wedge";
import { checkDigit, gs1Date, parseScan } from "@/scan/parse";

const GS = "\u001d";

describe("GS1", () => {
  test("check digits as in the General Specifications' examples", () => {
    expect(checkDigit("629104150021")).toBe(3);
    expect(checkDigit("0950600013437")).toBe(6);
    expect(checkDigit("00614141123456789")).toBe(0);
  });

  test("a label's elements, by separator and by brackets, say the same", () => {
    const wanted = { kind: "gs1", gtin: "09506000134376", lot: "AB-12", expires: "2027-03-31", quantity: 48, code: "AB-12" };
    expect(parseScan(`]C10109506000134376172703311${"0"}AB-12${GS}3748`)).toMatchObject(wanted);
    expect(parseScan("(01)09506000134376(17)270331(10)AB-12(37)48")).toMatchObject(wanted);
  });

  test("weight has as many decimals as its identifier says, a serial comes before the lot", () => {
    expect(parseScan(`]d201095060001343763103001250${"10"}L7${GS}21S-9`)).toMatchObject({ quantity: 1.25, lot: "L7", serial: "S-9", code: "S-9" });
  });

  test("a pallet", () => {
    expect(parseScan("006141411234567890".padStart(20, "0"))).toMatchObject({ kind: "gs1", sscc: "006141411234567890", code: "006141411234567890" });
  });

  test("what only looks like GS1 stays what it is", () => {
    for (const code of ["0109506000134375", "WO-2603-00001", "STEEL-L1", "10", "(99)", "]C1", "01", "(17)279931(10)A"]) {
      const said = parseScan(code);
      expect(said.kind, code).toBe("plain");
      expect(said.code, code).toBe(code === "]C1" ? "" : code);
    }
  });

  test("dates: the nearest century, the month's last day for 00, no thirtieth of February", () => {
    expect(gs1Date("260200", 2026)).toBe("2026-02-28");
    expect(gs1Date("990101", 2026)).toBe("1999-01-01");
    expect(gs1Date("750101", 2026)).toBe("2075-01-01");
    expect(gs1Date("770101", 2026)).toBe("1977-01-01");
    expect([gs1Date("260230", 2026), gs1Date("261301", 2026), gs1Date("26010", 2026)]).toEqual([null, null, null]);
  });
});

test("our own labels say what they are; an address of ours is a lot", () => {
  expect(parseScan("LZ:LOT:STEEL-L1")).toMatchObject({ kind: "own", what: "lot", code: "STEEL-L1" });
  expect(parseScan("]Q1lz:place:A-03-2")).toMatchObject({ kind: "own", what: "place", code: "A-03-2" });
  expect(parseScan("https://mes.example/lot/STEEL%2FL1")).toMatchObject({ kind: "own", what: "lot", code: "STEEL/L1" });
  expect(parseScan("https://mes.example/lot/x/y").kind).toBe("plain");
});

describe("a wedge scanner", () => {
  const type = (text: string, gap: number, end = "Enter") => {
    const reader = new WedgeReader();
    let at = 1000;
    let found: unknown = null;
    for (const key of [...text, end]) found = reader.press({ key, at: (at += gap) });
    return found;
  };
  test("types fast and ends with Enter or Tab; people do not", () => {
    expect(type("STEEL-L1", 8)).toEqual({ code: "STEEL-L1" });
    expect(type("STEEL-L1", 8, "Tab")).toEqual({ code: "STEEL-L1" });
    expect(type("STEEL-L1", 120)).toBeNull();
    expect(type("ab", 8)).toBeNull();
  });
  test("a key held down is no scan, however fast it repeats", () => {
    const reader = new WedgeReader();
    let at = 1000;
    for (let count = 0; count < 9; count += 1) expect(reader.press({ key: "j", at: (at += 30), held: count > 0 })).toBeNull();
    expect(reader.press({ key: "Enter", at: (at += 30) })).toBeNull();
  });
  test("keeps the separators of a GS1 code", () => {
    expect(type(`10A${GS}21B`, 8)).toEqual({ code: `10A${GS}21B` });
  });
});
