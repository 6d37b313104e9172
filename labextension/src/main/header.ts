/** What stands above everything that is shown of a run: its phase, its name, how it stands, and what can be done. */
import type { TranslationBundle } from "@jupyterlab/translation";
import { Menu } from "@lumino/widgets";
import type { CommandRegistry } from "@lumino/commands";

import type { Row, Run } from "../api/index.js";
import { drawing, el, say } from "../dom.js";
import { plain } from "../format.js";
import { elapsed } from "../model/told.js";
import { coloured, drawn, final, word } from "../phases.js";
import { button, filled } from "./parts.js";

export interface Acts {
  /** Runs a command of ours for this run. */
  (command: string): void;
}

export class Header {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _commands: CommandRegistry,
    private readonly _act: Acts
  ) {
    this.node = el(
      "header",
      { class: "jp-JobqRun-header" },
      el("div", { class: "jp-JobqRun-title" }, this._phase, this._name, this._clock, this._where),
      this._acts
    );
    this._menu = new Menu({ commands: _commands });
    this._menu.addClass("jp-JobqRun-menu");
  }

  readonly node: HTMLElement;

  dispose(): void {
    clearInterval(this._timer);
    this._menu.dispose();
  }

  set run(run: Run) {
    const { row } = run;
    const trans = this._trans;
    this._row = row;
    const told = word(row.phase, trans);
    if (this._phase.textContent !== told) {
      filled(this._phase, [drawing(drawn(row.phase), "jp-Jobq-icon"), told]);
      this._phase.className = `jp-JobqRun-phase ${coloured(row.phase)}`;
    }
    say(this._name, plain(row.name || row.id));
    this._name.title = row.id;
    say(this._where, where(run, trans));
    this._tick();
    clearInterval(this._timer);
    if (!final(row.phase)) {
      this._timer = window.setInterval(() => document.hidden || this._tick(), 1000);
    }
    this._offer(run);
  }

  /** The run was deleted: nothing can be done with it. */
  gone(): void {
    clearInterval(this._timer);
    this._acts.hidden = true;
  }

  private _tick(): void {
    if (this._row) {
      say(this._clock, elapsed(this._row, Date.now() / 1000));
    }
  }

  private _offer({ can, notebook, row, links }: Run): void {
    const trans = this._trans;
    const dashboard = row.dashboard || links.some(link => link.rel === "ray-dashboard");
    const offers: [string, string, boolean][] = [
      ["jobq:go-to-cell", trans.__("Go to the cell"), notebook !== null],
      ["jobq:open-dashboard", trans.__("Open dashboard"), dashboard],
      ["jobq:pause", trans.__("Pause"), can.pause],
      ["jobq:resume", trans.__("Resume"), can.resume],
      ["jobq:rerun", trans.__("Run again"), can.rerun && final(row.phase)],
      ["jobq:stop", trans.__("Stop"), can.stop]
    ];
    const there = offers.filter(([, , offered]) => offered);
    const told = JSON.stringify([there, row.id, row.phase]);
    if (told === this._offered) {
      return;
    }
    this._offered = told;
    const focused = this._acts.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.command
      : undefined;
    const more = button(
      trans.__("More"),
      () => this._open(more, row.id),
      { "aria-haspopup": "menu", "data-command": "more" }
    );
    more.append(drawing(
      '<path d="M4 6l4 4 4-4" fill="none" stroke="currentColor" stroke-width="1.6"/>',
      "jp-JobqRun-caret"
    ));
    filled(this._acts, [
      ...there.map(([command, label]) => button(label, () => this._act(command), { "data-command": command })),
      more
    ]);
    if (focused) {
      (this._acts.querySelector<HTMLElement>(`[data-command="${focused}"]`) ?? more).focus();
    }
  }

  private _open(from: HTMLElement, id: string): void {
    this._menu.clearItems();
    for (const command of ["jobq:download-log", "jobq:copy-id", "jobq:delete"]) {
      if (this._commands.hasCommand(command)) {
        this._menu.addItem({ command, args: { id } });
      }
    }
    const { left, bottom } = from.getBoundingClientRect();
    this._menu.open(left, bottom + 2);
  }

  private readonly _phase = el("span", { class: "jp-JobqRun-phase", role: "status" });
  private readonly _name = el("h2", { class: "jp-JobqRun-name" });
  private readonly _clock = el("span", { class: "jp-JobqRun-clock", "aria-live": "off" });
  private readonly _where = el("span", { class: "jp-JobqRun-place" });
  private readonly _acts = el("div", { class: "jp-JobqRun-acts" });
  private readonly _menu: Menu;
  private _row: Row | null = null;
  private _offered = "";
  private _timer = 0;
}

/** Where it runs, and how wide: `Kueue · team-a · 8 workers · attempt 2`. */
function where({ row }: Run, trans: TranslationBundle): string {
  const workers = row.workers && row.workers.wanted > 1 ? trans._n("%1 worker", "%1 workers", row.workers.wanted) : "";
  const attempt = row.attempt > 1 ? trans.__("attempt %1", row.attempt) : "";
  return [plain(row.where), workers, attempt].filter(Boolean).join(" · ");
}
