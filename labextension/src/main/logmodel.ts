/**
 * The log of one run as the page has it: which lines are at hand, which are asked for, what is looked for in it.
 *
 * It speaks to the server by `LogSource`, and knows nothing of the page; whoever draws it is told by `changed`.
 */
import type { Line, LogPage } from "../api/types.js";
import { Find, Found, Query } from "./find.js";
import { Follow } from "./follow.js";
import { Ranges } from "./ranges.js";

export interface LogNews extends Omit<LogPage, "first"> {
  /** null: there is more than is sent. */
  readonly first: number | null;
}

export interface Filter {
  readonly source: string;
  readonly errors: boolean;
}

type Narrowed<T> = T & Partial<Filter>;

/** Those parts of a query that are not said are left out. */
export interface LogSource {
  page(query: Narrowed<{ from: number; count: number }>, signal: AbortSignal): Promise<LogPage>;
  find(
    query: Narrowed<Query & { from: number; backwards: boolean; limit: number }>,
    signal: AbortSignal
  ): Promise<Found>;
  /** Pushes what is new from a line on; ends when it is disposed of, or by itself, which `ended` tells. */
  follow(query: Narrowed<{ from: number }>, news: (news: LogNews) => void, ended: () => void): { dispose(): void };
}

/** Lines that are fetched where a log is opened: some screens. */
const OPENING = 200;
const ALL: Filter = { source: "", errors: false };

export class LogModel {
  constructor(
    private readonly _source: LogSource,
    live: boolean
  ) {
    this.follow = new Follow(live);
  }

  readonly ranges = new Ranges();
  readonly find = new Find();
  readonly follow: Follow;
  filter: Filter = ALL;
  /** Whether the first answer has not come yet. */
  loading = true;
  /** Whether lines are still being counted. */
  complete = true;
  /** Whether nothing more will ever come. */
  ended = false;
  /** Why there is nothing to be seen; null where there is no such reason. */
  problem: Error | null = null;
  /** Called when something is to be drawn anew; `moved` where a hit is to be shown. */
  changed: (what: "lines" | "find" | "reset") => void = () => undefined;

  /** Opens it at its end, or where it was left. */
  async open(): Promise<void> {
    this._away = false;
    const had = this.ranges.total;
    await this._ask({ from: -OPENING, count: OPENING }, had > 0);
    this._listen();
  }

  /** Nobody looks at it: nothing is pushed. */
  close(): void {
    this._away = true;
    this._socket?.dispose();
    this._socket = null;
    this._abort.abort();
    this._abort = new AbortController();
    this._forget();
  }

  /** Shows only the lines of one source, or only errors. */
  async choose(filter: Filter): Promise<void> {
    this.close();
    this.filter = filter;
    this._reset("");
    await this.open();
    if (this.find.query.text) {
      await this.next(this.ranges.total, false);
    }
  }

  /** Sees to it that these lines come. */
  need(first: number, last: number): void {
    for (const span of this.ranges.missing(first, last)) {
      void this._ask(span);
    }
  }

  /** Looks for something else, from a place on; goes to the first hit. */
  async look(query: Query, from: number): Promise<void> {
    if (this.find.ask(query)) {
      this._forget();
      this.changed("find");
      if (query.text) {
        await this.next(from, true);
      }
    }
  }

  /** Goes to the next hit from a place on, that one included; begins anew at the other end. */
  async next(from: number, forwards: boolean): Promise<void> {
    const query = this.find.query;
    const ticket = ++this._looking;
    let start = Math.min(Math.max(1, from), Math.max(1, this.ranges.total));
    for (let asked = 0, turned = false; query.text && asked < 400; asked++) {
      const hit = this.find.known(start, forwards);
      if (hit) {
        this.find.go(hit);
        this.changed("find");
        break;
      }
      const found = await this._look(start, forwards, ticket);
      if (!found) {
        return;
      }
      if (!found.hits.length && found.next !== null) {
        start = found.next; // time was up
      } else if (!found.hits.length) {
        if (turned) {
          break;
        }
        turned = true;
        start = forwards ? 1 : Math.max(1, this.ranges.total);
      }
    }
    // All are counted beside, where that takes longer than to find one.
    for (let asked = 0; query.text && this.find.total === null && asked < 400; asked++) {
      if (!(await this._look(this.find.current?.at ?? 1, true, ticket))) {
        return;
      }
    }
    this.changed("find");
  }

