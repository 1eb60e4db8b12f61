// Refuses sentences written into components: every word on a screen comes from src/words or from the server.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../src", import.meta.url).pathname;
const cjk = /[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]/;
const spoken = new Set(["title", "label", "placeholder", "aria-label", "alt", "help", "word"]);
const allowed = /^(Lianzao|联造|EN|中文|Ctrl K|Esc|Enter|J|K|X|csv|CSV|Excel|kB|MB|PIN|YYYY-MM-DD|HH:MM|%|[^\p{L}]*)$/u;

export function rawWords(source) {
  const found = [];
  const script = [...source.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join("\n");
  const code = script.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:])\/\/.*$/gm, "$1");
  for (const [, text] of code.matchAll(/["'`]([^"'`\n]*)["'`]/g)) if (cjk.test(text) && !allowed.test(text)) found.push(text);
  const template = (source.match(/<template>([\s\S]*)<\/template>/)?.[1] ?? "").replace(/<!--[\s\S]*?-->/g, "");
  const shown = template.replace(/\{\{[\s\S]*?\}\}/g, " ");
  for (const [, text] of shown.matchAll(/(?:^|[^=])>([^<>]+)</g)) {
    const clean = text.trim();
    if (clean && !allowed.test(clean) && (cjk.test(clean) || /\p{L}{2,}/u.test(clean)) && !/[=(){}]/.test(clean)) found.push(clean);
  }
  for (const [, name, text] of shown.matchAll(/\s([\w-]+)="([^"]*)"/g)) {
    if ((cjk.test(text) || (spoken.has(name) && /\p{L}{2,}/u.test(text))) && !allowed.test(text)) found.push(`${name}="${text}"`);
  }
  return found;
}

function* components(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* components(path);
    else if (path.endsWith(".vue")) yield path;
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  let count = 0;
  for (const path of components(root)) {
    for (const text of rawWords(readFileSync(path, "utf8"))) {
      count += 1;
      console.log(`${path.slice(root.length + 1)}: ${text}`);
    }
  }
  console.log(count ? `${count} raw words outside src/words` : "no raw words outside src/words");
  process.exit(count ? 1 : 0);
}
