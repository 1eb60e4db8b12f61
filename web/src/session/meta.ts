/** What the server offers this person: resources, commands and rooms, in the language in use. */

import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import { get } from "@/api/client";
import type { CommandMeta, Meta, ResourceMeta } from "@/api/types";
import { language } from "@/words";

export const useMeta = defineStore("meta", () => {
  const meta = shallowRef<Meta | null>(null);
  const spoken = ref("");
  let loading: Promise<Meta> | null = null;

  /** The meta in the language in use; fetched once per language. */
  function load(): Promise<Meta> {
    const wanted = language();
    if (meta.value && spoken.value === wanted) return Promise.resolve(meta.value);
    loading ??= get<Meta>("/api/meta")
      .then((answer) => {
        spoken.value = wanted;
        return (meta.value = answer);
      })
      .finally(() => (loading = null));
    return loading;
  }

  function forget(): void {
    meta.value = null;
    spoken.value = "";
  }

  const resource = (kind: string | null | undefined): ResourceMeta | null => (kind ? (meta.value?.resources[kind] ?? null) : null);
  const command = (name: string): CommandMeta | null => meta.value?.commands[name] ?? null;
  const roomTitle = (room: string): string => meta.value?.rooms.find((one) => one.name === room)?.title ?? room;
  /** The page of a document, for links; null when the person may not see its kind. */
  const pathOf = (kind: string | null | undefined, id: string): string | null => {
    const found = resource(kind);
    return found ? `/doc/${found.room}/${found.entity}/${id}` : null;
  };

  return { meta, load, forget, resource, command, roomTitle, pathOf };
});
