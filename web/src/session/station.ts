/** The terminal this browser is bound to, if it is one. */

import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { get } from "@/api/client";
import { asProblem } from "@/api/problem";
import type { Station } from "@/api/types";
import { preferences } from "./preferences";

export const useStation = defineStore("station", () => {
  const station = ref<Station | null>(null);
  /** The server has answered: `station` null then means "no terminal yet". */
  const known = ref(false);
  const name = computed(() => (preferences.language === "en" && station.value?.name_en) || station.value?.name || station.value?.code || "");

  /** Ask which terminal this is. Throws a Problem when the server cannot be asked. */
  async function find(): Promise<Station | null> {
    try {
      station.value = await get<Station>("/api/access/this_device");
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 404) throw problem;
      station.value = null;
    }
    known.value = true;
    return station.value;
  }

  return { station, known, name, find };
});
