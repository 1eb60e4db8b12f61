import { beforeEach, describe, expect, test, vi } from "vitest";
import { Problem } from "@/api/problem";
import { withKept, type StationAnswer } from "@/features/production/station";
import { withoutKept, type Warehouse } from "@/features/warehouse/warehouse";
import { pauseAfter, Queue, verdict, type HandedIn } from "@/offline/queue";
import { isKept, LastAnswers } from "@/offline/reads";
import { importKey, seal, toBase64, unseal, type Stay } from "@/offline/seal";
import { cacheName, outdated, storedFor, type Shell } from "@/offline/shell";
import type { KeptRow, ReadRow, Store } from "@/offline/store";

/** The browser's store, without a browser: it keeps copies, as IndexedDB does. */
function memory(): Store & { all: () => KeptRow[]; raw: () => string } {
  let stay: Stay | null = null;
  const kept = new Map<string, KeptRow>();
  const reads = new Map<string, ReadRow>();
  return {
    stay: async () => stay,
    keepStay: async (given) => void (stay = given),
    rows: async () => [...kept.values()].map((row) => ({ ...row })).sort((a, b) => a.sequence - b.sequence),
    put: async (row) => void kept.set(row.id, { ...row }),
    drop: async (id) => void kept.delete(id),
    read: async (name) => reads.get(name) ?? null,
    putRead: async (row) => void reads.set(row.name, row),
    forget: async () => {
      stay = null;
      reads.clear();
      for (const [id, row] of kept) if (row.state === "filed") kept.delete(id);
    },
    all: () => [...kept.values()].sort((a, b) => a.sequence - b.sequence),
    raw: () => JSON.stringify([[...kept.values()], [...reads.values()]]),
  };
}

async function stayOf(person: string): Promise<Stay> {
  const key = await importKey(toBase64(crypto.getRandomValues(new Uint8Array(32))));
  return { pass: `pass of ${person}`, person, until: Date.now() + 3_600_000, key };
}

const report = (good: number) => ({ command: "production.report_operation", body: { operation: "op", good: String(good) }, happened_at: "2026-03-02T00:00:00Z", device_at: "2026-03-02T00:00:05Z", label: "WO-1" });
const done: HandedIn = { state: "done", number: "", code: "" };
const offline = () => Promise.reject(new Problem(0, { code: "offline" }));

