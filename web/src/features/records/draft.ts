/** What a person has typed into a long form survives a reload and a wrong turn; it goes when the form is sent. */

import { ref, watch, type Ref } from "vue";
import type { Values } from "@/kit/form/coerce";

export function useDraft(name: () => string, start: () => Values): { values: Ref<Values>; restored: Ref<boolean>; forget: () => void; reset: () => void } {
  const key = () => `lianzao.draft.${name()}`;
  const restored = ref(false);
  const values = ref<Values>({});

  function reset(): void {
    sessionStorage.removeItem(key());
    restored.value = false;
    values.value = start();
  }

  function open(): void {
    const kept = sessionStorage.getItem(key());
    restored.value = kept !== null;
    values.value = kept === null ? start() : (JSON.parse(kept) as Values);
  }

  open();
  let settled = JSON.stringify(values.value);
  watch(
    values,
    (now) => {
      const text = JSON.stringify(now);
      if (text !== settled) sessionStorage.setItem(key(), text);
      settled = text;
    },
    { deep: true },
  );
  return { values, restored, forget: () => sessionStorage.removeItem(key()), reset };
}
