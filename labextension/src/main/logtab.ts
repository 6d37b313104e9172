/** The log of a run: its lines, what is looked for in them, and following them. */
import type { TranslationBundle } from "@jupyterlab/translation";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import { Client, path, Run } from "../api/index.js";
import { el, say } from "../dom.js";
import { count } from "../format.js";
import { final } from "../phases.js";
import { LogBar } from "./logbar.js";
import { row } from "./logline.js";
import { LogList } from "./loglist.js";
import { LogModel } from "./logmodel.js";
import { LogSelect } from "./logselect.js";
import { logSource } from "./logsource.js";
import { button } from "./parts.js";
import { plain } from "./pieces.js";

export class LogTab extends Widget {
  constructor(
    client: Client,
    private readonly _id: string,
    private readonly _trans: TranslationBundle,
    run: Run
  ) {
    super();
    this.addClass("jp-JobqRun-log");
    this._client = client;
    this._run = run;
    const model = (this.model = new LogModel(logSource(client, _id), true));
    this._bar = new LogBar(
      _trans,
      {
        look: query => void model.look(query, this.list.window[0]),
        next: forwards => void this._next(forwards),
        choose: filter => this._choose(filter.source, filter.errors),
        follow: on => this._follow(on),
        wrap: on => (this.list.wrap = on),
        goTo: line => this._goTo(line),
        leave: () => this.list.node.focus()
      },
      client.url(path(_id, "log/download"))
    );
    this.list = new LogList(
      {
        get total() {
          return model.ranges.total;
        },
        line: at => model.ranges.get(at),
        need: (first, last) => model.need(first, last),
        draw: (at, line) => this._row(at, line),
        moved: atEnd => this._moved(atEnd),
        drawn: (first, last) => this._drawn(first, last)
      },
      _trans.__("Lines of the log")
    );
    this._select = new LogSelect(this.list, {
      get total() {
        return model.ranges.total;
      },
      plain: at => {
        const line = model.ranges.get(at);
        return line && plain(line.text);
      },
      fetched: async (first, last) => (await model.fetched(first, last)).map(line => plain(line.text)),
      told: (what, lines) => this._copied(what, lines)
    });
    this._news.addEventListener("click", () => this._follow(true));
    this._news.hidden = true;
    this.node.append(
      this._bar.node,
      el("div", { class: "jp-JobqRun-logbody" }, this.list.node, this._empty, this._news),
      this._status
    );
    this.node.addEventListener("keydown", event => this._key(event));
    model.changed = what => this._changed(what);
    this._bar.sources(run.log.sources, model.filter);
  }

  readonly model: LogModel;
  readonly list: LogList;

  override dispose(): void {
    if (!this.isDisposed) {
      this.model.close();
      this.list.dispose();
      this._select.dispose();
      super.dispose();
    }
  }

  /** What else is known of the run. */
  set run(run: Run) {
    this._run = run;
    this._bar.sources(run.log.sources, this.model.filter);
    this._say();
  }

  protected override onAfterShow(_: Message): void {
    this._open();
  }

  protected override onAfterAttach(_: Message): void {
    document.addEventListener("visibilitychange", this._seen);
    if (this.isVisible) {
      this._open();
    }
  }

  protected override onBeforeDetach(_: Message): void {
    document.removeEventListener("visibilitychange", this._seen);
    this.model.close();
  }

  protected override onBeforeHide(_: Message): void {
    this.model.close();
  }

  protected override onResize(_: Widget.ResizeMessage): void {
    this.list.resize();
  }

  private readonly _seen = (): void => {
    if (document.hidden) {
      this.model.close();
    } else if (this.isVisible) {
      this._open();
    }
  };

  private _open(): void {
    void this.model.open();
    if (this.model.follow.following) {
      this.list.toEnd();
    }
    this.list.update();
  }

  private _row(at: number, line: ReturnType<LogModel["ranges"]["get"]>): HTMLElement {
    const made = row(at, line, {
      trans: this._trans,
      sources: this._run.log.sources.length > 1,
      marks: text => this.model.find.marks(at, text),
      whole: line !== undefined && this._whole.has(line.n),
      expand: () => {
        if (line) {
          this._whole.add(line.n);
          this.list.update(true);
        }
      }
    });
    made.classList.toggle("jp-mod-current", this.model.find.current?.at === at || this._meant === at);
    return made;
  }

  private _changed(what: "lines" | "find" | "reset"): void {
    if (what === "reset") {
      this._select.clear();
      this._whole.clear();
      this._meant = 0;
    } else if (what === "find") {
      this._bar.found(this.model.find);
      const current = this.model.find.current;
      if (current && current.at !== this._shown) {
        this.model.follow.moved(false);
        this.list.reveal(current.at);
      }
      this._shown = current?.at ?? 0;
    }
    this.list.update(what === "find" || (what === "lines" && this.model.find.query.regex));
    this._say();
  }

