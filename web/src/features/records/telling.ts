/** A cause chain told as a sequence: who did what, what that was news to, and what the house did about it. */

import type { StoryStep } from "@/api/types";
import type { CauseStep } from "@/kit/CauseChain.vue";
import { roomIcons } from "@/kit/icons";
import { say } from "@/words";

/** Orders of handlers carry a program's name; people are told what they were about instead. */
const isHandler = (title: string) => /^[a-z_]+(\.[a-z_]+)+$/.test(title);
const unique = (texts: string[]) => [...new Set(texts.filter(Boolean))];

export function toldStory(steps: StoryStep[], titleOf: (command: string) => string | undefined, first?: string): CauseStep[] {
  return steps.flatMap((step) => {
    const news = unique(step.news.map((one) => one.title));
    const own = titleOf(step.command) ?? (isHandler(step.title) ? "" : step.title);
    // A handler that only passed the news on says nothing a person would miss.
    if (!own && !news.length) return [];
    const person = step.actor.kind === "person" || step.actor.kind === "partner";
    return [
      {
        id: step.order_id,
        title: own || news.join(say("story.and")),
        text: [person ? step.actor.name : say("story.house"), step.why, own ? news.filter((one) => one !== own).join(say("story.and")) : step.because && say("story.because", { what: step.because.title })].filter(Boolean).join(" · "),
        at: step.at,
        icon: person ? ("user" as const) : (roomIcons[step.command.split(".")[0]] ?? ("bolt" as const)),
        tone: step.order_id === first ? ("brand" as const) : ("plain" as const),
      },
    ];
  });
}
