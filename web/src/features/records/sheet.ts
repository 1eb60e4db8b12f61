/** The head and first rows of a CSV or Excel file, read in the browser: enough to match columns before anything is sent. */

export interface SheetHead {
  headers: string[];
  sample: string[][];
}

const sampled = 5;

/** @throws Error when the file is neither CSV nor an Excel workbook. */
export async function readHead(file: Blob, name: string): Promise<SheetHead> {
  const rows = /\.(csv|txt|tsv)$/i.test(name) ? csvRows(await textOf(file)) : await xlsxRows(new Uint8Array(await file.arrayBuffer()));
  const [headers = [], ...sample] = rows;
  return { headers: headers.map((header) => header.trim()), sample: sample.slice(0, sampled) };
}

/** UTF-8 (with or without mark); else GB18030, as Excel in China writes CSV. */
async function textOf(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.slice(0, 256 * 1024).arrayBuffer());
  const utf8 = new TextDecoder("utf-8").decode(bytes, { stream: true });
  return utf8.includes("\ufffd") ? new TextDecoder("gb18030").decode(bytes, { stream: true }) : utf8;
}

/** RFC 4180 with comma, semicolon or tab, whichever the first line uses most. */
export function csvRows(text: string, limit = sampled + 1): string[][] {
  const clean = text.replace(/^\ufeff/, "");
  const first = clean.split(/\r?\n/, 1)[0];
  const separator = [",", ";", "\t"].reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best));
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < clean.length && rows.length < limit; at += 1) {
    const sign = clean[at];
    if (quoted) {
      if (sign === '"' && clean[at + 1] === '"') cell += clean[++at];
      else if (sign === '"') quoted = false;
      else cell += sign;
    } else if (sign === '"') quoted = true;
    else if (sign === separator) row.push(cell), (cell = "");
    else if (sign === "\n") rows.push([...row, cell.replace(/\r$/, "")]), (row = []), (cell = "");
    else cell += sign;
  }
  if (rows.length < limit && (cell || row.length)) rows.push([...row, cell]);
  return rows;
}

/** The first sheet of a workbook: a zip of XML; unpacked by the browser itself. */
async function xlsxRows(bytes: Uint8Array): Promise<string[][]> {
  const entries = zipEntries(bytes);
  const sheetName = [...entries.keys()].filter((name) => /^xl\/worksheets\/sheet\d+\.xml$/.test(name)).sort((a, b) => Number(a.match(/\d+/)?.[0]) - Number(b.match(/\d+/)?.[0]))[0];
  if (!sheetName) throw new Error("not a workbook");
  const parse = (text: string) => new DOMParser().parseFromString(text, "application/xml");
  const shared = entries.has("xl/sharedStrings.xml") ? [...parse(await unpack(bytes, entries, "xl/sharedStrings.xml")).getElementsByTagName("si")].map((item) => [...item.getElementsByTagName("t")].map((part) => part.textContent ?? "").join("")) : [];
  const sheet = parse(await unpack(bytes, entries, sheetName));
  return [...sheet.getElementsByTagName("row")].slice(0, sampled + 1).map((row) => {
    const cells: string[] = [];
    for (const cell of row.getElementsByTagName("c")) {
      const raw = cell.getElementsByTagName("v")[0]?.textContent ?? cell.getElementsByTagName("t")[0]?.textContent ?? "";
      cells[columnIndex(cell.getAttribute("r") ?? "A1")] = cell.getAttribute("t") === "s" ? (shared[Number(raw)] ?? "") : raw;
    }
    return Array.from(cells, (cell) => cell ?? "");
  });
}

export function columnIndex(reference: string): number {
  const letters = reference.replace(/\d+$/, "");
  return [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

interface ZipEntry {
  offset: number;
  size: number;
  method: number;
}

/** The zip's own list of its files (central directory). */
export function zipEntries(bytes: Uint8Array): Map<string, ZipEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error("not a zip file");
  const entries = new Map<string, ZipEntry>();
  let at = view.getUint32(end + 16, true);
  for (let count = view.getUint16(end + 10, true); count > 0; count -= 1) {
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    entries.set(name, { method: view.getUint16(at + 10, true), size: view.getUint32(at + 20, true), offset: view.getUint32(at + 42, true) });
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

async function unpack(bytes: Uint8Array, entries: Map<string, ZipEntry>, name: string): Promise<string> {
  const entry = entries.get(name);
  if (!entry) throw new Error(`${name} is missing`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = entry.offset + 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  const packed = bytes.slice(start, start + entry.size);
  if (entry.method === 0) return new TextDecoder().decode(packed);
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

/** The column each header most likely means: by name or title, letters and signs only. */
export function guessMapping(headers: string[], columns: { name: string; title: string }[]): Record<string, string> {
  const plain = (text: string) => text.toLowerCase().replace(/[\s*_\-()\uff08\uff09:/]/g, "");
  const mapping: Record<string, string> = {};
  for (const header of headers) {
    const found = columns.find((column) => plain(column.name) === plain(header) || plain(column.title) === plain(header));
    if (found && !Object.values(mapping).includes(found.name)) mapping[header] = found.name;
  }
  return mapping;
}
