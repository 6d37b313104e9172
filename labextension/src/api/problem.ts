/** What the server sends instead of an answer: one sentence, why, and what to do. */
export interface Told {
  code: string;
  what: string;
  why?: string | null;
  do?: string | null;
}

/** An answer that did not come, in one sentence. `status` is 0 where there was no answer at all. */
export class Problem extends Error implements Told {
  readonly code: string;
  readonly why: string;
  readonly do: string;

  constructor(
    told: Told,
    readonly status: number
  ) {
    super(told.what);
    this.name = "Problem";
    this.code = told.code;
    this.why = told.why ?? "";
    this.do = told.do ?? "";
  }

  get what(): string {
    return this.message;
  }

  /** Whether nobody answers below our address: there is no server extension. */
  get absent(): boolean {
    return this.status === 404 && this.code === "";
  }
}

/** The problem that an answer other than 2xx tells, whoever wrote it: we, Jupyter, or a proxy between. */
export function problem(status: number, body: unknown, reason: string): Problem {
  if (isTold(body)) {
    return new Problem(body, status);
  }
  const message = (body as { message?: unknown } | null)?.message;
  const words = typeof message === "string" && message ? message : reason;
  return new Problem({ code: "", what: `The Jupyter server answers ${status}${words ? `: ${words}` : ""}` }, status);
}

function isTold(body: unknown): body is Told {
  const told = body as Partial<Told> | null;
  return typeof told === "object" && typeof told?.code === "string" && typeof told?.what === "string";
}
