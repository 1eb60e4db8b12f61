/** Giving orders by touch: one at a time, once however often the button is hit, problems said in the footer band. */

import { ref } from "vue";
import { order, type Answer } from "@/api/client";
import { asProblem } from "@/api/problem";
import { uuid7 } from "@/api/uuid7";
import { Intent } from "@/kit/intent";
import { toast } from "@/kit/toasts";

export function useGive() {
  const busy = ref("");
  const intent = new Intent(uuid7);

  /** The answer, or null when it was refused (the reason is shown) or another order is on its way. */
  async function give<T = Answer>(command: string, body: object, mark: string = command): Promise<T | null> {
    if (busy.value) return null;
    busy.value = mark;
    try {
      const answer = await order<T>(command, body, { orderId: intent.idFor([command, body]) });
      intent.settled();
      return answer ?? ({} as T);
    } catch (error) {
      const problem = asProblem(error);
      if (!problem.uncertain) intent.settled();
      toast.problem(problem);
      return null;
    } finally {
      busy.value = "";
    }
  }

  return { busy, give };
}
