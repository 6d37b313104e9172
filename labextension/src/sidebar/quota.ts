import { Poll } from "@lumino/polling";

import type { Queues } from "../api/index.js";
import { el } from "../dom.js";
import { plain } from "../format.js";
import { away } from "../idle.js";
import { quotaLines, type QuotaLine } from "../model/quota.js";
import type { IJobq } from "../tokens.js";

const PERIOD = 30_000;
/** While a place that was not asked before is asked. */
const SOON = 2000;

/** What of the quota is in use, below the runs; nothing where no queue is named. It is asked for only while somebody sees it. */
export class Quota {
  readonly node: HTMLElement;
  private readonly poll: Poll;
  private shown = "";
  private _wanted = true;
  private _visible = false;

  constructor(private readonly jobq: IJobq) {
    this.node = el("div", { class: "jp-Jobq-quota", role: "group", "aria-label": jobq.trans.__("Quota") });
    this.node.hidden = true;
    this.poll = new Poll({
      auto: false,
      name: "jobq-magic:queues",
      frequency: { interval: PERIOD, backoff: true, max: 10 * PERIOD },
      standby: () => !this.asked || away(),
      factory: () => this.ask()
    });
  }

  set wanted(wanted: boolean) {
    this._wanted = wanted;
    this.turn();
  }

  set visible(visible: boolean) {
    this._visible = visible;
    this.turn();
  }

  dispose(): void {
    this.poll.dispose();
  }

  private get asked(): boolean {
    return this._wanted && this._visible && this.jobq.runs.about !== null;
  }

  private turn(): void {
    if (this.asked) {
      void this.poll.start();
    }
    if (!this._wanted) {
      this.node.hidden = true;
    }
  }

  private async ask(): Promise<void> {
    const queues = await this.jobq.client.get<Queues>("queues");
    const interval = queues.pending ? SOON : PERIOD;
    if (this.poll.frequency.interval !== interval) {
      this.poll.frequency = { ...this.poll.frequency, interval };
    }
    const { lines, more } = quotaLines(queues, this.jobq.trans);
    const key = JSON.stringify([lines, more]);
    if (key !== this.shown) {
      this.shown = key;
      const rest = more ? [el("div", { class: "jp-Jobq-number" }, this.jobq.trans.__("and %1 more", more))] : [];
      this.node.replaceChildren(...lines.map(drawn), ...rest);
    }
    this.node.hidden = !this._wanted || !lines.length;
  }
}

function drawn(line: QuotaLine): HTMLElement {
  const mine = el("i", { class: "jp-mod-mine" });
  const others = el("i");
  mine.style.width = `${100 * line.mine}%`;
  others.style.width = `${100 * line.others}%`;
  return el(
    "div",
    { class: "jp-Jobq-share", title: plain(line.tip) },
    el("span", {}, plain(line.title)),
    el("div", { "aria-hidden": "true" }, mine, others),
    el("span", { class: "jp-Jobq-number" }, line.words)
  );
}
