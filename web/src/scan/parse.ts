/** What a scanned code says: GS1 element strings (by application identifier) and our own prefixes; anything else is a plain number. */

export interface Scanned {
  /** As it was read, without the symbology's mark. */
  raw: string;
  kind: "plain" | "gs1" | "own";
  /** What to look up first: a lot or serial, else a container, else the item's number, else all of it. */
  code: string;
  lot?: string;
  serial?: string;
  gtin?: string;
  /** The number of a logistic unit (a pallet). */
  sscc?: string;
  /** YYYY-MM-DD */
  expires?: string;
  made?: string;
  quantity?: number;
  /** Our own labels say what they are: `lot`, `item`, `place` … */
  what?: string;
}

interface Element {
  name: keyof Scanned | null;
  /** Fixed length of the value; else it ends at a separator, or after `most`. */
  fixed?: number;
  most?: number;
  /** The last digit of the identifier says how many decimals the value has. */
  decimals?: boolean;
}

const separator = "\u001d";

/** GS1 General Specifications: the identifiers that stand on goods and pallets of a plant. The key is how an identifier begins. */
const elements: Record<string, Element> = {
  "00": { name: "sscc", fixed: 18 },
  "01": { name: "gtin", fixed: 14 },
  "02": { name: "gtin", fixed: 14 },
  "10": { name: "lot", most: 20 },
  "11": { name: "made", fixed: 6 },
  "13": { name: null, fixed: 6 },
  "15": { name: "expires", fixed: 6 },
  "17": { name: "expires", fixed: 6 },
  "20": { name: null, fixed: 2 },
  "21": { name: "serial", most: 20 },
  "30": { name: "quantity", most: 8 },
  "37": { name: "quantity", most: 8 },
  "240": { name: null, most: 30 },
  "241": { name: null, most: 30 },
  "310": { name: "quantity", fixed: 6, decimals: true },
  "330": { name: null, fixed: 6, decimals: true },
  "400": { name: null, most: 30 },
  "401": { name: null, most: 30 },
  "410": { name: null, fixed: 13 },
  "414": { name: null, fixed: 13 },
};
const inner = /^9[1-9]/;

/** Marks that a scanner puts before what it read: `]C1` GS1-128, `]d2` DataMatrix, `]Q3` QR, `]e0` DataBar. */
const gs1Marks = /^\](C1|d2|Q3|e0|J1)/;
const anyMark = /^\][A-Za-z]\d/;

/** The last digit of a GTIN or SSCC: threes and ones in turn from the right. */
export function checkDigit(digits: string): number {
  const sum = [...digits].reverse().reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 3 : 1), 0);
  return (10 - (sum % 10)) % 10;
}
const isNumber = (text: string, length: number): boolean => text.length === length && /^\d+$/.test(text);
const checks = (text: string): boolean => checkDigit(text.slice(0, -1)) === Number(text.at(-1));

/** `YYMMDD`; the century is the one within 50 years of now, day 00 is the month's last. */
export function gs1Date(text: string, thisYear: number = new Date().getFullYear()): string | null {
  if (!isNumber(text, 6)) return null;
  const [short, month, day] = [Number(text.slice(0, 2)), Number(text.slice(2, 4)), Number(text.slice(4))];
  const gap = short - (thisYear % 100);
  const year = thisYear - (thisYear % 100) + short + (gap >= 51 ? -100 : gap <= -50 ? 100 : 0);
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day > last) return null;
  return `${year}-${text.slice(2, 4)}-${String(day || last).padStart(2, "0")}`;
}

/** An identifier with its value at the beginning of a text; null when there is none we know. */
function element(text: string): { told: Element; tail: string; value: string; rest: string } | null {
  for (const length of [2, 3]) {
    const told = inner.test(text) && length === 2 ? { name: null, most: 90 } : elements[text.slice(0, length)];
    if (!told) continue;
    const from = told.decimals ? length + 1 : length;
    const end = text.indexOf(separator, from);
    const to = told.fixed ? from + told.fixed : end < 0 ? text.length : end;
    const value = text.slice(from, to);
    if (!value || (told.fixed ? value.length !== told.fixed : value.length > (told.most ?? 90))) return null;
    return { told, tail: text.slice(length, from), value, rest: text.slice(to).replace(new RegExp(`^${separator}`), "") };
  }
  return null;
}

/** A text with brackets (as people read it under the bars) or separators (as it is in them), into its parts. */
function gs1(text: string): Partial<Scanned> | null {
  const found: Partial<Scanned> = {};
  const bracketed = /^\(\d{2,4}\)/.test(text);
  const parts = bracketed ? [...text.matchAll(/\((\d{2,4})\)([^(]*)/g)].map((part) => part[1] + part[2]) : [text];
  for (const part of parts) {
    for (let rest = part.replace(new RegExp(`^${separator}`), ""); rest; ) {
      const next = element(rest);
      if (!next || !take(found, next)) return null;
      rest = next.rest;
    }
  }
  return Object.keys(found).length ? found : null;
}

function take(found: Partial<Scanned>, { told, tail, value }: { told: Element; tail: string; value: string }): boolean {
  switch (told.name) {
    case null:
      return true;
    case "gtin":
    case "sscc":
      if (!/^\d+$/.test(value) || !checks(value)) return false;
      found[told.name] = value;
      return true;
    case "made":
    case "expires": {
      const date = gs1Date(value);
      if (date) found[told.name] = date;
      return date !== null;
    }
    case "quantity":
      if (!/^\d+$/.test(value)) return false;
      found.quantity = Number(value) / 10 ** Number(tail || 0);
      return true;
    case "lot":
    case "serial":
      found[told.name] = value;
      return true;
    default:
      return false;
  }
}

/** Our own labels: `LZ:LOT:STEEL-L1`, and addresses of our own pages, `https://…/lot/STEEL-L1`. */
const own = /^LZ:([A-Z]{2,12}):(.+)$/i;
const page = /^https?:\/\/[^/]+\/(?:l|lot|s|scan)\/([^/?#]+)$/i;

export function parseScan(text: string): Scanned {
  const marked = gs1Marks.test(text);
  const raw = text.replace(anyMark, "").trim();
  const label = raw.match(own);
  if (label) return { raw, kind: "own", what: label[1].toLowerCase(), code: label[2] };
  const address = raw.match(page);
  if (address) return { raw, kind: "own", what: "lot", code: decodeURIComponent(address[1]) };
  // Without a mark, brackets or separators a number of digits could be anything: only a whole GTIN or SSCC element counts.
  const looks = marked || raw.includes(separator) || /^\(\d{2,4}\)/.test(raw) || /^(01\d{14}|00\d{18})/.test(raw);
  const found = looks ? gs1(raw) : null;
  if (!found) return { raw, kind: "plain", code: raw };
  return { raw, kind: "gs1", ...found, code: found.serial ?? found.lot ?? found.sscc ?? found.gtin ?? raw };
}