  private async _next(forwards: boolean): Promise<void> {
    const { find } = this.model;
    const from = find.current ? find.current.at + (forwards ? 1 : -1) : this.list.window[forwards ? 0 : 1];
    const total = this.model.ranges.total;
    await this.model.next(from < 1 ? total : from > total ? 1 : from, forwards);
  }

  private _choose(source: string, errors: boolean): void {
    const filter = { source, errors };
    void this.model.choose(filter);
    this._bar.sources(this._run.log.sources, filter);
    this._bar.download = this._client.url(path(this._id, "log/download"), { source });
    this._follow(true);
  }

  private _follow(on: boolean): void {
    this.model.follow.set(on);
    if (on) {
      this.list.toEnd();
    } else {
      this.list.loose();
    }
    this._say();
  }

  private _goTo(line: number): void {
    this.model.follow.moved(false);
    this._meant = Math.min(line, this.model.ranges.total);
    this.list.reveal(this._meant);
    this.list.update(true);
    this._say(this._trans.__("Line %1 of %2", count(this._meant), count(this.model.ranges.total)));
  }

  private _moved(atEnd: boolean): void {
    this.model.follow.moved(atEnd);
    this._say();
  }

  private _drawn(first: number, last: number): void {
    this._select.show();
    clearTimeout(this._marking);
    this._marking = window.setTimeout(() => void this.model.mark(first, last), 80);
  }

  private _copied(what: "copied" | "too-much", lines: number): void {
    this._say(
      what === "copied"
        ? this._trans._n("%2 line copied", "%2 lines copied", lines, count(lines))
        : this._trans.__("%1 lines are too many for the clipboard: download the log", count(lines))
    );
  }

  private _key(event: KeyboardEvent): void {
    const { key, target } = event;
    const command = event.ctrlKey || event.metaKey;
    if (command && key.toLowerCase() === "f") {
      this._bar.focus();
    } else if (key === "F3") {
      void this._next(!event.shiftKey);
    } else if (target !== this.list.node || event.altKey) {
      return;
    } else if (command && key.toLowerCase() === "a") {
      this._select.all();
    } else if (!(command ? KEYS_WITH : KEYS)[key]) {
      return;
    } else {
      const name = (command ? KEYS_WITH : KEYS)[key];
      const page = this.list.scroll.view - this.list.scroll.line;
      const acts: Record<string, () => void> = {
        up: () => this.list.by(-this.list.scroll.line),
        down: () => this.list.by(this.list.scroll.line),
        pageUp: () => this.list.by(-page),
        pageDown: () => this.list.by(page),
        home: () => this.list.to(0),
        end: () => this._follow(true),
        line: () => this._bar.focusLine(),
        find: () => this._bar.focus(),
        next: () => void this._next(true),
        previous: () => void this._next(false)
      };
      acts[event.shiftKey && name === "pageDown" && key === " " ? "pageUp" : name]();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Brings everything around the lines up to date; `told` is said to who listens. */
  private _say(told = ""): void {
    const { follow, ranges, loading, complete, problem } = this.model;
    this._bar.followBox.checked = follow.following;
    this._news.hidden = follow.news === 0;
    say(this._news, this._trans._n("▼ %2 new line", "▼ %2 new lines", follow.news, count(follow.news)));
    const filtered = Boolean(this.model.filter.source || this.model.filter.errors);
    const live = !final(this._run.row.phase);
    let empty = "";
    if (problem && !ranges.total) {
      empty = problem.message;
    } else if (loading) {
      empty = this._trans.__("Loading …");
    } else if (!ranges.total && filtered) {
      empty = this._trans.__("No such lines");
    } else if (!ranges.total) {
      empty = live ? this._trans.__("It has printed nothing yet") : this._trans.__("It printed nothing");
    }
    this._empty.hidden = !empty;
    say(this._empty, empty);
    const lines = ranges.total ? this._trans._n("%2 line", "%2 lines", ranges.total, count(ranges.total)) : "";
    const counting = complete ? "" : this._trans.__("still counting");
    const lost = problem && ranges.total ? this._trans.__("The log is not up to date: %1", problem.message) : "";
    say(this._status, told || [lines, counting, lost].filter(Boolean).join(" · "));
  }

  private readonly _client: Client;
  private readonly _bar: LogBar;
  private readonly _select: LogSelect;
  private readonly _empty = el("div", { class: "jp-JobqRun-empty", role: "status" });
  private readonly _news = button("", () => undefined, { class: "jp-JobqRun-news" });
  private readonly _status = el("div", { class: "jp-JobqRun-logstatus", role: "status", "aria-live": "off" });
  private readonly _whole = new Set<number>();
  private _run: Run;
  private _meant = 0;
  private _shown = 0;
  private _marking = 0;
}

const KEYS: Record<string, string> = {
  ArrowUp: "up",
  ArrowDown: "down",
  PageUp: "pageUp",
  PageDown: "pageDown",
  " ": "pageDown",
  Home: "home",
  End: "end",
  g: "line",
  "/": "find",
  n: "next",
  N: "previous"
};
const KEYS_WITH: Record<string, string> = { Home: "home", End: "end" };
