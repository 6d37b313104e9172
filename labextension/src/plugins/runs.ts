import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

import { Client } from "../api/index.js";
import { Runs } from "../model/runs.js";
import { IJobq, timed } from "../tokens.js";

/** What the others share. It asks the server when the application is there, and not before. */
export const runs: JupyterFrontEndPlugin<IJobq> = {
  id: "jobq-magic:runs",
  description: "The runs of this server, kept level.",
  autoStart: true,
  provides: IJobq,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) =>
    timed("runs", () => {
      const client = new Client(app.serviceManager.serverSettings);
      const shared = new Runs(client);
      void app.restored.then(() => shared.begin());
      return { client, runs: shared, trans: (translator ?? nullTranslator).load("jobq_magic") };
    })
};
