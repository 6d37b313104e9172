import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";

const plugin: JupyterFrontEndPlugin<void> = {
  id: "jobq-magic:plugin",
  description: "Every run at hand.",
  autoStart: true,
  activate: (_app: JupyterFrontEnd) => {
    performance.mark("jobq:activate:start");
    performance.mark("jobq:activate:end");
  }
};

export default [plugin];
