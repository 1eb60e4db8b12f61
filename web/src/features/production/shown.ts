/** What the terminal's frame must know of the page in it: the work center shown, and the stay that badging out ends. */

import { ref } from "vue";

/** The work center a terminal shows that is bound to no station: its name stands in the header all the same. */
export const shownCenter = ref("");
/** The stay of the person signed in, at the work center shown. */
export const ownStay = ref<string | null>(null);
