/** Signing in: busy state, the sentence of a refusal, the seconds to wait after too many tries, and where to go then. */

import { onScopeDispose, ref } from "vue";
import { useRoute, useRouter } from "vue-router";
import { asProblem } from "@/api/problem";
import { problemText } from "@/kit/toasts";
import { say } from "@/words";

export function useLogin() {
  const busy = ref(false);
  const refusal = ref("");
  const seconds = ref(0);
  const router = useRouter();
  const route = useRoute();
  let timer: ReturnType<typeof setInterval> | undefined;
  onScopeDispose(() => clearInterval(timer));

  function lock(wait: number): void {
    seconds.value = wait;
    clearInterval(timer);
    timer = setInterval(() => {
      seconds.value -= 1;
      if (seconds.value <= 0) {
        clearInterval(timer);
        refusal.value = "";
      }
    }, 1000);
  }

  /** Runs the attempt; true when signed in (the page is then already the next one). */
  async function attempt(login: () => Promise<unknown>): Promise<boolean> {
    if (busy.value || seconds.value > 0) return false;
    busy.value = true;
    refusal.value = "";
    try {
      await login();
      const to = route.query.to;
      // Only paths of this app: an address from outside must not lead anywhere else.
      await router.replace(typeof to === "string" && /^\/(?!\/)/.test(to) ? to : "/");
      return true;
    } catch (error) {
      const problem = asProblem(error);
      refusal.value = problem.status === 401 && !problem.detail ? say("login.failed") : problemText(problem);
      if (problem.status === 423) lock(Number(problem.facts.seconds) || 30);
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, refusal, seconds, attempt };
}
