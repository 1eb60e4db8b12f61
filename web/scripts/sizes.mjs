// Weighs what each entry loads before its first paint (gzip -9) and refuses the build above its budget.
// Also proves that the light entries never reach office code, not even behind a lazy route.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budgets = { office: 250, terminal: 120, phone: 120, portal: 120, screen: 350 };
const routeBudget = 120;
// The one part that may be heavier, because it comes after the first paint of a page that has charts.
const exceptions = { "src/kit/chart/engine.ts": 260 };
/** The sets of words (src/words) an entry fetches at its start; the others take the common one alone. */
const wordSets = { office: ["", "desk."], screen: ["", "screens."] };
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const weights = new Map();

function weight(file) {
  if (!weights.has(file)) weights.set(file, gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length);
  return weights.get(file);
}

/** The manifest keys an entry pulls in: at once, or (lazy) ever. */
function reach(key, lazy, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  const chunk = manifest[key];
  for (const next of [...(chunk.imports ?? []), ...(lazy ? (chunk.dynamicImports ?? []) : [])]) reach(next, lazy, seen);
  return seen;
}

function filesOf(keys) {
  const files = new Set();
  for (const key of keys) {
    files.add(manifest[key].file);
    for (const sheet of manifest[key].css ?? []) files.add(sheet);
  }
  return files;
}

let failed = false;
for (const [entry, budget] of Object.entries(budgets)) {
  const key = `${entry}.html`;
  const first = filesOf(reach(key, false));
  // The words of one language follow the start at once: count the heavier one.
  const words = ["zh", "en"].map((language) => (wordSets[entry] ?? [""]).reduce((sum, set) => sum + weight(manifest[`src/words/${set}${language}.json`].file), 0));
  const total = [...first].reduce((sum, file) => sum + weight(file), Math.max(...words)) / 1024;
  const ok = total <= budget;
  failed ||= !ok;
  console.log(`${entry.padEnd(9)} ${total.toFixed(1).padStart(7)} kB gz of ${budget}  ${ok ? "ok" : "TOO HEAVY"}`);
  for (const lazy of reach(key, true)) {
    const size = weight(manifest[lazy].file) / 1024;
    const allowed = exceptions[lazy] ?? routeBudget;
    if (size > allowed && !first.has(manifest[lazy].file)) {
      failed = true;
      console.log(`  ${lazy}: ${size.toFixed(1)} kB gz, this lazy part may weigh ${allowed}`);
    }
    if (entry !== "office" && lazy.includes("apps/office")) {
      failed = true;
      console.log(`  ${entry} reaches office code: ${lazy}`);
    }
  }
}
process.exit(failed ? 1 : 0);
