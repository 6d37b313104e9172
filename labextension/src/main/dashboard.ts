/** The dashboard of a run, in a frame: what Ray shows of its own, through our server. */
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";

import { Client, path, Run } from "../api/index.js";
import { el } from "../dom.js";
import { plain } from "../format.js";
import { final } from "../phases.js";
import { filled } from "./parts.js";

export class DashboardTab extends Widget {
  constructor(
    private readonly _client: Client,
    private readonly _trans: TranslationBundle,
    private _run: Run
  ) {
    super();
    this.addClass("jp-JobqRun-dashboard");
  }

  set run(run: Run) {
    this._run = run;
    this._draw();
  }

  protected override onAfterShow(): void {
    this._draw();
  }

  protected override onAfterAttach(): void {
    this._draw();
  }

  private _draw(): void {
    if (!this.isVisible) {
      return;
    }
    const { row } = this._run;
    const state = row.dashboard ? (final(row.phase) ? "ended" : "there") : "none";
    if (state === this._state) {
      return; // a page that is loaded stays as it is
    }
    this._state = state;
    const trans = this._trans;
    if (state === "none") {
      filled(
        this.node,
        [el(
          "div",
          { class: "jp-JobqRun-empty", role: "status" },
          trans.__("This run has no dashboard: runs on Ray have one")
        )]
      );
      return;
    }
    const theme = document.body.dataset.jpThemeLight === "false" ? "dark" : "light";
    const src = this._client.url(path(row.id, "dashboard/"), { theme });
    const link = el(
      "a",
      { class: "jp-JobqRun-button", href: src, target: "_blank", rel: "noopener noreferrer" },
      trans.__("Open in a new tab")
    );
    const told = state === "ended"
      ? trans.__("The run has ended: this is what was kept")
      : trans.__("What its Ray shows of itself");
    filled(this.node, [
      el("div", { class: "jp-JobqRun-framebar" }, el("span", {}, told), link),
      // Of no origin: its scripts reach neither this page nor what the browser keeps for it.
      el("iframe", {
        class: "jp-JobqRun-frame",
        src,
        title: trans.__("Dashboard of %1", plain(row.name || row.id)),
        sandbox: "allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox",
        referrerpolicy: "no-referrer"
      })
    ]);
  }

  private _state = "";
}
