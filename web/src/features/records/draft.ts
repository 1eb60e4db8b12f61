/** What a person has typed into a long form survives a reload and a wrong turn; it goes when the form is sent. */

import { ref, watch, type Ref } from "vue";
import type { Values } from "@/kit/form/coerce";

export interface Draft {
  values: Ref<Values>;
  restored: Ref<boolean>;
  forget: () => void;
  reset: () => void;
  /** The record was read again: what was typed stays, everything else is as it is now. */
  renew: () => void;
}

const text = (value: unknown) => JSON.stringify(value ?? null);

/** What was typed over `base`, laid over what stands `now`: only touched fields, or others' changes would be undone. */
export function rebase(base: Values, typed: Values, now: Values): Values {
  const touched = Object.keys(typed).filter((name) => text(typed[name]) !== text(base[name]));
  return { ...now, ...Object.fromEntries(touched.map((name) => [name, typed[name]])) };
}

export function useDraft(name: () => string, start: () => Values): Draft {
  const key = () => `lianzao.draft.${name()}`;
  const restored = ref(false);
  const values = ref<Values>({});
  let base: Values = {};

  function reset(): void {
    sessionStorage.removeItem(key());
    restored.value = false;
    base = start();
    values.value = start();
  }

  function open(): void {
    const kept = sessionStorage.getItem(key());
    base = start();
    if (kept === null) return void (values.value = start());
    const draft = JSON.parse(kept) as { base: Values; typed: Values };
    restored.value = true;
    values.value = rebase(draft.base, draft.typed, base);
  }

  function renew(): void {
    const before = base;
    base = start();
    values.value = rebase(before, values.value, base);
  }

  open();
  let settled = text(values.value);
  watch(
    values,
    (now) => {
      const typed = text(now);
      if (typed !== settled) sessionStorage.setItem(key(), JSON.stringify({ base, typed: now }));
      settled = typed;
    },
    { deep: true },
  );
  return { values, restored, forget: () => sessionStorage.removeItem(key()), reset, renew };
}
