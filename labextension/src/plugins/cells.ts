import type { JupyterFrontEnd } from "@jupyterlab/application";
import { PageConfig } from "@jupyterlab/coreutils";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";

import * as paths from "../model/paths.js";

const root = (): string => PageConfig.getOption("serverRoot");

/** The path that JupyterLab knows a notebook by. */
export function served(notebook: string): string {
  return paths.served(notebook, root());
}

/** Whether a notebook that JupyterLab knows by a path is the one that a run names. */
export function same(path: string, notebook: string): boolean {
  return paths.same(path, notebook, root());
}

/** A cell of a notebook, as a run names it: the path is what the kernel was told, or where it is on the disk. */
export interface Whence {
  notebook: string | null;
  cell_id: string | null;
}

/** The open notebook that a run came from. */
export function opened(tracker: INotebookTracker | null, whence: Whence): NotebookPanel | undefined {
  const { notebook } = whence;
  return notebook === null ? undefined : tracker?.find(panel => same(panel.context.path, notebook));
}

/** Whether a person sees the notebook now. */
export function seen(panel: NotebookPanel | undefined): boolean {
  return Boolean(panel?.isVisible) && !document.hidden;
}

/** Where a cell is in a notebook; -1 where it is not. */
export function indexOf(panel: NotebookPanel, cellId: string | null): number {
  return cellId === null ? -1 : panel.content.widgets.findIndex(cell => cell.model.id === cellId);
}

/** Shows the cell that a run came from; false where its notebook is not known, or cannot be opened. */
export async function goTo(app: JupyterFrontEnd, tracker: INotebookTracker | null, whence: Whence): Promise<boolean> {
  if (!whence.notebook) {
    return false;
  }
  let panel = opened(tracker, whence);
  if (!panel) {
    const path = served(whence.notebook);
    panel = (await app.commands.execute("docmanager:open", { path, factory: "Notebook" })) as NotebookPanel | undefined;
    if (!panel) {
      return true; // in a page of its own, as Notebook 7 does
    }
  }
  app.shell.activateById(panel.id);
  await panel.context.ready;
  await panel.revealed;
  const index = indexOf(panel, whence.cell_id);
  if (index >= 0) {
    panel.content.activeCellIndex = index;
    panel.content.deselectAll();
    await panel.content.scrollToItem(index, "center");
    const { node } = panel.content.widgets[index];
    node.classList.remove("jp-mod-jobq-shown");
    void node.offsetWidth; // so that it begins anew
    node.classList.add("jp-mod-jobq-shown");
    node.addEventListener("animationend", () => node.classList.remove("jp-mod-jobq-shown"), { once: true });
  }
  return true;
}
