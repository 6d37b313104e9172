/** What is looked for in a log, which of its hits is meant, and which is next. Pure: it asks no server itself. */

import type { Hit, LogHits } from "../api/types.js";

export interface Query {
  readonly text: string;
  readonly regex: boolean;
  readonly case: boolean;
}

/** What a server answers. */
export type Found = Pick<LogHits, "total" | "hits" | "before" | "next">;

export const NOTHING: Query = { text: "", regex: false, case: false };

export class Find {
  query: Query = NOTHING;
  /** Lines with hits in all; null while it is not known. */
  total: number | null = null;
  current: Hit | null = null;
  /** Why it cannot be looked for: a pattern that is none. */
  problem = "";

  /** Another thing is looked for; whether it is another one. */
  ask(query: Query): boolean {
    const same = (["text", "regex", "case"] as const).every(key => query[key] === this.query[key]);
    if (!same) {
      this.query = query;
      this.forget();
    }
    return !same;
  }

  /** The same is looked for in another log, or through another filter. */
  forget(): void {
    this.total = this.query.text ? null : 0;
    this.current = null;
    this.problem = "";
    this._hits = [];
    this._low = 1;
    this._high = 0;
    this._before = null;
  }

  /** Takes what a server found from a place on. */
  take(found: Found, from: number, forwards: boolean): void {
    this.total = found.total ?? this.total;
    this._hits = [...found.hits].sort((a, b) => a.at - b.at);
    this._before = found.before;
    if (forwards) {
      this._low = from;
      this._high = found.next === null ? Infinity : found.next - 1;
    } else {
      this._low = found.next === null ? 1 : found.next + 1;
      this._high = from;
    }
  }

  /** The next hit from a place on, this one included; null where a server has to be asked. */
  known(from: number, forwards: boolean): Hit | null {
    if (from < this._low || from > this._high) {
      return null;
    }
    const ahead = forwards ? this._hits.filter(hit => hit.at >= from) : this._hits.filter(hit => hit.at <= from);
    return ahead[forwards ? 0 : ahead.length - 1] ?? null;
  }

  /** Whether all hits between two places are known. */
  covers(first: number, last: number): boolean {
    return this._low <= first && last <= this._high;
  }

  /** Which hit is meant, counted from 1; 0 where that is not known. */
  get number(): number {
    const at = this._hits.findIndex(hit => hit.at === this.current?.at);
    return at < 0 || this._before === null ? this._number : (this._number = this._before + at + 1);
  }

  /** A hit is meant. */
  go(hit: Hit): void {
    this.current = hit;
    this._number = 0;
  }

  /** Where it stands in a line, as pairs of offsets. */
  marks(at: number, text: string): readonly number[][] {
    if (!this.query.text) {
      return [];
    }
    return this._hits.find(hit => hit.at === at)?.spans ?? occurrences(text, this.query);
  }

  private _hits: Hit[] = [];
  // Between these places, all hits are known.
  private _low = 1;
  private _high = 0;
  private _before: number | null = null;
  private _number = 0;
}

/** Where a plain text stands in a line; patterns are the server's to find, as one may take for ever. */
export function occurrences(text: string, query: Query): [number, number][] {
  if (!query.text || query.regex) {
    return [];
  }
  const [where, what] = query.case ? [text, query.text] : [folded(text), folded(query.text)];
  const found: [number, number][] = [];
  for (let at = where.indexOf(what); at >= 0 && found.length < 100; at = where.indexOf(what, at + what.length)) {
    found.push([at, at + what.length]);
  }
  return found;
}

// Letter by letter where it matters, so that offsets stay: "İ" in lower case is two.
function folded(text: string): string {
  const lower = text.toLowerCase();
  const alike = (one: string): string => (one.toLowerCase().length === one.length ? one.toLowerCase() : one);
  return lower.length === text.length ? lower : Array.from(text, alike).join("");
}
