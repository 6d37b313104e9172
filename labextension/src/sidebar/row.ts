import type { TranslationBundle } from "@jupyterlab/translation";

import type { Row } from "../api/index.js";
import { drawing, el, say } from "../dom.js";
import { plain } from "../format.js";
import { barred } from "../model/layout.js";
import { elapsed, share, told } from "../model/told.js";
import { served } from "../plugins/cells.js";
import { coloured, drawn, final, word } from "../phases.js";

/** One run in the list. It is kept while it is in sight: what does not change is not drawn again. */
export class RowNode {
  readonly node = el("div", { class: "jp-Jobq-row", role: "option" });
  private readonly sign = el("span", { class: "jp-Jobq-sign" });
  private readonly name = el("b");
  private readonly time = el("span", { class: "jp-Jobq-number" });
  private readonly line = el("span", { class: "jp-Jobq-told" });
  private readonly fill = el("i");
  private readonly bar = el("span", { class: "jp-Jobq-bar" }, this.fill);
  private shown: Row | null = null;

  constructor(private readonly trans: TranslationBundle) {
    this.node.append(this.sign, this.name, this.time, this.line, this.bar);
  }

  update(row: Row, now: number): void {
    if (row !== this.shown) {
      this.draw(row);
    }
    this.tick(now);
  }

  /** The clock goes on. */
  tick(now: number): void {
    if (this.shown) {
      say(this.time, elapsed(this.shown, now));
    }
  }

  get live(): boolean {
    return this.shown !== null && !final(this.shown.phase);
  }

  private draw(row: Row): void {
    const { trans, node } = this;
    if (row.phase !== this.shown?.phase) {
      this.sign.replaceChildren(drawing(drawn(row.phase), `jp-Jobq-icon ${coloured(row.phase)}`));
    }
    this.shown = row;
    node.id = rowId(row.id);
    node.dataset["run"] = row.id;
    node.dataset["phase"] = row.phase;
    const [name, line, phase] = [plain(row.name), told(row, trans), word(row.phase, trans)];
    say(this.name, name);
    say(this.line, line);
    const part = barred(row) ? share(row) : null;
    this.bar.hidden = part === null;
    this.fill.style.width = `${100 * (part ?? 0)}%`;
    node.setAttribute("aria-label", [name, phase, line].filter(Boolean).join(", "));
    const from = row.notebook ? plain(served(row.notebook)) : "";
    node.title = [`${plain(row.id)} · ${phase} · ${plain(row.where)}`, line, from].filter(Boolean).join("\n");
  }
}

/** The id of the element of a run; ids of runs have no spaces. */
export function rowId(id: string): string {
  return `jobq-row-${id}`;
}
