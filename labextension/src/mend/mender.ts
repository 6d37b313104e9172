import type { CodeCell, ICodeCellModel } from "@jupyterlab/cells";
import type { IOutput } from "@jupyterlab/nbformat";
import type { NotebookPanel } from "@jupyterlab/notebook";
import type { CommandRegistry } from "@lumino/commands";
import type { IDisposable } from "@lumino/disposable";
import { Signal } from "@lumino/signaling";

import { path, Problem, type CardTold, type Displays, type Result, type Row } from "../api/index.js";
import { away } from "../idle.js";
import { final } from "../phases.js";
import { same } from "../plugins/cells.js";
import { Ids, type IJobq } from "../tokens.js";
import { card, LiveCard } from "./card.js";
import { marks, missing, type Mark, type Output } from "./marks.js";

/** A widget that comes back with its kernel is there after so long. */
const PATIENCE = 2500;
const PERIOD = 1000;
/** A kernel that is there draws the end itself, and between two cells: that may take a while. */
const GRACE = 3000;

/** A panel that no kernel draws to its end. */
interface Orphan {
  readonly cell: string;
  readonly run: string;
  /** Its kernel is gone for good, whatever its widget still shows. */
  gone: boolean;
  /** When its end was seen first, in milliseconds. */
  ended: number;
  card: LiveCard | null;
}

/**
 * Draws the panels of one notebook whose kernel, or whose page, is gone: live, and at the end into the notebook, as
 * their kernel would have done. It touches only panels that were there when the page was loaded, or when their kernel
 * went: the others are drawn by who made them.
 */
export class Mender implements IDisposable {
  isDisposed = false;
  private readonly orphans = new Map<string, Orphan>();
  private readonly born = Date.now();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private working = false;

