import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { Notification } from "@jupyterlab/apputils";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";

import type { Row } from "../api/index.js";
import { plain } from "../format.js";
import { Ends } from "../model/ends.js";
import { elapsed, told } from "../model/told.js";
import { word } from "../phases.js";
import { IJobq, Ids, timed } from "../tokens.js";
import { opened, seen } from "./cells.js";

/** Tells of a run that has ended where nobody looks at its notebook. */
export const notify: JupyterFrontEndPlugin<void> = {
  id: "jobq-magic:notifications",
  description: "Tells when a run has ended whose notebook is not in sight.",
  autoStart: true,
  requires: [IJobq],
  optional: [INotebookTracker, ISettingRegistry],
  activate: (app: JupyterFrontEnd, jobq: IJobq, notebooks: INotebookTracker | null, registry: ISettingRegistry | null) =>
    timed("notifications", () => {
      const ends = new Ends();
      let when = "hidden";
      void registry?.load("jobq-magic:plugin").then(settings => {
        const read = () => (when = settings.get("notifications").composite as string);
        settings.changed.connect(read);
        read();
      });
      jobq.runs.rowsChanged.connect((_, rows) => {
        for (const row of ends.seen(rows)) {
          const hidden = row.notebook !== null && !seen(opened(notebooks, row));
          if (when === "always" || (when === "hidden" && hidden)) {
            tell(app, jobq, row);
          }
        }
      });
    })
};

function tell(app: JupyterFrontEnd, { trans }: IJobq, row: Row): void {
  const run = (command: string) => () => void app.commands.execute(command, { id: row.id });
  const actions: Notification.IAction[] = [{ label: trans.__("Show"), callback: run(Ids.open), displayType: "accent" }];
  if (row.notebook && row.cell_id) {
    actions.push({ label: trans.__("Go to the cell"), callback: run(Ids.cell) });
  }
  const said = told(row, trans);
  const head = trans.__("%1 %2 after %3", plain(row.name), word(row.phase, trans).toLowerCase(), elapsed(row, 0));
  const kinds: Record<string, Notification.TypeOptions> = { succeeded: "success", failed: "error", lost: "error" };
  const kind = kinds[row.phase] ?? "info";
  Notification.emit(said ? `${head}: ${said}` : head, kind, { actions, autoClose: kind === "error" ? false : 10_000 });
}
