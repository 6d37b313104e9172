/** What stands above a log: what is looked for in it, whose lines are shown, and how. */
import type { TranslationBundle } from "@jupyterlab/translation";

import { el, say } from "../dom.js";
import { count } from "../format.js";
import type { Find, Query } from "./find.js";
import { sourceName } from "./logline.js";
import type { Filter } from "./logmodel.js";
import { button, filled } from "./parts.js";

export interface LogBarActs {
  look(query: Query): void;
  next(forwards: boolean): void;
  choose(filter: Filter): void;
  follow(on: boolean): void;
  wrap(on: boolean): void;
  goTo(line: number): void;
  /** Back to the lines. */
  leave(): void;
}

/** Chips of sources that are always there; the others are unfolded. */
const FEW = 6;

export class LogBar {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _acts: LogBarActs,
    download: string
  ) {
    const __ = (text: string): string => _trans.__(text);
    const label = __("Find in the log");
    this._input = el(
      "input",
      { type: "search", class: "jp-JobqRun-input", placeholder: __("Find"), "aria-label": label, spellcheck: "false" }
    );
    this._input.addEventListener("input", () => this._soon());
    this._input.addEventListener("keydown", event => this._key(event));
    this._regex = this._toggle(".*", __("Regular expression"));
    this._case = this._toggle("Aa", __("Match case"));
    const previous = button(
      "▲",
      () => _acts.next(false),
      { "aria-label": __("Previous hit"), title: __("Previous hit (Shift+Enter)") }
    );
    const next = button("▼", () => _acts.next(true), { "aria-label": __("Next hit"), title: __("Next hit (Enter)") });
    this.followBox = this._box(__("Follow"), on => _acts.follow(on));
    this.wrapBox = this._box(__("Wrap"), on => _acts.wrap(on));
    this._line = el(
      "input",
      {
        class: "jp-JobqRun-input jp-JobqRun-goto",
        inputmode: "numeric",
        placeholder: __("Line"),
        "aria-label": __("Go to line"),
        title: __("Go to line (g)")
      }
    );
    this._line.addEventListener("keydown", event => this._lineKey(event));
    const link = el("a", { class: "jp-JobqRun-button", href: download, download: "" }, __("Download"));
    this._download = link;
    this.node = el(
      "div",
      { class: "jp-JobqRun-logbar", role: "toolbar", "aria-label": __("Log") },
      el("span", { class: "jp-JobqRun-find" }, this._input, this._regex, this._case, previous, next, this._count),
      this._chips,
      el(
        "span",
        { class: "jp-JobqRun-logacts" },
        this.followBox.parentElement,
        this.wrapBox.parentElement,
        this._line,
        link
      )
    );
  }

  readonly node: HTMLElement;
  readonly followBox: HTMLInputElement;
  readonly wrapBox: HTMLInputElement;

  /** To what is looked for. */
  focus(): void {
    this._input.focus();
    this._input.select();
  }

  focusLine(): void {
    this._line.focus();
    this._line.select();
  }

  /** The address of the whole log. */
  set download(href: string) {
    this._download.href = href;
  }

  /** Shows how many there are, and which is meant. */
  found(find: Find): void {
    this._input.classList.toggle("jp-mod-wrong", Boolean(find.problem));
    this._input.setAttribute("aria-invalid", String(Boolean(find.problem)));
    this._count.classList.toggle("jp-mod-wrong", Boolean(find.problem));
    this._count.title = find.problem;
    say(this._count, this._told(find));
  }

  private _told(find: Find): string {
    const { total, number, problem, query } = find;
    if (!query.text) {
      return "";
    }
    if (problem) {
      return problem;
    }
    if (total === 0) {
      return this._trans.__("no hits");
    }
    if (total === null) {
      return number ? this._trans.__("%1 of …", count(number)) : this._trans.__("looking …");
    }
    return number
      ? this._trans.__("%1 of %2", count(number), count(total))
      : this._trans._n("%2 hit", "%2 hits", total, count(total));
  }

  /** Offers these sources; none where there is only one. */
  sources(names: readonly string[], filter: Filter): void {
    const told = JSON.stringify([names, filter, this._unfolded]);
    if (told === this._drawn) {
      return;
    }
    this._drawn = told;
    const focused = this._chips.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.source
      : undefined;
    const several = names.length > 1 ? names : [];
    const folded = !this._unfolded && several.length > FEW + 1;
    const shown = folded ? several.filter((name, at) => at < FEW || name === filter.source) : several;
    const radios = several.length
      ? el(
          "span",
          {
            class: "jp-JobqRun-radios",
            role: "radiogroup",
            "aria-label": this._trans.__("Whose lines"),
            onkeydown: (event: KeyboardEvent) => this._arrow(event)
          },
          this._chip("", this._trans.__("all %1", count(several.length)), filter),
          ...shown.map(name => this._chip(name, sourceName(name, this._trans), filter))
        )
      : null;
    const unfold = folded
      ? button(
        "…",
        () => this._unfold(names, filter),
        { class: "jp-JobqRun-chip", "aria-label": this._trans.__("Show all %1 workers", several.length) }
      )
      : null;
    const errors = button(this._trans.__("errors"), () => this._acts.choose({ ...filter, errors: !filter.errors }), {
      class: `jp-JobqRun-chip${filter.errors ? " jp-mod-on" : ""}`,
      "aria-pressed": String(filter.errors),
      title: this._trans.__("Only what was written to stderr")
    });
    filled(this._chips, [radios, unfold, errors]);
    if (focused !== undefined) {
      this._chips.querySelector<HTMLElement>(`[data-source="${CSS.escape(focused)}"]`)?.focus();
    }
  }

  private _unfold(names: readonly string[], filter: Filter): void {
    this._unfolded = true;
    this.sources(names, filter);
  }

  private _chip(source: string, text: string, filter: Filter): HTMLElement {
    const on = filter.source === source;
    return button(text, () => this._acts.choose({ ...filter, source }), {
      class: `jp-JobqRun-chip${on ? " jp-mod-on" : ""}`,
      role: "radio",
      "aria-checked": String(on),
      tabindex: on ? "0" : "-1",
      "data-source": source
    });
  }

  private _arrow(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const radios = [...this._chips.querySelectorAll<HTMLElement>("[role=radio]")];
    const at = radios.indexOf(document.activeElement as HTMLElement);
    if (step && at >= 0) {
      event.preventDefault();
      const next = radios[(at + step + radios.length) % radios.length];
      next.focus();
      next.click();
    }
  }

  private _toggle(text: string, label: string): HTMLButtonElement {
    const made = button(text, () => {
      made.setAttribute("aria-pressed", String(made.getAttribute("aria-pressed") !== "true"));
      this._look();
    });
    made.classList.add("jp-JobqRun-toggle");
    made.setAttribute("aria-pressed", "false");
    made.setAttribute("aria-label", label);
    made.title = label;
    return made;
  }

  private _box(text: string, changed: (on: boolean) => void): HTMLInputElement {
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => changed(box.checked));
    el("label", { class: "jp-JobqRun-box" }, box, text);
    return box;
  }

  private _key(event: KeyboardEvent): void {
    if (event.key === "Enter") {
      event.preventDefault();
      if (this._timer) {
        this._look();
      } else {
        this._acts.next(!event.shiftKey);
      }
    } else if (event.key === "Escape") {
      event.preventDefault();
      this._input.value = "";
      this._look();
      this._acts.leave();
    }
  }

  private _lineKey(event: KeyboardEvent): void {
    const line = Number(this._line.value.replace(/[\s,._']/g, ""));
    if (event.key === "Enter" && line >= 1) {
      this._acts.goTo(Math.floor(line));
    }
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      this._line.value = "";
      this._acts.leave();
    }
  }

  private _soon(): void {
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._look(), 150);
  }

  private _look(): void {
    clearTimeout(this._timer);
    this._timer = 0;
    const on = (one: HTMLElement): boolean => one.getAttribute("aria-pressed") === "true";
    this._acts.look({ text: this._input.value, regex: on(this._regex), case: on(this._case) });
  }

  private readonly _input: HTMLInputElement;
  private readonly _line: HTMLInputElement;
  private readonly _regex: HTMLButtonElement;
  private readonly _case: HTMLButtonElement;
  private readonly _download: HTMLAnchorElement;
  private readonly _count = el("span", { class: "jp-JobqRun-count", role: "status" });
  private readonly _chips = el("span", { class: "jp-JobqRun-chips" });
  private _timer = 0;
  private _unfolded = false;
  private _drawn = "";
}
