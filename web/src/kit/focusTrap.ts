/** Keeps Tab inside a dialog while it is open and gives the focus back afterwards. */

const reachable = 'a[href],button:not([disabled]),input:not([disabled]),select:not([disabled]),textarea:not([disabled]),[tabindex]:not([tabindex="-1"])';

export function focusables(root: HTMLElement): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(reachable)].filter((element) => element.offsetParent !== null || element === document.activeElement);
}

/** @returns the release: call it when the dialog closes. */
export function trapFocus(root: HTMLElement): () => void {
  const before = document.activeElement as HTMLElement | null;
  const first = root.querySelector<HTMLElement>("[autofocus]") ?? focusables(root).find((element) => !element.hasAttribute("data-close")) ?? root;
  first.focus();
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Tab") return;
    const all = focusables(root);
    if (!all.length) return event.preventDefault();
    const edge = event.shiftKey ? all[0] : all[all.length - 1];
    if (document.activeElement === edge || !root.contains(document.activeElement)) {
      event.preventDefault();
      (event.shiftKey ? all[all.length - 1] : all[0]).focus();
    }
  };
  root.addEventListener("keydown", onKey);
  return () => {
    root.removeEventListener("keydown", onKey);
    if (before?.isConnected) before.focus();
  };
}
