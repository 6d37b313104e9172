import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, WidgetTracker } from "@jupyterlab/apputils";
import { IEditorLanguageRegistry } from "@jupyterlab/codemirror";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ISettingRegistry } from "@jupyterlab/settingregistry";

import { jobqIcon } from "../icons.js";
import type { RunView } from "../main/index.js";
import { Sidebar } from "../sidebar/index.js";
import { IJobq, Ids, timed } from "../tokens.js";
import { goTo } from "./cells.js";
import { addCommands, complain } from "./commands.js";

const PLUGIN = "jobq-magic:plugin";

/** The runs beside the notebooks, what can be done with them, and each of them in the main area. */
export const sidebar: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: "Every run at hand, with or without a kernel.",
  autoStart: true,
  requires: [IJobq, IRenderMimeRegistry],
  optional: [ICommandPalette, ILayoutRestorer, INotebookTracker, ISettingRegistry, IEditorLanguageRegistry, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    jobq: IJobq,
    rendermime: IRenderMimeRegistry,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    registry: ISettingRegistry | null,
    languages: IEditorLanguageRegistry | null,
    lab: ILabShell | null
  ) =>
    timed("sidebar", () => {
      const { client, runs, trans } = jobq;
      const side = new Sidebar({ jobq, commands: app.commands, notebooks });
      const views = new WidgetTracker<RunView>({ namespace: "jobq-runs" });
      let settings: ISettingRegistry.ISettings | null = null;

      const goToCell = async (id: string): Promise<boolean> => {
        const known = runs.row(id) ?? (await client.run(id)).row;
        return goTo(app, notebooks, known);
      };

      async function open(id: string, tab?: string): Promise<void> {
        const there = views.find(view => view.runId === id);
        if (there) {
          app.shell.activateById(there.id);
          if (tab) {
            there.select(tab);
          }
          return;
        }
        const { RunView } = await import("../main/index.js");
        const { changes } = runs;
        const { commands } = app;
        const view = new RunView({ client, changes, commands, runId: id, trans, rendermime, goToCell, tab, languages });
        view.id = `jobq-run-${id}`;
        view.title.label = runs.row(id)?.name ?? id;
        view.title.icon = jobqIcon;
        view.title.closable = true;
        // Notebook 7 has room for one thing in the middle, which is the notebook; below it, nothing is high enough to be seen.
        app.shell.add(view, lab ? "main" : "right");
        view.tabChanged.connect(() => void views.save(view));
        await views.add(view);
        app.shell.activateById(view.id);
      }

      addCommands(
        app,
        jobq,
        {
          chosen: () => side.chosen,
          show: () => app.shell.activateById(side.id),
          search: () => {
            side.search();
            app.shell.activateById(side.id);
          },
          open: (id, tab) => open(id, tab).catch(complain),
          goToCell,
          confirmStop: () => Boolean(settings?.get("confirmStop").composite)
        },
        palette
      );
      app.shell.add(side, "left", { rank: 600 });
      restorer?.add(side, "jobq-runs");
      void restorer?.restore(views, {
        command: Ids.open,
        args: view => ({ id: view.runId, tab: view.currentTab }),
        name: view => view.runId
      });
      views.currentChanged.connect((_, view) => view && side.choose(view.runId));
      void registry?.load(PLUGIN).then(loaded => {
        settings = loaded;
        const read = () => (side.quota = Boolean(loaded.get("quota").composite));
        loaded.changed.connect(read);
        read();
      });
    })
};
