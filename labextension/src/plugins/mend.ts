import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";

import { IJobq, timed } from "../tokens.js";

/** Notebooks whose kernel or whose page has gone while a run went on show its end nevertheless. */
export const mend: JupyterFrontEndPlugin<void> = {
  id: "jobq-magic:mend",
  description: "Draws the panels of runs whose kernel or whose page has gone.",
  autoStart: true,
  requires: [IJobq, INotebookTracker],
  optional: [ISettingRegistry],
  activate: (app: JupyterFrontEnd, jobq: IJobq, notebooks: INotebookTracker, registry: ISettingRegistry | null) =>
    timed("mend", () => {
      const wanted = registry?.load("jobq-magic:plugin").then(settings => Boolean(settings.get("mend").composite));
      const take = async (panel: NotebookPanel): Promise<void> => {
        await Promise.all([panel.context.ready, panel.revealed, jobq.runs.begin()]);
        if ((await wanted) === false || panel.isDisposed || !jobq.runs.about) {
          return;
        }
        const { Mender } = await import("../mend/mender.js");
        new Mender(panel, jobq, app.commands);
      };
      notebooks.widgetAdded.connect((_, panel) => void take(panel));
      notebooks.forEach(panel => void take(panel));
    })
};
