/** One run in the main area: its header, and below it Overview, Log, Result and Dashboard. */
import type { IEditorLanguageRegistry } from "@jupyterlab/codemirror";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { CommandRegistry } from "@lumino/commands";
import type { IDisposable } from "@lumino/disposable";
import type { Message } from "@lumino/messaging";
import { Signal, type ISignal } from "@lumino/signaling";
import { Panel, PanelLayout, Widget } from "@lumino/widgets";

import type { Changes } from "../api/changes.js";
import { type Client, Problem, type Run } from "../api/index.js";
import { el } from "../dom.js";
import { ago, plain } from "../format.js";
import { DashboardTab } from "./dashboard.js";
import { Header } from "./header.js";
import { LogTab } from "./logtab.js";
import { Overview } from "./overview.js";
import { button, filled } from "./parts.js";
import { ResultTab } from "./result.js";

export type TabName = "overview" | "log" | "result" | "dashboard";
export const TABS: readonly TabName[] = ["overview", "log", "result", "dashboard"];

export interface RunViewOptions {
  client: Client;
  changes: Changes;
  runId: string;
  commands: CommandRegistry;
  trans: TranslationBundle;
  rendermime: IRenderMimeRegistry;
  /** Shows the cell that a run came from; false where its notebook is not known. */
  goToCell?: (runId: string) => Promise<boolean>;
  /** Colours programs as notebooks do. */
  languages?: IEditorLanguageRegistry | null;
  /** The tab that is in front at first. */
  tab?: string;
}

type Tab = Widget & { run: Run };

/** Milliseconds after which what is shown is said to be old, where nobody answers. */
const OLD = 3000;

export class RunView extends Widget {
  constructor(private readonly _options: RunViewOptions) {
    super();
    this.runId = _options.runId;
    this._current = TABS.find(one => one === _options.tab) ?? "overview";
    this.addClass("jp-JobqRun");
    this.node.tabIndex = -1;
    this.title.label = this.runId;
    this.title.closable = true;
    this._header = new Header(_options.trans, _options.commands, command => void this._execute(command));
    const layout = (this.layout = new PanelLayout());
    const top = new Widget({
      node: el("div", { class: "jp-JobqRun-top" }, this._header.node, this._banner, this._bar)
    });
    this._body.addClass("jp-JobqRun-body");
    layout.addWidget(top);
    layout.addWidget(this._body);
    this._bar.addEventListener("keydown", event => this._key(event));
    this._drawTabs();
    this._say(_options.trans.__("Loading …"));
    _options.changes.stateChanged.connect(this._heard, this);
    _options.changes.changed.connect(this._rows, this);
  }

  readonly runId: string;

  /** Which tab is in front. */
  get currentTab(): TabName {
    return this._current;
  }