  constructor(
    private readonly panel: NotebookPanel,
    private readonly jobq: IJobq,
    private readonly commands: CommandRegistry
  ) {
    this.find(false);
    this.adopt();
    panel.sessionContext.statusChanged.connect(this.onStatus, this);
    panel.sessionContext.kernelChanged.connect(this.onKernel, this);
    jobq.runs.rowsChanged.connect(this.onRows, this);
    panel.disposed.connect(() => this.dispose());
    this.soon(PATIENCE);
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.isDisposed = true;
      clearTimeout(this.timer);
      Signal.clearData(this);
      this.jobq.runs.rowsChanged.disconnect(this.onRows, this);
    }
  }

  private onStatus(_: unknown, status: string): void {
    if (status === "restarting" || status === "autorestarting" || status === "dead" || status === "terminating") {
      this.find(true);
    }
  }

  private onKernel(_: unknown, change: { oldValue: unknown; newValue: unknown }): void {
    if (change.oldValue) {
      this.find(true);
    }
  }

  private onRows(_: unknown, rows: readonly Row[]): void {
    if (rows.some(row => [...this.orphans.values()].some(each => each.run === row.id))) {
      this.soon(Math.max(100, PATIENCE - (Date.now() - this.born)));
    }
  }

  private soon(after: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.work(), after);
  }

  /** All panels that are not as they stay are orphans from now on. */
  private find(gone: boolean): void {
    for (const cell of this.cells()) {
      for (const mark of marks(outputsOf(cell))) {
        if (!mark.frozen) {
          this.orphan(cell.model.id, mark.run, gone);
        }
      }
    }
    if (this.orphans.size && gone) {
      this.soon(100);
    }
  }

  /** A run whose panel was never saved: it is known by the cell that it came from. */
  private adopt(): void {
    const newest = new Map<string, Row>();
    for (const row of this.jobq.runs.rows()) {
      const own = row.notebook !== null && row.cell_id !== null && same(this.panel.context.path, row.notebook);
      const known = own ? newest.get(row.cell_id!) : undefined;
      if (own && !(known && known.created > row.created)) {
        newest.set(row.cell_id!, row);
      }
    }
    for (const cell of this.cells()) {
      const row = newest.get(cell.model.id);
      if (row && !final(row.phase) && !marks(outputsOf(cell)).some(mark => mark.run === row.id)) {
        const text = this.jobq.trans.__("Run %1", row.id);
        const metadata = { jobq: { run: row.id, store: this.jobq.runs.about?.store ?? "" } };
        (cell.model as ICodeCellModel).outputs.add({ output_type: "display_data", data: { "text/plain": text }, metadata });
        this.orphan(cell.model.id, row.id, true);
      }
    }
  }

  private orphan(cell: string, run: string, gone: boolean): void {
    const key = `${cell}\n${run}`;
    const there = this.orphans.get(key);
    if (there) {
      there.gone ||= gone;
    } else {
      this.orphans.set(key, { cell, run, gone, ended: 0, card: null });
    }
  }

  private async work(): Promise<void> {
    if (this.isDisposed || this.working) {
      return;
    }
    this.working = true;
    try {
      for (const [key, orphan] of [...this.orphans]) {
        if (await this.mend(orphan).catch(error => this.failed(orphan, error))) {
          orphan.card?.uncover();
          this.orphans.delete(key);
        }
      }
    } finally {
      this.working = false;
      if (this.orphans.size) {
        this.soon(PERIOD);
      }
    }
  }

  /** Draws one; whether there is nothing more to do. */
  private async mend(orphan: Orphan): Promise<boolean> {
    const found = this.at(orphan);
    if (!found) {
      return true; // cleared, or executed again
    }
    const row = this.jobq.runs.row(orphan.run);
    const alive = !orphan.gone && Boolean(found.host?.querySelector(".jq-panel"));
    if (row && !final(row.phase) && (alive || !this.panel.isVisible || away())) {
      return false;
    }
    const told = await card(this.jobq.client, orphan.run);
    if (told.final) {
      orphan.ended ||= Date.now();
      if (alive && Date.now() - orphan.ended < GRACE) {
        return false;
      }
      await this.freeze(orphan, told);
      return true;
    }
    const now = this.at(orphan);
    if (now?.host && !alive) {
      orphan.card ??= this.drawn(orphan.run);
      orphan.card.cover(now.host);
      orphan.card.show(told.bundle["text/html"]);
    }
    return false;
  }

  private async failed(orphan: Orphan, error: unknown): Promise<boolean> {
    const { runs, client } = this.jobq;
    if (!(error instanceof Problem) || error.status !== 404 || error.absent) {
      return false; // it may be better next time
    }
    const mark = this.at(orphan)?.mark;
    if (mark?.store) {
      const query = { run: mark.run, store: mark.store, host: mark.host };
      const about = await client.get<{ elsewhere: typeof runs.elsewhere }>("about", query).catch(() => null);
      if (about?.elsewhere?.code === "store-not-shared") {
        runs.elsewhere = about.elsewhere;
      }
    }
    return true;
  }

  private drawn(id: string): LiveCard {
    const { trans } = this.jobq;
    const press = (command: string) => () => void this.commands.execute(command, { id });
    return new LiveCard([
      { label: trans.__("Stop"), press: press(Ids.stop) },
      { label: trans.__("Full log"), press: press(Ids.log) },
      { label: trans.__("Copy id"), press: press(Ids.copy) }
    ]);
  }

  /** Puts the end into the notebook, and below it what the run showed meanwhile. */
  private async freeze(orphan: Orphan, told: CardTold): Promise<void> {
    const { client } = this.jobq;
    const [result, displays] = await Promise.all([
      client.get<Result>(path(orphan.run, "result")).catch(() => null),
      client.get<Displays>(path(orphan.run, "displays")).catch(() => null)
    ]);
    const found = this.at(orphan);
    if (!found) {
      return;
    }
    orphan.card?.uncover();
    const { outputs } = found.cell.model as ICodeCellModel;
    const metadata = { jobq: { run: orphan.run } };
    outputs.set(found.mark.index, { output_type: "display_data", data: { ...told.bundle }, metadata } as IOutput);
    const shown = (displays?.displays ?? []).map(each => ({ data: each.data, metadata: each.metadata }));
    if (result?.value) {
      shown.push({ data: result.value, metadata: result.metadata });
    }
    for (const each of missing(outputs.toJSON() as Output[], found.mark, shown)) {
      outputs.add({ output_type: "display_data", ...each } as IOutput);
    }
  }

  /** Where an orphan is now. */
  private at(orphan: Orphan): { cell: CodeCell; mark: Mark; host: HTMLElement | null } | null {
    const cell = this.cells().find(each => each.model.id === orphan.cell);
    const mark = cell && marks(outputsOf(cell)).find(each => each.run === orphan.run && !each.frozen);
    if (!cell || !mark) {
      return null;
    }
    const node = cell.outputArea?.widgets[mark.index]?.node;
    return { cell, mark, host: node?.querySelector<HTMLElement>(".jp-OutputArea-output") ?? null };
  }

  private cells(): CodeCell[] {
    return this.panel.content.widgets.filter(cell => cell.model.type === "code") as CodeCell[];
  }
}

function outputsOf(cell: CodeCell): Output[] {
  return (cell.model as ICodeCellModel).outputs.toJSON() as Output[];
}
