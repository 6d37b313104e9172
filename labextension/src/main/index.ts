import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";

import type { Client } from "../api/index.js";

export interface RunViewOptions {
  client: Client;
  runId: string;
  trans: TranslationBundle;
  rendermime: IRenderMimeRegistry;
  /** Shows the cell that a run came from; false where its notebook is not known. */
  goToCell: (runId: string) => Promise<boolean>;
}

/** One run in the main area. */
export class RunView extends Widget {
  readonly runId: string;

  constructor(options: RunViewOptions) {
    super();
    this.runId = options.runId;
    this.addClass("jp-Jobq-run");
    this.node.textContent = options.runId;
  }
}
