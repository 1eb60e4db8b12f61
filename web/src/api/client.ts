/** One way to the server: session cookie, CSRF header, language, problem+json, patient retries. */

import { asProblem, Problem, type ProblemBody } from "./problem";
import { uuid7 } from "./uuid7";

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** How often an unanswered call is sent again (default: 2 for reads and for orders with an id, else never). */
  retries?: number;
  timeoutMs?: number;
}

interface Setting {
  language: () => string;
  /** Sent with every call: a device without a session says by its key who it is. */
  headers: () => Record<string, string>;
  /** Called once per refused call when the session has ended. */
  signedOut: () => void;
  /** The server answered this reading. */
  remember: (path: string, language: string, answer: unknown) => void;
  /** Whether the answer to this path is kept: then the last one serves at once, and nobody waits for more tries. */
  keeps: (path: string) => boolean;
  /** The server cannot be reached: what it answered last, where that is kept. */
  lastKnown: (path: string, language: string) => Promise<{ answer: unknown } | null>;
  /** Whether the last call reached the server. */
  reached: (there: boolean) => void;
  fetch: typeof fetch;
  wait: (ms: number) => Promise<void>;
}

const setting: Setting = {
  language: () => "zh-CN",
  headers: () => ({}),
  signedOut: () => undefined,
  remember: () => undefined,
  keeps: () => false,
  lastKnown: () => Promise.resolve(null),
  reached: () => undefined,
  fetch: (...args) => fetch(...args),
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export function configureClient(change: Partial<Setting>): void {
  Object.assign(setting, change);
}

export function csrfToken(cookies: string = typeof document === "undefined" ? "" : document.cookie): string {
  return cookies.match(/(?:^|;\s*)csrftoken=([^;]*)/)?.[1] ?? "";
}

export function withQuery(path: string, query?: Query): string {
  const parts = Object.entries(query ?? {})
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  return parts.length ? `${path}${path.includes("?") ? "&" : "?"}${parts.join("&")}` : path;
}

/** So long a screen waits for news of what it knows already. */
const keptTimeoutMs = 8_000;

/** One call, JSON in and out. Throws `Problem`, or an AbortError when the caller's signal says stop. */
export async function call<T>(path: string, options: CallOptions = {}): Promise<T> {
  const reading = (options.method ?? "GET") === "GET";
  const [url, language] = [withQuery(path, options.query), setting.language()];
  let response: Response;
  try {
    response = await send(path, reading && setting.keeps(url) ? { retries: 0, timeoutMs: keptTimeoutMs, ...options } : options);
  } catch (error) {
    const known = reading && error instanceof Problem && error.uncertain ? await setting.lastKnown(url, language) : null;
    if (known) return known.answer as T;
    throw error;
  }
  if (response.status === 204) return undefined as T;
  const answer = (await response.json()) as T;
  if (reading) setting.remember(url, language, answer);
  return answer;
}

async function send(path: string, options: CallOptions): Promise<Response> {
  const method = options.method ?? "GET";
  const repeatable = method === "GET" || Boolean(options.headers?.["Idempotency-Key"]);
  const retries = options.retries ?? (repeatable ? 2 : 0);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await sendOnce(withQuery(path, options.query), method, options);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      const problem = asProblem(error);
      if (!problem.uncertain || attempt >= retries) throw problem;
      await setting.wait(400 * 3 ** attempt);
    }
  }
}

async function sendOnce(url: string, method: string, options: CallOptions): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": setting.language(), ...setting.headers(), ...options.headers };
  let body: BodyInit | undefined;
  if (options.body instanceof FormData) body = options.body;
  else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  const limit = AbortSignal.timeout(options.timeoutMs ?? 30_000);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  let response: Response;
  try {
    response = await setting.fetch(url, { method, headers, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (!options.signal?.aborted) setting.reached(false);
    throw error;
  }
  if (response.ok) {
    setting.reached(true);
    return response;
  }
  const problem = await readProblem(response);
  setting.reached(!problem.uncertain);
  if (problem.status === 401) setting.signedOut();
  throw problem;
}

async function readProblem(response: Response): Promise<Problem> {
  const json = (response.headers.get("Content-Type") ?? "").includes("json");
  const body = json ? ((await response.json()) as ProblemBody) : {};
  return new Problem(response.status, body);
}

export function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return call<T>(path, { query, signal });
}

export interface OrderOptions {
  /** Made by the caller when a retry may come from a person; kept for retries of the same intent. */
  orderId?: string;
  /** The version the person looked at; the server answers 409 when the row has moved on. */
  version?: number | string;
  signal?: AbortSignal;
  retries?: number;
  timeoutMs?: number;
}

/** Give an order (a command of the house): `order("sales.confirm_order", {order: id})`. Safe to repeat. */
export function order<T = Answer>(command: string, body: object = {}, options: OrderOptions = {}): Promise<T> {
  const headers: Record<string, string> = { "Idempotency-Key": options.orderId ?? uuid7() };
  if (options.version !== undefined) headers["If-Match"] = String(options.version);
  return call<T>(`/api/${command.replace(".", "/")}`, { method: "POST", body, headers, signal: options.signal, retries: options.retries, timeoutMs: options.timeoutMs });
}

/** What an order answers when it made or changed one document; other commands answer their own fields. */
export interface Answer {
  id?: string;
  kind?: string;
  number?: string;
  code?: string;
  version?: number;
  status?: string;
  [field: string]: unknown;
}

/** Fetch a file and hand it to the browser to save. */
export async function download(path: string, query: Query, fileName: string): Promise<void> {
  const response = await send(path, { query, timeoutMs: 300_000, headers: { Accept: "*/*" } });
  const named = response.headers.get("Content-Disposition")?.match(/filename\*?=(?:UTF-8'')?"?([^";]+)/i)?.[1];
  saveFile(await response.blob(), named ? decodeURIComponent(named) : fileName);
}

export function saveFile(content: Blob, fileName: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
