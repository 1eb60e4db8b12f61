/** Giving orders by touch: one at a time, once however often the button is hit, problems said in the footer band. */

import { ref } from "vue";
import { type Answer } from "@/api/client";
import { asProblem } from "@/api/problem";
import { uuid7 } from "@/api/uuid7";
import { Intent } from "@/kit/intent";
import { toast } from "@/kit/toasts";
import { give as giveOrKeep, isKeptAnswer, takeBack } from "@/offline/offline";
import { say } from "@/words";

export function useGive() {
  const busy = ref("");
  const intent = new Intent(uuid7);

  /**
   * The answer, or null when it was refused (the reason is shown) or another order is on its way. What may wait is kept
   * while the network is away: then that is said, and the answer is a Kept (see isKeptAnswer).
   */
  async function give<T = Answer>(command: string, body: object, mark: string = command, label = ""): Promise<T | null> {
    if (busy.value) return null;
    busy.value = mark;
    try {
      const answer = await giveOrKeep<T>(command, body as Record<string, unknown>, { orderId: intent.idFor([command, body]), label });
      intent.settled();
      if (isKeptAnswer(answer)) toast.good(say("offline.kept", { what: label }), { undo: async () => void ((await takeBack(answer.id)) || toast.bad(say("offline.tooLate"))) });
      return (answer ?? {}) as T;
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
