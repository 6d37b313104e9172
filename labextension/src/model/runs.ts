import { Signal, type ISignal } from "@lumino/signaling";
import type { IDisposable } from "@lumino/disposable";

import { Changes, Problem, type About, type Changed, type Client, type Counts, type Listing, type Row, type Trouble } from "../api/index.js";
import { ALL, asked, matches, type Filter } from "./filter.js";
import { changed, EMPTY, listed, longer, type List } from "./list.js";

const PAGE = 200;
/** Nobody has so many that go on; and if, the others come with the pages. */
const LIVE = 500;
/** While the server reads runs that it has not read before. */
const SOON = 1500;
/** After the last letter of a search. */
const PAUSE = 150;

/** What the sidebar shows: the runs that were asked for, kept level with the server. */
export class Runs implements IDisposable {
  readonly changes: Changes;
  private known: List = EMPTY;
  private readonly heard = new Map<string, Row>();
  private all: Counts = {};
  private _unread = 0;
  private sought: Filter = ALL;
  private server: About | null = null;
  private _elsewhere: Trouble | null = null;
  private trouble: Problem | null = null;
  private asked = 0;
  private loading = false;
  private begun: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _rowsChanged = new Signal<this, readonly Row[]>(this);
  isDisposed = false;

  constructor(readonly client: Client) {
    this.changes = new Changes(client);
    this.changes.changed.connect(this.onChanged, this);
    this.changes.stale.connect(() => void this.refresh());
    this.changes.stateChanged.connect((_, state) => {
      if (this.trouble && (state === "live" || state === "polling")) {
        void this.refresh(); // it is back
      }
      this._changed.emit();
    });
    this.changes.troubled.connect((_, problem) => {
      this.trouble = problem;
      this._changed.emit();
    });
  }

  /** The list, or how it is with it, has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** All rows that are new or changed, whatever is searched for. */
  get rowsChanged(): ISignal<this, readonly Row[]> {
    return this._rowsChanged;
  }

  get list(): List {
    return this.known;
  }

  /** How many runs are in each phase, of all there are. */
  get counts(): Counts {
    return this.all;
  }

  /** How many older runs the server has not read yet. */
  get unread(): number {
    return this._unread;
  }

  get filter(): Filter {
    return this.sought;
  }

  /** Who answers. */
  get about(): About | null {
    return this.server;
  }

  /** That the kernel of an open notebook keeps its runs where this server does not look. */
  get elsewhere(): Trouble | null {
    return this._elsewhere;
  }

  set elsewhere(told: Trouble | null) {
    this._elsewhere = told;
    this._changed.emit();
  }

  /** Why there is no list, or no newer one. */
  get problem(): Problem | null {
    return this.trouble;
  }

  /** Asks for the list, once. */
  begin(): Promise<void> {
    this.begun ??= this.refresh();
    return this.begun;
  }

  /** Looks for something else, soon. */
  seek(filter: Filter): void {
    this.sought = filter;
    this._changed.emit();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.refresh(), PAUSE);
  }

  /** Asks for the list anew; a later call overtakes this one. */
  async refresh(): Promise<void> {
    const mine = ++this.asked;
    const { sought } = this;
    try {
      const whole = this.client.runs({ ...asked(sought), limit: PAGE });
      const live = sought.state ? null : this.client.runs({ ...asked(sought), state: "live", limit: LIVE });
      const about = this.server ?? this.client.about();
      const [page, going, server] = await Promise.all([whole, live, about]);
      if (mine === this.asked && !this.isDisposed) {
        this.server = server;
        this.take(page, going?.rows ?? []);
      }
    } catch (error) {
      if (mine === this.asked && !this.isDisposed) {
        this.server = null; // it may be another one when it is back
        this.trouble = error instanceof Problem ? error : new Problem({ code: "unreadable", what: String(error) }, 0);
        if (!this.trouble.status || this.trouble.absent) {
          this.changes.lose(this.trouble);
        }
        this._changed.emit();
      }
    }
  }

  /** Asks for the next page, where there is one. */
  async more(): Promise<void> {
    const { next } = this.known;
    if (next === null || this.loading) {
      return;
    }
    this.loading = true;
    const mine = this.asked;
    try {
      const page = await this.client.runs({ ...asked(this.sought), limit: PAGE, after: next });
      if (mine === this.asked) {
        this.hear(page.rows);
        this.known = longer(this.known, page);
        this._changed.emit();
      }
    } catch (error) {
      if (error instanceof Problem && error.status) {
        void this.refresh(); // the cursor is not known any more
      }
    } finally {
      this.loading = false;
    }
  }

  /** A run as it was heard of last, whatever is searched for now. */
  row(id: string): Row | undefined {
    return this.heard.get(id);
  }

  /** All runs that were heard of: those that are live are among them. */
  rows(): Iterable<Row> {
    return this.heard.values();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.isDisposed = true;
      clearTimeout(this.timer);
      this.changes.dispose();
      Signal.clearData(this);
    }
  }

  private take(page: Listing, live: readonly Row[]): void {
    this.trouble = null;
    this.hear(live);
    this.hear(page.rows);
    this.known = listed(page, live);
    this.all = page.counts;
    this._unread = page.unread;
    if (page.unread) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.refresh(), SOON);
    }
    // Of two answers the older version: what has changed in between is told once more.
    this.changes.follow(page.version);
    this._rowsChanged.emit([...this.known.rows.values()]);
    this._changed.emit();
  }

  private onChanged(_: Changes, change: Changed): void {
    this.trouble = null;
    this.all = change.counts;
    this.hear(change.rows);
    change.gone.forEach(id => this.heard.delete(id));
    this.known = changed(this.known, change, row => matches(row, this.sought));
    this._rowsChanged.emit(change.rows);
    this._changed.emit();
  }

  private hear(rows: readonly Row[]): void {
    for (const row of rows) {
      this.heard.set(row.id, row);
    }
  }
}
