import { describe, expect, test, vi } from "vitest";
import { streamReader, type Message } from "@/live/sse";
import { LiveStream, parseNews, Seen, type News } from "@/live/stream";
import { freshness, TopicTable } from "@/live/topics";
import { Hub, Wishes, type Signal } from "@/live/transport";
import { longestPause, nextPause } from "@/live/useLive";

describe("stream reader", () => {
  test("reads messages cut anywhere, and takes comments as signs of life", () => {
    const got: Message[] = [];
    let beats = 0;
    const reader = streamReader((message) => got.push(message), () => (beats += 1));
    for (const piece of [": pi", "ng\n\nid: 7\neve", "nt: sales.OrderConfirmed\r\ndata: {\"a\":", "1}\n\n"]) reader.feed(piece);
    expect(got).toEqual([{ id: "7", event: "sales.OrderConfirmed", data: '{"a":1}' }]);
    expect(beats).toBe(4);
  });

  test("joins data lines and keeps the last id for messages without one", () => {
    const got: Message[] = [];
    const reader = streamReader((message) => got.push(message), () => undefined);
    reader.feed("id: 1\ndata: a\ndata: b\n\ndata: c\n\n");
    expect(got.map((message) => [message.id, message.data])).toEqual([["1", "a\nb"], ["1", "c"]]);
  });
});

test("an id is new only once, and forgotten only after many others", () => {
  const seen = new Seen(3);
  expect(["a", "a", "b", "c", "a", "d", "a"].map((id) => seen.first(id))).toEqual([true, false, true, true, false, true, true]);
});

test("unreadable data is skipped, ids fall back to the stream's", () => {
  expect(parseNews({ id: "9", event: "x.Y", data: "{}" })).toMatchObject({ id: "9", event: "x.Y", topics: [] });
  const told = vi.spyOn(console, "error").mockImplementation(() => undefined);
  expect(parseNews({ id: "9", event: "x.Y", data: "{nonsense" })).toBeNull();
  expect(told).toHaveBeenCalledOnce();
  told.mockRestore();
});

describe("live stream", () => {
  const body = (text: string) => new Response(new ReadableStream({ start: (control) => (control.enqueue(new TextEncoder().encode(text)), control.close()) }));
  const event = (cursor: number, id: string) => `id: ${cursor}\nevent: a.B\ndata: {"id":"${id}","topics":["t"]}\n\n`;

  test("resumes after the last id and delivers nothing twice", async () => {
    const asked: { url: string; last: string | null }[] = [];
    const got: News[] = [];
    let gaps = 0;
    const answers = [body(event(1, "one") + event(2, "two")), body(event(2, "two") + event(3, "three"))];
    const done = new Promise<void>((resolve) => {
      const stream = new LiveStream({
        url: "/live",
        fetch: ((url: string, init: RequestInit) => {
          asked.push({ url, last: new Headers(init.headers).get("Last-Event-ID") });
          const next = answers.shift();
          if (next) return Promise.resolve(next);
          stream.close();
          resolve();
          return Promise.reject(new TypeError("closed"));
        }) as unknown as typeof fetch,
        wait: () => Promise.resolve(),
        random: () => 0.5,
        onNews: (news) => got.push(news),
        onBeat: () => undefined,
        onGap: () => (gaps += 1),
      });
      stream.setTopics(["b:2", "a:1"]);
    });
    await done;
    expect(got.map((news) => news.id)).toEqual(["one", "two", "three"]);
    expect(asked.map((one) => one.last)).toEqual([null, "2", "3"]);
    expect(asked[0].url).toBe("/live?topics=a%3A1,b%3A2");
    expect(gaps).toBe(0);
  });

  test("tells of a gap when it could not resume", async () => {
    let gaps = 0;
    let calls = 0;
    await new Promise<void>((resolve) => {
      const stream = new LiveStream({
        url: "/live",
        fetch: (() => {
          calls += 1;
          if (calls === 1) return Promise.resolve(body('id: 5:\nevent: hello\ndata: {"resumed":null}\n\n'));
          if (calls === 2) return Promise.resolve(body('event: reset\ndata: {"event":"reset"}\n\nevent: hello\ndata: {"resumed":false}\n\n'));
          stream.close();
          resolve();
          return Promise.reject(new TypeError("closed"));
        }) as unknown as typeof fetch,
        wait: () => Promise.resolve(),
        onNews: () => undefined,
        onBeat: () => undefined,
        onGap: () => (gaps += 1),
      });
      stream.setTopics(["t"]);
    });
    expect(gaps).toBe(1);
  });
});

