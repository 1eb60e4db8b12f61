/** Counts beside navigation entries, by entry name. Pages set them: `badges.alerts = 3`. */

import { reactive } from "vue";

export const badges = reactive<Record<string, number>>({});
