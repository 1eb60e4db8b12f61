/** Wedge scanners type like a very fast person: keys less than 60 ms apart, then Enter. */

export interface KeyPress {
  key: string;
  at: number;
  /** A key that is held down repeats as fast as a scanner types; no scanner holds one. */
  held?: boolean;
}

const maxGap = 60;
const minLength = 3;

/** Feed it every key press of the page; it answers the code when a scan is complete, and "typing" within a likely scan. */
export class WedgeReader {
  private buffer = "";
  private last = 0;

  press({ key, at, held = false }: KeyPress): { code: string } | "scanning" | null {
    const quick = at - this.last <= maxGap;
    this.last = at;
    if (held) {
      this.buffer = "";
      this.last = 0;
      return null;
    }
    if (key === "Enter" || key === "Tab") {
      const code = quick ? this.buffer : "";
      this.buffer = "";
      return code.length >= minLength ? { code } : null;
    }
    // Group separators of GS1 codes arrive as Ctrl+] or as the character itself.
    if (key.length !== 1) return this.buffer && quick ? "scanning" : null;
    this.buffer = quick ? this.buffer + key : key;
    return this.buffer.length >= minLength ? "scanning" : null;
  }
}

export interface WedgeOptions {
  /** Only while nothing else on the page waits for a scan, and outside of fields: what is typed there belongs there. */
  fallback?: boolean;
}

let takers = 0;
const isField = (element: HTMLElement | null): boolean => Boolean(element?.closest?.("input, textarea, select, [contenteditable]"));

/** Listen to the whole page. `take` answers true when it used the code; the keys then do not reach the page. */
export function listenToWedge(take: (code: string) => void, { fallback = false }: WedgeOptions = {}, target: Document = document): () => void {
  const reader = new WedgeReader();
  const onKey = (event: KeyboardEvent) => {
    if (event.altKey || event.metaKey || event.isComposing) return;
    const element = event.target as HTMLElement | null;
    if (fallback && (takers > 0 || isField(element))) return;
    // A field that wants the scan itself (login, search) says so.
    if (element?.closest?.("[data-own-scan]")) return;
    const found = reader.press({ key: event.ctrlKey && event.key === "]" ? "\u001d" : event.key, at: event.timeStamp, held: event.repeat });
    if (found && found !== "scanning") {
      event.preventDefault();
      event.stopPropagation();
      if (element instanceof HTMLInputElement && element.value.endsWith(found.code)) {
        element.value = element.value.slice(0, -found.code.length);
        element.dispatchEvent(new Event("input", { bubbles: true }));
      }
      take(found.code);
    }
  };
  target.addEventListener("keydown", onKey, true);
  if (!fallback) takers += 1;
  let stopped = false;
  return () => {
    target.removeEventListener("keydown", onKey, true);
    if (!fallback && !stopped) takers -= 1;
    stopped = true;
  };
}
