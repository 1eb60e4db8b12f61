/** The resource a generic page is about, from its address. */

import { computed } from "vue";
import { useRoute } from "vue-router";
import { useMeta } from "@/session/meta";

export function useResource() {
  const route = useRoute();
  const meta = useMeta();
  const kind = computed(() => `${String(route.params.room)}.${String(route.params.entity)}`);
  const resource = computed(() => meta.resource(kind.value));
  const title = computed(() => resource.value?.titles ?? resource.value?.title ?? "");
  const listPath = computed(() => `/list/${String(route.params.room)}/${String(route.params.entity)}`);
  return { kind, resource, title, listPath };
}
