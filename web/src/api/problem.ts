/** What went wrong, as the server says it (application/problem+json), or as the network shows it. */

export interface ProblemBody {
  title?: string;
  status?: number;
  code?: string;
  detail?: unknown;
  field?: string | null;
  row?: number | null;
  facts?: Record<string, unknown>;
  errors?: FieldError[];
  trace_id?: string;
}

export interface FieldError {
  field?: string | null;
  row?: number | null;
  code?: string;
  detail: string;
}

/** Codes the client gives by itself; their sentences are in words `problem.*`. */
export type OwnCode = "offline" | "timeout" | "signed_out" | "not_allowed" | "not_found" | "server" | "unknown";

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** The server's sentence in the user's language; empty when the client must find its own words. */
  readonly detail: string;
  readonly field: string | null;
  readonly row: number | null;
  readonly facts: Record<string, unknown>;
  readonly errors: FieldError[];
  readonly traceId: string;

  constructor(status: number, body: ProblemBody) {
    const detail = sentenceOf(body);
    super(detail || body.code || `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? ownCode(status);
    this.detail = detail;
    this.field = body.field ?? null;
    this.row = body.row ?? null;
    this.facts = body.facts ?? {};
    this.errors = fieldErrors(body);
    this.traceId = body.trace_id ?? "";
  }

  /** True when nobody can say whether the server did it: only then may the same order id be sent again. */
  get uncertain(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }

  /** Sentences by field path, rows counted from 0: `lines` + `quantity` in row 3 of the answer is `lines.2.quantity`. */
  get fields(): Record<string, string> {
    const map: Record<string, string> = {};
    for (const error of this.errors) if (error.field) map[pathOf(error.field, error.row)] ??= error.detail;
    return map;
  }
}

function pathOf(field: string, row: number | null | undefined): string {
  if (row == null || /\.\d+(\.|$)/.test(field)) return field;
  const [list, ...inner] = field.split(".");
  return [list, row - 1, ...inner].join(".");
}

function ownCode(status: number): OwnCode {
  if (status === 0) return "offline";
  if (status === 401) return "signed_out";
  if (status === 403) return "not_allowed";
  if (status === 404) return "not_found";
  return status >= 500 ? "server" : "unknown";
}

function sentenceOf(body: ProblemBody): string {
  if (typeof body.detail === "string") return body.detail;
  if (Array.isArray(body.detail)) return fieldErrors(body).map((error) => error.detail).join("; ");
  return body.title ?? "";
}

/** Both shapes in use: our own `field` + `detail` (or `errors`), and the schema checker's list of `{loc, msg}`. */
function fieldErrors(body: ProblemBody): FieldError[] {
  if (body.errors?.length) return body.errors;
  if (Array.isArray(body.detail)) {
    return (body.detail as { loc?: (string | number)[]; msg?: string; type?: string }[]).map((item) => ({
      field: (item.loc ?? []).filter((part) => !["body", "query", "path", "payload"].includes(String(part))).join("."),
      detail: item.msg ?? "",
      code: item.type,
    }));
  }
  if (body.field) return [{ field: body.field, row: body.row, code: body.code, detail: sentenceOf(body) }];
  return [];
}

/** Anything thrown, as a Problem: screens then have one kind of error to show. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") return new Problem(0, { code: "timeout" });
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) return new Problem(0, { code: "offline" });
  console.error(error);
  return new Problem(-1, { code: "unknown", facts: { message: error instanceof Error ? error.message : String(error) } });
}
