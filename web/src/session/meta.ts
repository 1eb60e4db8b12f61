/** What the server offers this person: resources, commands and rooms, in the language in use. */

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { get } from "@/api/client";
import type { CommandMeta, FieldMeta, Meta, ResourceMeta } from "@/api/types";
import { roomOrder } from "@/kit/icons";
import { language } from "@/words";

/** Sites travel as bare ids: as parameters they are chosen like any other reference. */
function withSite(field: FieldMeta): FieldMeta {
  if (field.name === "site_id" && field.type === "text") return { ...field, type: "ref", kind: "access.site" };
  return field.fields ? { ...field, fields: field.fields.map(withSite) } : field;
}

const making = /^(create|enter|make|raise|plan|open|register|draft|start|record)_(.+)$/;

/** Whether a command of this name makes an entity: its object is the entity or the entity's last word. */
export function makes(command: string, entity: string): boolean {
  const object = command.match(making)?.[2];
  return object !== undefined && (entity === object || entity.endsWith(`_${object}`));
}

function told(meta: Meta): Meta {
  const place = (room: string) => (roomOrder.includes(room) ? roomOrder.indexOf(room) : roomOrder.length);
  meta.rooms.sort((a, b) => place(a.name) - place(b.name));
  for (const command of Object.values(meta.commands)) {
    command.params = command.params.map(withSite);
    // Manuals are written in English, with a Chinese term in brackets here and there: a Chinese screen shows only Chinese help.
    if (meta.language !== "en" && command.help && !/^[\u4e00-\u9fff]/.test(command.help)) command.help = "";
  }
  return meta;
}

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
        return (meta.value = told(answer));
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
  const all = computed(() => Object.entries(meta.value?.commands ?? {}).filter(([, one]) => !one.hidden));
  /** Commands that make a record of this kind: `create_item`, `enter_order` for a sales order, `make_lot` … */
  const makers = (kind: string): string[] => {
    const [room, entity] = kind.split(".");
    return all.value.filter(([, one]) => one.room === room && !one.subject && makes(one.name, entity)).map(([name]) => name);
  };
  /** Commands that take many records of this kind at once, with the parameter that holds them. */
  const bulk = (kind: string): { command: string; param: string }[] =>
    all.value.flatMap(([command, one]) => {
      const param = one.params.find((each) => each.type === "list" && each.kind === kind);
      return param ? [{ command, param: param.name }] : [];
    });
  const roomTitle = (room: string): string => meta.value?.rooms.find((one) => one.name === room)?.title ?? room;
  /** The page of a document, for links; null when the person may not see its kind. */
  const pathOf = (kind: string | null | undefined, id: string): string | null => {
    const found = resource(kind);
    return found ? `/doc/${found.room}/${found.entity}/${id}` : null;
  };

  return { meta, load, forget, resource, command, makers, bulk, roomTitle, pathOf };
});
