/** What a run left: what it displayed, its last value, the names that came back, or its traceback. */
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Panel, Widget } from "@lumino/widgets";

import { Client, path, Problem, Run, type Display, type Displays, type Result } from "../api/index.js";
import { el } from "../dom.js";
import { plain, size } from "../format.js";
import { away } from "../idle.js";
import { final } from "../phases.js";
import { drawn } from "./ansi.js";
import { styled, sourceName } from "./logline.js";
import { section, table } from "./parts.js";
import { shown } from "./untrusted.js";
import { visible } from "./visible.js";

/** Answers with displays that are taken in one go. */
const AT_ONCE = 50;

export class ResultTab extends Panel {
  constructor(
    private readonly _client: Client,
    private readonly _rendermime: IRenderMimeRegistry,
    private readonly _trans: TranslationBundle,
    private _run: Run
  ) {
    super();
    this.addClass("jp-JobqRun-result");
    this._pictures.addClass("jp-JobqRun-displays");
    this.addWidget(this._head);
    this.addWidget(this._pictures);
    this.addWidget(this._value);
    this.addWidget(this._rest);
  }

  override dispose(): void {
    clearTimeout(this._timer);
    super.dispose();
  }

  set run(run: Run) {
    const stage = run.row.phase;
    this._run = run;
    if (this.isVisible && stage !== this._stage) {
      void this._ask();
    }
  }

  protected override onAfterShow(): void {
    void this._ask();
  }

  protected override onAfterAttach(): void {
    if (this.isVisible) {
      void this._ask();
    }
  }

  private async _ask(): Promise<void> {
    const { id, phase } = this._run.row;
    if (this._asking || (this._stage === phase && final(phase))) {
      return;
    }
    this._asking = true;
    clearTimeout(this._timer);
    try {
      this._stage = phase;
      const live = !final(phase);
      const result = live ? null : await this._client.get<Result>(path(id, "result"));
      await this._displays();
      if (!this.isDisposed) {
        await this._draw(result);
      }
      if (live && !this.isDisposed) {
        this._again();
      }
    } catch (error) {
      if (!(error instanceof Problem)) {
        throw error;
      }
      this._stage = "";
      this._say([error.what, error.why, error.do].filter(Boolean).join(". "));
    } finally {
      this._asking = false;
    }
  }

  /** Asks again in a while, when somebody sits in front: what is displayed meanwhile is shown. */
  private _again(): void {
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => (away() ? this._again() : this.isVisible && void this._ask()), 2000);
  }

  /** Brings what was displayed up to date: a picture stands in the place that it has. */
  private async _displays(): Promise<void> {
    for (let asked = 0; asked < AT_ONCE && !this.isDisposed; asked++) {
      const news = await this._client.get<Displays>(path(this._run.row.id, "displays"), { after: this._version });
      this._version = news.version;
      for (const one of news.displays) {
        await this._put(one);
      }
      while (this._pictures.widgets.length > news.total) {
        this._pictures.widgets[this._pictures.widgets.length - 1].dispose();
      }
      this._dropped = news.dropped;
      if (!news.behind) {
        return;
      }
    }
  }

  private async _put(one: Display): Promise<void> {
    const made = new Panel();
    made.addClass("jp-JobqRun-display");
    if (one.source) {
      made.addWidget(
        new Widget({ node: el("div", { class: "jp-JobqRun-where" }, sourceName(plain(one.source), this._trans)) })
      );
    }
    made.addWidget(await shown(one.data, one.metadata, this._rendermime, this._trans));
    if (this.isDisposed) {
      made.dispose();
      return;
    }
    const there = this._pictures.widgets[one.place];
    this._pictures.insertWidget(one.place, made);
    there?.dispose();
  }

  private async _draw(result: Result | null): Promise<void> {
    const trans = this._trans;
    while (this._value.widgets.length) {
      this._value.widgets[0].dispose();
    }
    this._rest.node.replaceChildren();
    if (!result) {
      const nothing = this._pictures.widgets.length === 0;
      this._say(nothing ? trans.__("It has displayed nothing yet; its value and its names come at its end") : "");
      return;
    }
    if (result.value) {
      this._value.addWidget(new Widget({ node: el("h3", {}, trans.__("Value")) }));
      this._value.addWidget(await shown(result.value, result.metadata ?? {}, this._rendermime, trans));
    }
    const names = (of: Record<string, number>, told: string): (string | HTMLElement)[][] =>
      Object.entries(of).map(([name, bytes]) => [el("code", {}, plain(name)), size(bytes), told]);
    const came = [
      ...names(result.names, trans.__("bound by the cell")),
      ...names(result.changed, trans.__("changed in place"))
    ];
    const skipped = result.skipped.map(one => [
      el("code", {}, one.name === "_" ? trans.__("the last value") : plain(one.name)),
      plain(one.reason),
      plain(one.advice)
    ]);
    const dropped = this._dropped ? trans.__("%1 displays were too many or too large to be kept", this._dropped) : "";
    const parts = [
      result.error && section(trans.__("Traceback"), plain(result.sentence), this._traceback(result.error)),
      dropped && el("p", { class: "jp-JobqRun-advice" }, dropped),
      came.length > 0 && section(
        trans.__("Names that came back"),
        null,
        table(trans.__("Names that came back"), [trans.__("name"), "#" + trans.__("size"), ""], came)
      ),
      skipped.length > 0 &&
        section(
          trans.__("What did not come back"),
          null,
          table(
            trans.__("What did not come back"),
            [trans.__("name"), trans.__("why"), trans.__("what to do")],
            skipped
          )
        )
    ];
    this._rest.node.append(...parts.filter((one): one is HTMLElement => Boolean(one)));
    const something = result.value || result.error || came.length || skipped.length || this._pictures.widgets.length;
    this._say(
      something
        ? ""
        : [result.sentence, result.advice].filter(Boolean).map(plain).join(". ") || trans.__("It left nothing")
    );
  }

  private _traceback(text: string): HTMLElement {
    const box = el(
      "pre",
      {
        class: "jp-JobqRun-code jp-JobqRun-traceback",
        tabindex: "0",
        role: "region",
        "aria-label": this._trans.__("Traceback")
      }
    );
    for (const line of text.split("\n")) {
      box.append(...drawn(line).map(span => styled(visible(span.text), span.style)), "\n");
    }
    return box;
  }

  private _say(text: string): void {
    this._head.node.replaceChildren(
      ...(text ? [el("p", { class: "jp-JobqRun-empty", role: "status" }, plain(text))] : [])
    );
  }

  private readonly _head = new Widget();
  private readonly _pictures = new Panel();
  private readonly _value = new Panel();
  private readonly _rest = new Widget();
  private _stage = "";
  private _version = "";
  private _dropped = 0;
  private _asking = false;
  private _timer = 0;
}
