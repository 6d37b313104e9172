import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { IStatusBar } from "@jupyterlab/statusbar";
import { Widget } from "@lumino/widgets";

import { el, say } from "../dom.js";
import { tally } from "../model/told.js";
import { IJobq, Ids, timed } from "../tokens.js";

/** `jobq: 2 running, 1 queued` in the status bar; nothing where nothing is live. */
export const status: JupyterFrontEndPlugin<void> = {
  id: "jobq-magic:status",
  description: "How many runs are live, in the status bar.",
  autoStart: true,
  requires: [IJobq],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, { runs, trans }: IJobq, bar: IStatusBar | null) =>
    timed("status", () => {
      if (!bar) {
        return;
      }
      const button = el("button", {
        class: "jp-Jobq-status",
        title: trans.__("Show runs"),
        onclick: () => void app.commands.execute(Ids.show)
      });
      const item = new Widget({ node: el("div", { class: "jp-Jobq-statusItem" }, button) });
      const words = () => tally(runs.counts, trans);
      const draw = () => say(button, trans.__("jobq: %1", words()));
      runs.changed.connect(draw);
      // The bar is laid out anew by it: there is nothing to be said before, and the application is not to wait for that.
      void app.restored.then(() =>
        bar.registerStatusItem("jobq-magic:status", {
          item,
          align: "left",
          rank: 4,
          isActive: () => Boolean(words()),
          activeStateChanged: runs.changed
        })
      );
    })
};
