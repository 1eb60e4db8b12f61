import { afterEach, describe, expect, test, vi } from "vitest";
import { call, configureClient, csrfToken, order, withQuery } from "@/api/client";
import { asProblem, Problem } from "@/api/problem";
import { uuid7 } from "@/api/uuid7";

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": status < 400 ? "application/json" : "application/problem+json" } });

describe("uuid7", () => {
  test("has version 7 and variant bits and the time in front", () => {
    const at = Date.now() + 5_000;
    const id = uuid7(at);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(at);
  });

  test("sorts in the order of making, also within a millisecond and when the clock steps back", () => {
    const at = Date.now() + 10_000;
    const ids = Array.from({ length: 6000 }, (_, index) => uuid7(at - (index % 3)));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(6000);
  });
});

describe("problem", () => {
  test("maps a nested field with its row to a path counted from 0", () => {
    const problem = new Problem(422, { code: "quantity_not_positive", detail: "数量必须大于 0", field: "lines.quantity", row: 3 });
    expect(problem.fields).toEqual({ "lines.2.quantity": "数量必须大于 0" });
  });

  test("takes several errors and the schema checker's list alike", () => {
    expect(new Problem(422, { errors: [{ field: "code", detail: "a" }, { field: "name", detail: "b" }] }).fields).toEqual({ code: "a", name: "b" });
    expect(new Problem(422, { detail: [{ loc: ["body", "lines", 0, "item"], msg: "missing", type: "missing" }] }).fields).toEqual({ "lines.0.item": "missing" });
  });

  test("only unanswered calls are uncertain", () => {
    expect([0, 502, 503, 504].every((status) => new Problem(status, {}).uncertain)).toBe(true);
    expect([401, 403, 409, 422, 500].some((status) => new Problem(status, {}).uncertain)).toBe(false);
  });

  test("network failures become a problem with its own code", () => {
    expect(asProblem(new TypeError("Failed to fetch")).code).toBe("offline");
    expect(asProblem(new DOMException("", "TimeoutError")).code).toBe("timeout");
  });
});

describe("client", () => {
  const waits: number[] = [];
  const use = (fetch: typeof globalThis.fetch) => configureClient({ fetch, wait: (ms) => (waits.push(ms), Promise.resolve()), language: () => "en" });
  afterEach(() => void (waits.length = 0));

  test("repeats an unanswered order with the same id, with growing pauses", async () => {
    const keys: (string | null)[] = [];
    const fetch = vi.fn((_url: unknown, init?: RequestInit) => {
      keys.push(new Headers(init?.headers).get("Idempotency-Key"));
      return keys.length < 3 ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(json({ id: "1", number: "SO-1" }));
    });
    use(fetch as unknown as typeof globalThis.fetch);
    await expect(order("sales.confirm_order", { order: "x" })).resolves.toEqual({ id: "1", number: "SO-1" });
    expect(fetch.mock.calls[0][0]).toBe("/api/sales/confirm_order");
    expect(new Set(keys).size).toBe(1);
    expect(waits).toEqual([400, 1200]);
  });

  test("never repeats a refusal, nor a POST without an order id", async () => {
    const refused = vi.fn(() => Promise.resolve(json({ code: "wrong_status", detail: "no" }, 409)));
    use(refused as unknown as typeof fetch);
    await expect(order("sales.confirm_order")).rejects.toMatchObject({ status: 409, code: "wrong_status" });
    expect(refused).toHaveBeenCalledTimes(1);
    const down = vi.fn(() => Promise.reject(new TypeError("Failed to fetch")));
    use(down as unknown as typeof fetch);
    await expect(call("/api/access/login", { method: "POST", body: {} })).rejects.toMatchObject({ code: "offline" });
    expect(down).toHaveBeenCalledTimes(1);
  });

  test("sends language, version and If-Match; tells once that the session ended", async () => {
    const seen: Headers[] = [];
    let out = 0;
    configureClient({ signedOut: () => (out += 1) });
    use(((_url: unknown, init?: RequestInit) => (seen.push(new Headers(init?.headers)), Promise.resolve(json({ code: "not_known" }, 401)))) as typeof fetch);
    await expect(order("sales.confirm_order", {}, { version: 7 })).rejects.toMatchObject({ status: 401 });
    expect(seen[0].get("If-Match")).toBe("7");
    expect(seen[0].get("Accept-Language")).toBe("en");
    expect(out).toBe(1);
  });

  test("queries leave out what is empty and encode the rest", () => {
    expect(withQuery("/api/x", { q: "a&b", limit: 0, none: "", no: undefined, off: false })).toBe("/api/x?q=a%26b&limit=0&off=false");
    expect(csrfToken("a=1; csrftoken=abc; b=2")).toBe("abc");
  });
});
