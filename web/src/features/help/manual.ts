/** The manuals of docs/use, carried with the screens: read where one works, without a server of their own. */

const files = import.meta.glob<string>("../../../../docs/use/*.md", { query: "?raw", import: "default" });

export interface Manual {
  name: string;
  read: () => Promise<string>;
}

export const manuals: Manual[] = Object.entries(files)
  .map(([path, read]) => ({ name: path.slice(path.lastIndexOf("/") + 1, -3), read }))
  .filter((one) => one.name !== "README");

/** Which manual is about a page: by its path, else by the person's role. */
const pages: [RegExp, string][] = [
  [/^\/plan/, "planner"],
  [/^\/orders/, "sales"],
  [/^\/buy/, "buyer"],
  [/^\/quality|^\/trace/, "quality"],
  [/^\/alerts/, "alerts"],
  [/^\/(list|doc|do)\/(procurement)/, "buyer"],
  [/^\/(list|doc|do)\/(sales)/, "sales"],
  [/^\/(list|doc|do)\/(inventory|logistics)/, "warehouse"],
  [/^\/(list|doc|do)\/(access|foundation|integration)/, "administrator"],
];

export function manualOf(path: string, roles: string[]): Manual | undefined {
  const name = pages.find(([pattern]) => pattern.test(path))?.[1];
  const wanted = [name, ...roles].filter(Boolean);
  return wanted.map((one) => manuals.find((manual) => manual.name === one)).find(Boolean);
}

export type Block = { kind: "h" | "p" | "li"; text: Piece[] } | { kind: "table"; head: Piece[][]; rows: Piece[][][] };
export interface Piece {
  text: string;
  style?: "strong" | "code";
}

/** The little of Markdown our manuals use, as blocks for a template: no HTML is ever made of a text. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let rows: string[][] = [];
  const flush = () => {
    if (!rows.length) return;
    const [head, ...rest] = rows;
    blocks.push({ kind: "table", head: head.map(pieces), rows: rest.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell))).map((row) => row.map(pieces)) });
    rows = [];
  };
  for (const line of markdown.split("\n")) {
    const text = line.trim();
    if (text.startsWith("|")) {
      rows.push(text.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim()));
      continue;
    }
    flush();
    if (!text || text.startsWith("![")) continue;
    if (text.startsWith("#")) blocks.push({ kind: "h", text: pieces(text.replace(/^#+\s*/, "")) });
    else if (/^[-*] |^\d+\. /.test(text)) blocks.push({ kind: "li", text: pieces(text.replace(/^[-*] |^\d+\. /, "")) });
    else blocks.push({ kind: "p", text: pieces(text) });
  }
  flush();
  return blocks;
}

export function pieces(text: string): Piece[] {
  return text
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .split(/(\*\*[^*]+\*\*|`[^`]+`)/)
    .filter(Boolean)
    .map((part) => (part.startsWith("**") ? { text: part.slice(2, -2), style: "strong" as const } : part.startsWith("`") ? { text: part.slice(1, -1), style: "code" as const } : { text: part }));
}