test("topics are counted: the line changes only when the first comes or the last goes", () => {
  const changes: string[][] = [];
  const table = new TopicTable((topics) => changes.push(topics));
  const got: string[] = [];
  const listen = (name: string, topics: string[]) => table.add({ topics, take: () => got.push(name), gap: () => got.push(`${name}-gap`) });
  const stopA = listen("a", ["site:1", "kind:x"]);
  const stopB = listen("b", ["site:1"]);
  table.deliver({ id: "1", event: "x.Done", at: "", topics: ["kind:x"] });
  table.deliver({ id: "2", event: "x.Done", at: "", topics: ["site:1", "kind:x"] });
  stopA();
  stopA();
  table.gap();
  stopB();
  expect(got).toEqual(["a", "a", "b", "b-gap"]);
  expect(changes).toEqual([["kind:x", "site:1"], ["site:1"], []]);
});

test("tabs that fell silent lose their wishes", () => {
  const wishes = new Wishes();
  wishes.set("one", ["a", "b"], 0);
  wishes.set("two", ["b", "c"], 150_000);
  wishes.sweep(210_000);
  expect(wishes.union()).toEqual(["b", "c"]);
});

test("freshness turns amber after 15 s and grey after 60 s", () => {
  expect([null, 100_000, 84_999, 39_999].map((beat) => freshness(beat, 100_000))).toEqual(["off", "live", "late", "lost"]);
});

test("the hub keeps one line for the topics of all tabs, tells joiners its freshness, and closes when the last leaves", async () => {
  vi.useFakeTimers();
  const asked: string[] = [];
  let open = 0;
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    asked.push(decodeURIComponent(url));
    open += 1;
    init.signal?.addEventListener("abort", () => (open -= 1));
    return Promise.resolve(new Response(new ReadableStream({ start: (control) => control.enqueue(new TextEncoder().encode(": ping\n\n")) })));
  });
  const signals: Signal[] = [];
  const hub = new Hub((signal) => signals.push(signal));
  hub.take({ type: "wish", tab: "one", topics: ["a", "b"] });
  hub.take({ type: "wish", tab: "two", topics: ["b", "c"] });
  await vi.advanceTimersByTimeAsync(100);
  const beats = signals.filter((signal) => signal.type === "beat").length;
  hub.take({ type: "wish", tab: "three", topics: ["a"] });
  expect(signals.filter((signal) => signal.type === "beat").length).toBe(beats + 1);
  hub.take({ type: "leave", tab: "two" });
  await vi.advanceTimersByTimeAsync(100);
  expect(asked).toEqual(["/live?topics=a,b,c", "/live?topics=a,b"]);
  expect(open).toBe(1);
  hub.take({ type: "leave", tab: "one" });
  hub.take({ type: "leave", tab: "three" });
  await vi.advanceTimersByTimeAsync(100);
  expect(open).toBe(0);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("in a stream of news the pauses grow to a few seconds, and are short again after a quiet time", () => {
  const pauses: number[] = [];
  let pause = 250;
  for (let count = 0; count < 7; count += 1) pauses.push((pause = nextPause(pause, 250, pause + 10)));
  expect(pauses).toEqual([500, 1000, 2000, 4000, longestPause, longestPause, longestPause]);
  expect(nextPause(longestPause, 250, 2 * longestPause + 1)).toBe(250);
  expect(nextPause(250, 250, Infinity)).toBe(250);
});
