/** The work center a terminal shows that is bound to no station: its name stands in the header all the same. */

import { ref } from "vue";

export const shownCenter = ref("");
