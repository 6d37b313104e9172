import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Clipboard, Dialog, Notification, showDialog, type ICommandPalette } from "@jupyterlab/apputils";
import type { CommandRegistry } from "@lumino/commands";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";

import { path, Problem, type Acted, type Row } from "../api/index.js";
import { plain } from "../format.js";
import { final } from "../phases.js";
import { Ids, type IJobq } from "../tokens.js";

/** What the commands need of who made them. */
export interface Hands {
  /** The run that is chosen in the sidebar. */
  chosen(): string;
  show(): void;
  search(): void;
  open(id: string, tab?: string): Promise<void>;
  /** Shows the cell of a run; false where it is not known. */
  goToCell(id: string): Promise<boolean>;
  confirmStop(): boolean;
}

/** Says why something could not be done. */
export function complain(error: unknown): void {
  const known = error instanceof Problem ? [error.what, error.why, error.do].filter(Boolean) : [String(error)];
  Notification.error(known.map(plain).join(". "), { autoClose: false });
}

/** What can be done with runs: by the palette, the context menu, keys, and the views. `id` names one; else the chosen. */
export function addCommands(app: JupyterFrontEnd, jobq: IJobq, hands: Hands, palette: ICommandPalette | null): void {
  const { client, runs, trans } = jobq;
  const { commands } = app;
  const which = (args: ReadonlyPartialJSONObject) => String(args["id"] ?? hands.chosen());
  const row = (args: ReadonlyPartialJSONObject) => runs.row(which(args));
  const act = async (id: string, verb: string) => {
    try {
      return await client.act(id, verb);
    } catch (error) {
      complain(error);
      return null;
    }
  };

  function add(id: string, label: string, options: Omit<CommandRegistry.ICommandOptions, "label">, listed = true): void {
    commands.addCommand(id, { label, describedBy: { args: SCHEMA }, ...options });
    if (listed) {
      palette?.addItem({ command: id, category: trans.__("Runs") });
    }
  }

  /**
   * A command for one run.
   *
   * @param can - whether it can be done with a run that is in the list; of others the server judges.
   * @param rare - whether menus leave it out where it cannot be done.
   */
  function addFor(
    id: string,
    label: string,
    execute: (id: string) => unknown,
    can: (row: Row) => boolean = () => true,
    rare = false
  ): void {
    const able = (args: ReadonlyPartialJSONObject) => {
      const known = row(args);
      return known ? can(known) : Boolean(args["id"]);
    };
    add(id, label, { execute: args => execute(which(args)), isEnabled: able, ...(rare ? { isVisible: able } : {}) });
  }

  const live = (known: Row) => !final(known.phase);
  add(Ids.show, trans.__("Show Runs"), { execute: () => hands.show() });
  add(Ids.search, trans.__("Search Runs"), { execute: () => hands.search() });
  add(Ids.refresh, trans.__("Refresh Runs"), { execute: () => runs.refresh() });
  commands.addCommand(Ids.open, {
    label: trans.__("Open Run"),
    describedBy: { args: SCHEMA },
    isEnabled: args => Boolean(which(args)),
    execute: args => hands.open(which(args), args["tab"] as string | undefined)
  });
  palette?.addItem({ command: Ids.open, category: trans.__("Runs") });
  addFor(Ids.log, trans.__("Open Log"), id => hands.open(id, "log"));
  addFor(Ids.dashboard, trans.__("Open Dashboard"), id => hands.open(id, "dashboard"), known => known.dashboard, true);
  addFor(
    Ids.cell,
    trans.__("Go to the Cell"),
    async id => {
      if (!(await hands.goToCell(id))) {
        Notification.info(trans.__("It is not known which cell this run came from"));
      }
    },
    known => Boolean(known.notebook)
  );
  addFor(
    Ids.stop,
    trans.__("Stop"),
    async id => {
      if (!hands.confirmStop() || (await sure(trans.__("Stop %1?", id), trans.__("Stop")))) {
        await act(id, "stop");
      }
    },
    live
  );
  addFor(Ids.pause, trans.__("Pause"), id => act(id, "pause"), known => live(known) && known.phase !== "paused", true);
  addFor(Ids.resume, trans.__("Resume"), id => act(id, "resume"), known => known.phase === "paused", true);
  addFor(
    Ids.rerun,
    trans.__("Run Again"),
    async id => {
      const told = (await act(id, "rerun")) as Acted | null;
      if (told) {
        await hands.open(told.row.id);
      }
    },
    known => final(known.phase)
  );
  addFor(Ids.delete, trans.__("Delete"), async id => {
    const going = Boolean(runs.row(id) && live(runs.row(id)!));
    const words = going
      ? trans.__("It still runs: it is stopped first. Its log and its result are deleted with it.")
      : trans.__("Its log and its result are deleted with it.");
    if (await sure(trans.__("Delete %1?", id), going ? trans.__("Stop and Delete") : trans.__("Delete"), words)) {
      await client.delete(id, going).catch(complain);
    }
  });
  addFor(Ids.copy, trans.__("Copy Id"), id => Clipboard.copyToSystem(id));
  addFor(Ids.download, trans.__("Download Log"), id => {
    const link = document.createElement("a");
    link.href = client.url(path(id, "log/download"), { token: client.settings.token });
    link.download = `${id}.log`;
    link.click();
  });
  runs.changed.connect(() => commands.notifyCommandChanged());
}

async function sure(title: string, label: string, body = ""): Promise<boolean> {
  const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label })];
  return (await showDialog({ title, body, buttons, defaultButton: 1 })).button.accept;
}

const SCHEMA = {
  type: "object",
  properties: {
    id: { type: "string", description: "The run; without, the one that is chosen in the sidebar" },
    tab: { type: "string", description: "overview, log, result or dashboard" }
  }
};