  /** Hits among these lines are marked: a pattern is the server's to find. */
  async mark(first: number, last: number): Promise<void> {
    if (this.find.query.text && this.find.query.regex && !this.find.covers(first, last) && !this.find.problem) {
      if (await this._look(first, true, ++this._looking)) {
        this.changed("lines");
      }
    }
  }

  /** The lines from `first` to `last`, wherever they are; at most so many answers are awaited. */
  async fetched(first: number, last: number): Promise<Line[]> {
    const lines: Line[] = [];
    for (let at = first; at <= last; ) {
      const here = this.ranges.get(at);
      if (here) {
        lines.push(here);
        at += 1;
        continue;
      }
      const page = await this._source.page(
        { from: at, count: Math.min(2000, last - at + 1), ...this._filter },
        this._abort.signal
      );
      if (!page.lines.length) {
        break;
      }
      lines.push(...page.lines);
      at = page.first + page.lines.length;
    }
    return lines;
  }

  /** What was looked for until now is not any more: the server need not go on. */
  private _forget(): void {
    this._seek.abort();
    this._seek = new AbortController();
  }

  private async _look(from: number, forwards: boolean, ticket: number): Promise<Found | null> {
    const query = this.find.query;
    const { signal } = this._seek;
    try {
      const asked = { ...query, from, backwards: !forwards, limit: 200, ...this._filter };
      const found = await this._source.find(asked, signal);
      if (ticket !== this._looking || query !== this.find.query) {
        return null; // something else is looked for by now
      }
      this.find.problem = "";
      this.find.take(found, from, forwards);
      return found;
    } catch (error) {
      if (ticket === this._looking && !signal.aborted) {
        this.find.problem = error instanceof Error ? error.message : String(error);
        this.changed("find");
      }
      return null;
    }
  }

  private get _filter(): Partial<Filter> {
    return { ...(this.filter.source && { source: this.filter.source }), ...(this.filter.errors && { errors: true }) };
  }

  private async _ask(span: { from: number; count: number }, again = false): Promise<void> {
    const { signal } = this._abort;
    this.ranges.asked(span);
    try {
      const page = await this._source.page({ ...span, ...this._filter }, signal);
      this.ranges.failed(span);
      if (signal.aborted) {
        return;
      }
      if (page.generation !== this.ranges.generation) {
        this._reset(page.generation);
      }
      if (again) {
        this.ranges.skipped(page.total);
      }
      this.problem = null;
      this.loading = false;
      this.ranges.put(page.first, page.lines, page.total);
      this._told(page);
      this.changed("lines");
      if (!page.complete) {
        this._later(); // lines are still counted: there will be more of them
      }
    } catch (error) {
      this.ranges.failed(span);
      if (!signal.aborted) {
        this.loading = false;
        this.problem = error instanceof Error ? error : new Error(String(error));
        this.changed("lines");
        this._later();
      }
    }
  }

  private _listen(): void {
    if (this._away || this.ended || this._socket) {
      return;
    }
    const from = Math.max(1, (this.ranges.firm || this.ranges.total) + 1);
    this._socket = this._source.follow(
      { from, ...this._filter },
      news => this._came(news),
      () => {
        this._socket = null;
        this._later();
      }
    );
  }

  private _came(news: LogNews): void {
    if (news.generation !== this.ranges.generation) {
      this._reset(news.generation);
    }
    this.problem = null;
    this.loading = false;
    this._patience = 1000;
    if (news.first !== null) {
      this.ranges.replace(news.first, news.lines, news.total);
    } else {
      this.ranges.skipped(news.total);
    }
    this._told(news);
    this.changed("lines");
  }

  private _told(page: LogPage | LogNews): void {
    this.ranges.firm = page.firm;
    this.complete = page.complete;
    this.ended = page.ended;
    this.follow.grew(this.ranges.total);
  }

  private _reset(generation: string): void {
    this.ranges.clear(generation);
    this.follow.reset();
    this.find.forget();
    this.loading = true;
    this.changed("reset");
  }

  /** Asks and listens again, later and later where nobody answers. */
  private _later(): void {
    if (this._away || this._timer || (this.ended && this.complete && !this.problem)) {
      return;
    }
    const wait = this.complete ? this._patience : 250;
    this._patience = Math.min(30_000, this._patience * 2);
    this._timer = setTimeout(() => {
      this._timer = null;
      if (!this._away) {
        void this._ask({ from: -OPENING, count: OPENING }, true).then(() => this._listen());
      }
    }, wait);
  }

  private _away = true;
  private _abort = new AbortController();
  private _seek = new AbortController();
  private _socket: { dispose(): void } | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _patience = 1000;
  private _looking = 0;
}
