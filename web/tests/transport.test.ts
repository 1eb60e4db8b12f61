import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { effectScope, ref } from "vue";
import { arrange, useSteady } from "@/live/steady";
import { leaderTransport, openTransport, type Signal, type Transport } from "@/live/transport";

/** Web Locks as the specification says: first come, first served; a waiting request can be given up. */
function locks() {
  let tail = Promise.resolve();
  return {
    request: (_name: string, options: { signal: AbortSignal }, work: () => Promise<void>) => {
      const before = tail;
      let free = () => undefined as void;
      tail = new Promise<void>((resolve) => (free = resolve));
      return before.then(async () => {
        if (options.signal.aborted) return free();
        await work();
        free();
      });
    },
  };
}

/** The server's live line: what it is asked for, and a way to say something on every open line. */
function line() {
  const asked: string[] = [];
  const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const say = (text: string) => open.forEach((control) => control.enqueue(new TextEncoder().encode(text)));
  const fetching = (url: string, init: RequestInit) => {
    asked.push(decodeURIComponent(url).replace("/live?topics=", ""));
    return Promise.resolve(
      new Response(
        new ReadableStream<Uint8Array>({
          start: (control) => {
            open.add(control);
            init.signal?.addEventListener("abort", () => (open.delete(control), control.error(new DOMException("stopped", "AbortError"))));
          },
        }),
      ),
    );
  };
  return { asked, open, say, fetching };
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const event = (id: string) => `id: ${id}\nevent: a.B\ndata: {"id":"${id}","topics":["t"]}\n\n`;
const heard = (signals: Signal[]) => signals.flatMap((signal) => (signal.type === "news" ? [signal.news.id] : signal.type === "gap" ? ["gap"] : []));

describe("a leading tab keeps the line for all", () => {
  let server: ReturnType<typeof line>;
  const tabs: Transport[] = [];
  beforeEach(() => {
    server = line();
    vi.stubGlobal("fetch", server.fetching);
    vi.stubGlobal("window", new EventTarget());
    vi.stubGlobal("navigator", { locks: locks() });
  });
  afterEach(() => {
    for (const tab of tabs.splice(0)) tab.close();
    vi.unstubAllGlobals();
  });
  const tab = (got: Signal[], topics: string[]) => {
    const made = leaderTransport((signal) => got.push(signal));
    tabs.push(made);
    made.setTopics(topics);
    return made;
  };

  test("one line for the topics of both, both hear; when the leader closes the other takes over and is told of the gap", async () => {
    const [first, second]: Signal[][] = [[], []];
    const leader = tab(first, ["a"]);
    await rest(80);
    tab(second, ["b"]);
    await rest(120);
    expect(server.open.size).toBe(1);
    expect(server.asked.at(-1)).toBe("a,b");
    server.say(event("1"));
    await rest(30);
    expect([heard(first), heard(second)]).toEqual([["1"], ["1"]]);

    leader.close();
    await rest(150);
    expect(server.open.size).toBe(1);
    expect(server.asked.at(-1)).toBe("b");
    server.say(event("2"));
    await rest(30);
    expect(heard(second)).toEqual(["1", "gap", "2"]);
    expect(heard(first)).toEqual(["1"]);
  });

  test("the first tab of all has missed nothing", async () => {
    const got: Signal[] = [];
    tab(got, ["a"]);
    await rest(100);
    server.say(event("1"));
    await rest(30);
    expect(heard(got)).toEqual(["1"]);
  });

  test("the way is chosen by what the browser can: a shared worker first", () => {
    const made: unknown[] = [];
    const port = { postMessage: (message: unknown) => made.push(message), start: () => undefined, onmessage: null as null | ((event: { data: Signal }) => void) };
    vi.stubGlobal("SharedWorker", class { port = port });
    const got: Signal[] = [];
    const transport = openTransport((signal) => got.push(signal));
    tabs.push(transport);
    transport.setTopics(["x"]);
    port.onmessage?.({ data: { type: "beat", at: 5 } });
    expect(made).toMatchObject([{ type: "wish", topics: ["x"] }]);
    expect(got).toEqual([{ type: "beat", at: 5 }]);
  });
});

describe("rows that do not jump", () => {
  const row = (id: string, value = 0) => ({ id, value });
  test("what is shown keeps its place and takes new content; new, gone and moved ones are counted", () => {
    const shown = [row("a"), row("b"), row("c"), row("d")];
    expect(arrange(shown, [row("a", 1), row("b"), row("c"), row("d")])).toEqual({ rows: [row("a", 1), row("b"), row("c"), row("d")], gone: new Set(), pending: 0 });
    const next = arrange(shown, [row("d", 9), row("a"), row("e"), row("c")]);
    expect(next.rows).toEqual([row("a"), row("b"), row("c"), row("d", 9)]);
    expect(next.gone).toEqual(new Set(["b"]));
    expect(next.pending).toBe(3); // e is new, b gone, d stands elsewhere
  });

  test("while nobody holds the list it is as the server says; else it waits for the pill, or until it is let go", async () => {
    const rows = ref<{ id: string; value: number }[] | null>(null);
    const held = ref(false);
    const of = ref("one");
    const scope = effectScope();
    const list = scope.run(() => useSteady(() => rows.value, () => held.value, () => of.value));
    const ids = () => list?.rows.value.map((one) => one.id).join("");
    const set = async (text: string) => {
      rows.value = [...text].map((id) => row(id));
      await Promise.resolve();
    };
    await set("ab");
    await set("ba");
    expect([ids(), list?.pending.value]).toEqual(["ba", 0]);
    held.value = true;
    await set("abc");
    expect([ids(), list?.pending.value]).toEqual(["ba", 2]);
    list?.settle();
    expect([ids(), list?.pending.value]).toEqual(["abc", 0]);
    await set("c");
    expect([ids(), list?.pending.value]).toEqual(["abc", 2]);
    held.value = false;
    await Promise.resolve();
    expect([ids(), list?.pending.value]).toEqual(["c", 0]);
    held.value = true;
    of.value = "two";
    await set("xy");
    expect(ids()).toBe("xy");
    scope.stop();
  });
});