describe("the queue", () => {
  let store: ReturnType<typeof memory>;
  let stay: Stay;
  beforeEach(async () => {
    store = memory();
    stay = await stayOf("gao");
  });

  test("hands in what was kept in the order it was given, each once, and keeps it sealed until then", async () => {
    const sent: string[] = [];
    const queue = new Queue(store, async (row) => (sent.push(row.id), done));
    for (const [place, id] of ["a", "b", "c"].entries()) await queue.keep(stay, id, report(place));
    await queue.keep(stay, "b", report(9)); // the same tap once more
    expect(store.raw()).not.toContain("report_operation");
    expect((await queue.waiting(stay)).map((row) => row.content?.body.good)).toEqual(["0", "1", "2"]);
    expect(await Promise.all([queue.send(), queue.send()])).toEqual([true, true]);
    expect(sent).toEqual(["a", "b", "c"]);
    expect(store.all()).toEqual([]);
  });

  test("stops at the first that cannot be sent, and goes on from there after the page was started anew", async () => {
    const sent: string[] = [];
    let away = false;
    const hand = (row: KeptRow) => (away ? offline() : (sent.push(row.id), (away = row.id === "a"), Promise.resolve(done)));
    const queue = new Queue(store, hand);
    for (const id of ["a", "b", "c"]) await queue.keep(stay, id, report(1));
    expect(await queue.send()).toBe(false);
    expect(store.all().map((row) => [row.id, row.state, row.tries])).toEqual([["b", "waiting", 1], ["c", "waiting", 0]]);
    away = false;
    expect(await new Queue(store, hand).send()).toBe(true);
    expect(sent).toEqual(["a", "b", "c"]);
  });

  test("a refused one is filed and does not hold up those behind it", async () => {
    const queue = new Queue(store, async (row) => (row.id === "a" ? { state: "filed", number: "RO-1", code: "more_than_ordered" } : done));
    for (const id of ["a", "b"]) await queue.keep(stay, id, report(1));
    const told: [string, string | undefined][] = [];
    expect(await queue.send((row, how) => told.push([row.id, how?.state]))).toBe(true);
    expect(told).toEqual([["a", "filed"], ["b", "done"]]);
    expect(store.all()).toMatchObject([{ id: "a", state: "filed", number: "RO-1", code: "more_than_ordered" }]);
  });

  test("what the server fails at is set aside after five times, what it will never take at once; the network alone never", async () => {
    const said: Record<string, Problem> = { never: new Problem(422, { code: "seal_broken" }), fault: new Problem(500, { code: "bug" }) };
    const queue = new Queue(store, (row) => (said[row.id] ? Promise.reject(said[row.id]) : Promise.resolve(done)));
    for (const id of ["never", "fault", "good"]) await queue.keep(stay, id, report(1));
    for (let time = 1; time <= 4; time += 1) expect(await queue.send()).toBe(false);
    expect(store.all().map((row) => [row.id, row.state])).toEqual([["never", "stuck"], ["fault", "waiting"], ["good", "waiting"]]);
    expect(await queue.send()).toBe(true);
    expect(store.all().map((row) => [row.id, row.state])).toEqual([["never", "stuck"], ["fault", "stuck"]]);

    const lonely = memory();
    const patient = new Queue(lonely, offline);
    await patient.keep(stay, "x", report(1));
    for (let time = 0; time < 20; time += 1) await patient.send();
    expect(lonely.all()).toMatchObject([{ state: "waiting", faults: 0 }]);
  });

  test("an order can be taken back until it was sent once, however that ended", async () => {
    const queue = new Queue(store, offline);
    await queue.keep(stay, "a", report(1));
    await queue.keep(stay, "b", report(1));
    expect(await queue.takeBack("a")).toBe(true);
    await queue.send();
    expect(await queue.takeBack("b")).toBe(false);
    expect(await queue.takeBack("gone")).toBe(false);
    expect(store.all().map((row) => row.id)).toEqual(["b"]);
  });

  test("the next person cannot read what waits, nor the one who left; it is still sent", async () => {
    const sent: string[] = [];
    const queue = new Queue(store, async (row) => (sent.push(row.pass), done));
    await store.keepStay(stay);
    await queue.keep(stay, "a", report(1));
    await store.forget();
    const next = await stayOf("wang");
    for (const who of [next, null, { ...next, pass: stay.pass }]) expect((await queue.waiting(who)).map((row) => row.content)).toEqual([null]);
    expect(await store.stay()).toBeNull();
    await queue.send();
    expect(sent).toEqual([stay.pass]);
  });

  test("later orders have later places, also when the device's clock is set back", async () => {
    const queue = new Queue(store, offline);
    vi.useFakeTimers({ now: 2_000_000, toFake: ["Date"] });
    await queue.keep(stay, "a", report(1));
    vi.setSystemTime(1_000_000);
    await queue.keep(stay, "b", report(1));
    await new Queue(store, offline).keep(stay, "c", report(1));
    vi.useRealTimers();
    expect((await store.rows()).map((row) => row.id)).toEqual(["a", "b", "c"]);
  });
});

test("a verdict for each way to fail", () => {
  const of = (status: number, code = "") => verdict(new Problem(status, code ? { code } : {}));
  expect([of(0), of(503), of(504), of(409, "busy"), of(429)]).toEqual(Array(5).fill("later"));
  expect([of(500), of(-1)]).toEqual(["fault", "fault"]);
  expect([of(422), of(403), of(401), of(404), of(409, "stale_version")]).toEqual(Array(5).fill("never"));
  expect([0, 1, 2, 3, 4, 50].map(pauseAfter)).toEqual([0, 2_000, 5_000, 10_000, 30_000, 30_000]);
});