  get tabChanged(): ISignal<this, TabName> {
    return this._tabChanged;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._watch?.dispose();
      clearInterval(this._timer);
      clearTimeout(this._asking);
      this._header.dispose();
      super.dispose(); // it tells those who keep it first, and forgets all signals after that
    }
  }

  /** Brings a tab to the front; a name that is none changes nothing. */
  select(name: string): void {
    const tab = TABS.find(one => one === name);
    if (tab && tab !== this._current) {
      this._current = tab;
      this._tabChanged.emit(tab);
      this._drawTabs();
      this._present();
    }
  }

  /** Who closes it is done with it: it is made anew when it is opened again. */
  protected override onCloseRequest(message: Message): void {
    super.onCloseRequest(message);
    this.dispose();
  }

  protected override onAfterAttach(): void {
    if (!this._watch) {
      this._watch = this._options.changes.watch(this.runId, run => this._take(run));
      this._timer = window.setInterval(() => document.hidden || this._heard(), 1000);
      this._asking = window.setTimeout(() => this._run || void this._first(), 400);
    }
  }

  protected override onActivateRequest(): void {
    this.node.focus({ preventScroll: true });
  }

  /** Whether there is such a run: what is watched says nothing of one that is gone. */
  private async _first(): Promise<void> {
    try {
      this._take(await this._options.client.run(this.runId));
    } catch (error) {
      if (!(error instanceof Problem) || this._run || this.isDisposed) {
        return;
      }
      if (error.status === 404) {
        this._gone();
        return;
      }
      const again = button(this._options.trans.__("Try again"), () => void this._first());
      this._say([error.what, error.why, error.do].filter(Boolean).join(". "), again);
    }
  }

  private _take(run: Run): void {
    if (this.isDisposed || run.row.id !== this.runId) {
      return;
    }
    const first = this._run === null;
    const offered = this._offered.length;
    this._run = run;
    if (this._offered.length !== offered) {
      this._drawTabs();
    }
    this.title.label = plain(run.row.name || run.row.id);
    this.title.caption = plain(`${run.row.name} · ${run.row.id}\n${run.words.sentence}`);
    this._header.run = run;
    this._heard();
    if (first) {
      this._body.widgets.forEach(one => one.dispose());
      this._present();
    }
    this._tabs.forEach(tab => (tab.run = run));
  }

  /** Shows the tab in front, which is made when it is shown first. */
  private _present(): void {
    if (!this._run || this._isGone) {
      return;
    }
    let tab = this._tabs.get(this._current);
    this._tabs.forEach(one => one !== tab && one.hide());
    if (!tab) {
      tab = this._made(this._current, this._run);
      tab.id = this._id(this._current, "panel");
      tab.node.setAttribute("role", "tabpanel");
      tab.node.setAttribute("aria-labelledby", this._id(this._current, "tab"));
      this._tabs.set(this._current, tab);
      this._body.addWidget(tab);
      tab.run = this._run;
    }
    tab.show();
  }

  private _made(name: TabName, run: Run): Tab {
    const { client, trans, rendermime, languages } = this._options;
    switch (name) {
      case "overview": {
        return new Overview(client, trans, languages ?? null);
      }
      case "log":
        return new LogTab(client, this.runId, trans, run);
      case "result":
        return new ResultTab(client, rendermime, trans, run);
      case "dashboard":
        return new DashboardTab(client, trans, run);
    }
  }

  private _drawTabs(): void {
    const { trans } = this._options;
    const labels: Record<TabName, string> = {
      overview: trans.__("Overview"),
      log: trans.__("Log"),
      result: trans.__("Result"),
      dashboard: trans.__("Dashboard")
    };
    this._bar.setAttribute("aria-label", trans.__("What is shown of the run"));
    const names = this._offered;
    const made = names.map(name => {
      const on = name === this._current;
      return el(
        "button",
        {
          type: "button",
          role: "tab",
          id: this._id(name, "tab"),
          class: `jp-JobqRun-tab${on ? " jp-mod-current" : ""}`,
          "aria-selected": String(on),
          "aria-controls": on ? this._id(name, "panel") : null,
          tabindex: on ? "0" : "-1",
          onclick: () => this.select(name)
        },
        labels[name]
      );
    });
    const focused = this._bar.contains(document.activeElement);
    filled(this._bar, made);
    if (focused) {
      made[names.indexOf(this._current)].focus();
    }
  }

  /** Where a run has no dashboard, and will have none, there is no tab for it. */
  private get _offered(): TabName[] {
    return TABS.filter(name => name !== "dashboard" || name === this._current || this._run?.row.dashboard);
  }

  private _key(event: KeyboardEvent): void {
    const names = this._offered;
    const at = names.indexOf(this._current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.select(names[(to + names.length) % names.length]);
    }
  }

  private async _execute(command: string): Promise<void> {
    const { commands, runId, goToCell } = this._options;
    if (commands.hasCommand(command)) {
      await commands.execute(command, { id: runId });
    } else if (command === "jobq:go-to-cell") {
      await goToCell?.(runId);
    }
  }

  /** Says how old it is, where nobody answers. */
  private _heard(): void {
    const { changes, trans } = this._options;
    const age = Date.now() - changes.since;
    const lost = changes.state === "lost" && age > OLD;
    this._banner.hidden = !lost && !this._isGone;
    const told = this._isGone
      ? trans.__("This run was deleted; what is shown here was known of it before")
      : lost
        ? trans.__("The server does not answer. What is shown is from %1.", ago(age / 1000))
        : "";
    if (this._banner.textContent !== told) {
      this._banner.textContent = told;
    }
  }

  private _rows(_: unknown, { gone }: { gone: string[] }): void {
    if (gone.includes(this.runId)) {
      this._gone();
    }
  }

  private _gone(): void {
    this._isGone = true;
    this._header.gone();
    if (this._run) {
      this._heard();
    } else {
      this._say(this._options.trans.__(
        "There is no run %1: it was deleted, or it is in another store",
        plain(this.runId)
      ));
    }
  }

  private _say(text: string, ...more: Node[]): void {
    this._body.widgets.forEach(one => one.dispose());
    this._tabs.clear();
    this._body.addWidget(
      new Widget({ node: el("div", { class: "jp-JobqRun-empty", role: "status" }, el("p", {}, text), ...more) })
    );
  }

  private _id(name: TabName, part: string): string {
    return `jobq-${part}-${name}-${this.runId}`;
  }

  private readonly _header: Header;
  private readonly _bar = el("div", { class: "jp-JobqRun-tabs", role: "tablist" });
  private readonly _banner = el("div", { class: "jp-JobqRun-banner", role: "alert", hidden: true });
  private readonly _body = new Panel();
  private readonly _tabs = new Map<TabName, Tab>();
  private readonly _tabChanged = new Signal<this, TabName>(this);
  private _watch: IDisposable | null = null;
  private _run: Run | null = null;
  private _current: TabName;
  private _isGone = false;
  private _timer = 0;
  private _asking = 0;
}
