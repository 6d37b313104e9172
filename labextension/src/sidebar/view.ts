import { Clipboard } from "@jupyterlab/apputils";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";

import type { Row } from "../api/index.js";
import { el, say } from "../dom.js";
import { plain } from "../format.js";
import { Ends } from "../model/ends.js";
import { ALL, narrowed } from "../model/filter.js";
import { grouped } from "../model/groups.js";
import { told } from "../model/told.js";
import { word } from "../phases.js";
import { same } from "../plugins/cells.js";
import { API, Ids } from "../tokens.js";
import { label, openFilters } from "./filters.js";
import type { SidebarOptions } from "./index.js";
import { RunList } from "./list.js";
import { notice, type Notice } from "./notice.js";
import { Quota } from "./quota.js";

/** What is in the sidebar: search and filter, what there is to say, the runs, and the quota below them. */
export class SidebarView extends Widget {
  private readonly list: RunList;
  private readonly field: HTMLInputElement;
  private readonly filter: HTMLButtonElement;
  private readonly saying = el("div", { class: "jp-Jobq-notice" });
  private readonly spoken = el("div", { class: "jp-Jobq-spoken", role: "status" });
  private readonly ends = new Ends();
  private readonly footer: Quota;
  private said = "";
  private frame = 0;
  private clock: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly options: SidebarOptions) {
    super();
    const { jobq, commands } = options;
    const { runs, trans } = jobq;
    this.addClass("jp-Jobq-view");
    this.field = el("input", {
      type: "search",
      class: "jp-Jobq-search",
      placeholder: trans.__("Search runs"),
      "aria-label": trans.__("Search runs"),
      spellcheck: "false",
      oninput: () => runs.seek({ ...runs.filter, q: this.field.value }),
      onkeydown: (event: KeyboardEvent) => this.onSearchKey(event)
    });
    this.filter = el("button", {
      class: "jp-Jobq-filter",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      onclick: () => this.openFilters()
    });
    this.list = new RunList({
      trans,
      open: id => void commands.execute(Ids.open, { id }),
      chosen: () => commands.notifyCommandChanged(),
      more: () => void runs.more()
    });
    this.footer = new Quota(jobq);
    const tools = el("div", { class: "jp-Jobq-tools" }, this.field, this.filter);
    this.node.append(tools, this.saying, this.list.node, this.footer.node, this.spoken);
    this.ends.seen(runs.rows());
    runs.changed.connect(this.soon, this);
    runs.rowsChanged.connect(this.onRows, this);
    document.addEventListener("visibilitychange", this.onVisible);
    this.draw();
  }

  get chosen(): string {
    return this.list.chosen;
  }

  choose(id: string): void {
    if (id !== this.list.chosen) {
      this.list.choose(id);
    }
  }

  set quota(shown: boolean) {
    this.footer.wanted = shown;
  }

  search(): void {
    this.field.focus();
    this.field.select();
  }

  focus(): void {
    (this.list.node.hidden ? this.field : this.list.node).focus();
  }

  override dispose(): void {
    document.removeEventListener("visibilitychange", this.onVisible);
    clearInterval(this.clock);
    this.footer.dispose();
    super.dispose();
  }

  protected override onAfterShow(_: Message): void {
    this.draw();
  }

  protected override onAfterAttach(_: Message): void {
    this.draw();
  }

  private readonly onVisible = (): void => {
    this.draw();
  };

  /** Many changes within one frame are drawn once. */
  private soon(): void {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.isDisposed) {
      return;
    }
    const inSight = this.isVisible && !document.hidden;
    this.footer.visible = inSight;
    clearInterval(this.clock);
    if (!inSight) {
      return;
    }
    this.clock = setInterval(() => this.list.tick(), 1000);
    const { runs, trans } = this.options.jobq;
    const said = notice(
      {
        about: runs.about,
        problem: runs.problem,
        hearing: runs.changes.state,
        since: new Date(runs.changes.since).toLocaleTimeString(),
        shown: runs.list.rows.size,
        unread: runs.unread,
        narrowed: narrowed(runs.filter),
        answered: runs.about !== null,
        elsewhere: runs.elsewhere,
        api: API
      },
      trans
    );
    this.drawNotice(said);
    this.list.node.hidden = Boolean(said && !said.above);
    const text = label(runs.filter, trans);
    say(this.filter, text);
    this.filter.setAttribute("aria-label", trans.__("Show: %1", text));
    if (document.activeElement !== this.field && this.field.value !== runs.filter.q) {
      this.field.value = runs.filter.q;
    }
    this.list.show(grouped(runs.list.rows.values(), Date.now()));
  }

  private drawNotice(said: Notice | null): void {
    const key = JSON.stringify(said);
    if (key === this.said) {
      return;
    }
    this.said = key;
    this.saying.replaceChildren(...(said ? this.notice(said) : []));
    this.saying.classList.toggle("jp-mod-above", Boolean(said?.above));
  }

  private notice({ words, command, press }: Notice): HTMLElement[] {
    const { runs, trans } = this.options.jobq;
    const parts: HTMLElement[] = [el("p", {}, words)];
    if (command) {
      const copy = () => Clipboard.copyToSystem(command);
      parts.push(
        el("div", { class: "jp-Jobq-command" }, el("code", {}, command), el("button", { onclick: copy }, trans.__("Copy")))
      );
    }
    const presses = {
      retry: { text: trans.__("Try Again"), then: () => runs.refresh() },
      clear: { text: trans.__("Show All Runs"), then: () => this.clear() },
      reload: { text: trans.__("Reload"), then: () => location.reload() }
    };
    if (press) {
      parts.push(el("button", { onclick: () => void presses[press].then() }, presses[press].text));
    }
    return parts;
  }

  private clear(): void {
    this.field.value = "";
    this.options.jobq.runs.seek(ALL);
    this.field.focus();
  }

  private onRows(_: unknown, rows: readonly Row[]): void {
    const { trans } = this.options.jobq;
    for (const row of this.ends.seen(rows)) {
      if (this.isVisible) {
        say(this.spoken, `${plain(row.name)}: ${word(row.phase, trans)}. ${told(row, trans)}`);
      }
    }
  }

  private onSearchKey(event: KeyboardEvent): void {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      const [first] = grouped(this.options.jobq.runs.list.rows.values(), Date.now());
      if (first) {
        this.list.choose(first.rows[0].id);
        this.list.node.focus();
      }
    } else if (event.key === "Escape" && this.field.value) {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private openFilters(): void {
    const { jobq, notebooks } = this.options;
    const { runs, trans } = jobq;
    openFilters(this.filter, {
      trans,
      current: () => runs.filter,
      notebook: () => {
        const path = notebooks?.currentWidget?.context.path;
        const own = path === undefined ? undefined : [...runs.rows()].find(each => each.notebook !== null && same(path, each.notebook));
        return own?.notebook ?? path ?? "";
      },
      modes: () => [...new Set([...runs.rows()].map(row => row.mode))].sort(),
      seek: filter => runs.seek(filter)
    });
  }
}