describe("seals", () => {
  test("open only for the same name and key, and the key cannot be read", async () => {
    const { key } = await stayOf("gao");
    const sealed = await seal(key, "one", { good: 3 });
    expect(await unseal(key, "one", sealed)).toEqual({ good: 3 });
    expect(await unseal(key, "two", sealed)).toBeNull();
    expect(await unseal((await stayOf("gao")).key, "one", sealed)).toBeNull();
    await expect(crypto.subtle.exportKey("raw", key)).rejects.toThrow();
    expect(await seal(key, "one", { good: 3 })).not.toBe(sealed);
  });

  test("last answers are given to the person they were kept for, and to nobody after the badge-out", async () => {
    const store = memory();
    const answers = new LastAnswers(store);
    const [gao, wang] = [await stayOf("gao"), await stayOf("wang")];
    await answers.remember(gao, "/api/overviews/station/1", "zh-CN", { jobs: ["秘密"] });
    expect(store.raw()).not.toContain("秘密");
    expect(await answers.last(gao, "/api/overviews/station/1", "zh-CN")).toMatchObject({ answer: { jobs: ["秘密"] } });
    expect(await answers.last(gao, "/api/overviews/station/1", "en")).toBeNull();
    expect(await answers.last(wang, "/api/overviews/station/1", "zh-CN")).toBeNull();
    await store.forget();
    // An answer that was on its way when the person left.
    await answers.remember(gao, "/api/access/me", "zh-CN", { person: "gao" });
    expect(await answers.last(wang, "/api/access/me", "zh-CN")).toBeNull();
  });

  test("only what a station needs is kept", () => {
    expect(["/api/access/me", "/api/meta", "/api/overviews/station/0197-aa", "/api/overviews/warehouse?site=1"].map(isKept)).toEqual([true, true, true, true]);
    expect(["/api/sales/sales_order", "/api/access/person", "/api/meta/x", "/api/overviews/home", "/api/access/me/../person"].map(isKept)).toEqual(Array(5).fill(false));
  });
});

describe("the service worker", () => {
  const shell: Shell = { version: "v2", files: ["/assets/terminal-AbCdEf12.js", "/assets/mark.svg"] };
  const origin = "https://mes.example";
  const stored = (path: string, page = false, method = "GET") => storedFor(method, new URL(path, origin), origin, page, shell);

  test("answers the pages of terminal and phone, and their own files; never the server's words", () => {
    expect([stored("/terminal", true), stored("/terminal/job/1?x=2", true), stored("/phone/", true)]).toEqual(["/terminal", "/terminal", "/phone"]);
    expect(stored("/assets/terminal-AbCdEf12.js")).toBe("/assets/terminal-AbCdEf12.js");
    for (const path of ["/api/access/me", "/live?topics=a", "/assets/terminal-old.js", "/sw.js", "/terminal"]) expect(stored(path), path).toBeNull();
    for (const path of ["/", "/orders/1", "/terminals", "/portal"]) expect(stored(path, true), path).toBeNull();
    expect(stored("/terminal", true, "POST")).toBeNull();
    expect(stored("https://elsewhere.example/terminal", true)).toBeNull();
  });

  test("a version takes all of its predecessor's place, and nobody else's", () => {
    expect(outdated(["lianzao-shell-v1", cacheName(shell), "lianzao-shell-", "other"], shell)).toEqual(["lianzao-shell-v1", "lianzao-shell-"]);
  });
});

test("a station shows what waits as done", () => {
  const job = { operation_id: "op", status: "waiting", good: "10", scrap: "0", rework: "0", remaining: "50", available: "40" };
  const answer = { jobs: [job, { ...job, operation_id: "other" }] } as unknown as StationAnswer;
  const shown = withKept(answer, [{ operation: "op", good: "5", scrap: "1" }, { operation: "op", good: "2", rework: "1" }], []);
  expect(shown.jobs[0]).toMatchObject({ status: "started", good: "17", scrap: "1", rework: "1", remaining: "42", available: "31" });
  expect(shown.jobs[1]).toEqual({ ...job, operation_id: "other" });
  expect(withKept(answer, [], [])).toBe(answer);
  expect(withKept(answer, [], [{ operation: "other" }]).jobs[1].status).toBe("started");
});

test("a phone shows no task that was done and waits, and what is left of one done in part", () => {
  const data = { picks: [{ id: "a", quantity: "5" }, { id: "b", quantity: "5" }, { id: "c", quantity: "5" }], arrivals: [{ id: "asn" }, { id: "po" }], shipments: [], inspections: [] } as unknown as Warehouse;
  const shown = withoutKept(data, [{ task: "a", quantity: "5" }, { task: "b", quantity: "2" }, { task: "c", quantity: "1", finished: true }], [{ asn: "asn" }]);
  expect(shown.picks.map((task) => [task.id, task.quantity])).toEqual([["b", "3"]]);
  expect(shown.arrivals.map((one) => one.id)).toEqual(["po"]);
});
