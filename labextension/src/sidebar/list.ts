import type { TranslationBundle } from "@jupyterlab/translation";

import type { Row } from "../api/index.js";
import { el, say } from "../dom.js";
import { count } from "../format.js";
import type { Age, Group } from "../model/groups.js";
import { step, TypeAhead } from "../model/keys.js";
import { between, HIGH, inSight, layout, type Head, type Layout } from "../model/layout.js";
import { RowNode, rowId } from "./row.js";

export interface ListOptions {
  trans: TranslationBundle;
  open: (id: string) => void;
  chosen: (id: string) => void;
  /** Called when the end of what is there comes near. */
  more: () => void;
}

interface GroupNode {
  node: HTMLElement;
  head: HTMLElement;
  count: HTMLElement;
}

/** The runs: of ten thousand, those that are in sight. The whole is one stop of the Tab key; arrows go from run to run. */
export class RunList {
  readonly node: HTMLElement;
  private readonly all = el("div", { class: "jp-Jobq-all", role: "presentation" });
  private readonly rows = new Map<string, RowNode>();
  private readonly groups = new Map<Age, GroupNode>();
  private readonly ahead = new TypeAhead();
  private laid: Layout = layout([]);
  private heads: { index: number; item: Head }[] = [];
  private names: string[] | null = null;
  private frame = 0;
  private _chosen = "";

  constructor(private readonly options: ListOptions) {
    const { trans } = options;
    this.node = el(
      "div",
      { class: "jp-Jobq-list", role: "listbox", tabindex: 0, "aria-label": trans.__("Runs") },
      this.all
    );
    this.node.addEventListener("scroll", () => this.later());
    this.node.addEventListener("keydown", event => this.onKey(event));
    this.node.addEventListener("mousedown", event => this.onPress(event));
    this.node.addEventListener("click", event => this.onClick(event));
    this.node.addEventListener("focus", () => this.begin());
    new ResizeObserver(() => this.later()).observe(this.node);
  }

  get chosen(): string {
    return this._chosen;
  }

  /** Shows these runs. What is in sight stays where it is, whatever comes or goes above it. */
  show(groups: readonly Group[]): void {
    const before = this.laid;
    this.laid = layout(groups);
    this.heads = this.laid.items.flatMap((item, index) => (item.kind === "head" ? [{ index, item }] : []));
    this.names = null;
    const anchored = this.node.scrollTop > HIGH.head ? this.anchor(before) : null;
    this.all.style.height = `${this.laid.tops[this.laid.items.length]}px`;
    if (anchored !== null) {
      this.node.scrollTop += anchored;
    }
    this.draw();
  }

  /** Marks a run as chosen, and brings it in sight. */
  choose(id: string, reveal = true): void {
    this._chosen = id;
    const place = this.laid.places.get(id);
    if (place !== undefined && reveal) {
      this.node.scrollTop = inSight(this.laid, place, this.node.scrollTop, this.node.clientHeight);
    }
    this.draw();
    this.options.chosen(id);
  }

  /** The clocks of live runs go on. */
  tick(): void {
    for (const row of this.rows.values()) {
      if (row.live) {
        row.tick(Date.now() / 1000);
      }
    }
  }

  private later(): void {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { items, tops } = this.laid;
    const top = this.node.scrollTop;
    const [from, to] = between(tops, top, top + this.node.clientHeight);
    const shown = new Set<number>();
    for (let index = from; index < to; index++) {
      shown.add(index);
    }
    const chosen = this.laid.places.get(this._chosen);
    if (chosen !== undefined) {
      shown.add(this.laid.runs[chosen]); // it must be there to be spoken of, wherever one has scrolled to
    }
    this.drawGroups();
    this.drawRows([...shown].sort((one, other) => one - other));
    const active = chosen === undefined ? null : rowId(this._chosen);
    if (active === null) {
      this.node.removeAttribute("aria-activedescendant");
    } else if (this.node.getAttribute("aria-activedescendant") !== active) {
      this.node.setAttribute("aria-activedescendant", active);
    }
    if (to >= items.length - 10) {
      this.options.more();
    }
  }

  private drawGroups(): void {
    const there = new Set<Age>();
    let last: Element | null = null;
    for (const { index, item } of this.heads) {
      there.add(item.age);
      const group: GroupNode = this.groups.get(item.age) ?? this.group(item.age);
      say(group.count, count(item.count));
      group.head.style.top = `${this.laid.tops[index]}px`;
      if ((last ? last.nextElementSibling : this.all.firstElementChild) !== group.node) {
        last ? last.after(group.node) : this.all.prepend(group.node);
      }
      last = group.node;
    }
    for (const [age, group] of this.groups) {
      if (!there.has(age)) {
        group.node.remove();
      }
    }
  }

  private drawRows(shown: readonly number[]): void {
    const { items, tops, runs } = this.laid;
    const now = Date.now() / 1000;
    const kept = new Set<string>();
    let age: Age = "live";
    let last: Element | null = null;
    const ages = this.agesOf(shown);
    for (const index of shown) {
      const item = items[index];
      if (item.kind === "head") {
        continue;
      }
      const { row } = item;
      kept.add(row.id);
      let drawn = this.rows.get(row.id);
      if (!drawn) {
        drawn = new RowNode(this.options.trans);
        this.rows.set(row.id, drawn);
      }
      const { node } = drawn;
      drawn.update(row, now);
      node.style.top = `${tops[index]}px`;
      node.style.height = `${tops[index + 1] - tops[index]}px`;
      node.setAttribute("aria-selected", String(row.id === this._chosen));
      node.setAttribute("aria-posinset", String(item.place + 1));
      node.setAttribute("aria-setsize", String(runs.length));
      if (ages.get(index) !== age) {
        age = ages.get(index)!;
        last = null;
      }
      const parent = this.groups.get(age)!;
      const after: Element = last ?? parent.head;
      if (after.nextElementSibling !== node) {
        after.after(node);
      }
      last = node;
    }
    for (const [id, drawn] of this.rows) {
      if (!kept.has(id)) {
        drawn.node.remove();
        this.rows.delete(id);
      }
    }
  }

  /** The group that each of these items is in. */
  private agesOf(shown: readonly number[]): Map<number, Age> {
    const { heads } = this;
    let at = 0;
    return new Map(
      shown.map(index => {
        while (at + 1 < heads.length && heads[at + 1].index <= index) {
          at++;
        }
        return [index, heads[at].item.age];
      })
    );
  }

  private group(age: Age): GroupNode {
    const { trans } = this.options;
    const titles: Record<Age, string> = {
      live: trans.__("Live"),
      today: trans.__("Today"),
      yesterday: trans.__("Yesterday"),
      earlier: trans.__("Earlier")
    };
    const number = el("span");
    const head = el("div", { class: "jp-Jobq-head", "aria-hidden": "true" }, titles[age], number);
    const node = el("div", { role: "group", "aria-label": titles[age] }, head);
    const group = { node, head, count: number };
    this.groups.set(age, group);
    return group;
  }

  /** By how much what is in sight has moved, after a change of the list. */
  private anchor(before: Layout): number | null {
    const top = this.node.scrollTop;
    for (let [index] = between(before.tops, top, top, 0); index < before.items.length; index++) {
      const item = before.items[index];
      const place = item.kind === "run" ? this.laid.places.get(item.row.id) : undefined;
      if (place !== undefined) {
        return this.laid.tops[this.laid.runs[place]] - before.tops[index];
      }
    }
    return null;
  }

  /** Who comes by the keyboard stands on a run. */
  private begin(): void {
    const first = this.rowAt(0);
    if (first && !this.laid.places.has(this._chosen)) {
      this.choose(first.id);
    }
  }

  private rowAt(place: number): Row | undefined {
    const item = this.laid.items[this.laid.runs[place]];
    return item?.kind === "run" ? item.row : undefined;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const from = this.laid.places.get(this._chosen) ?? -1;
    const { length } = this.laid.runs;
    let place = step(event.key, from, length, Math.floor(this.node.clientHeight / HIGH.run) - 1);
    if (place === null && event.key.length === 1 && event.key !== " " && event.key !== "/") {
      this.names ??= this.laid.runs.map(index => (this.laid.items[index] as { row: Row }).row.name);
      const found = this.ahead.next(event.key, event.timeStamp, this.names, from);
      place = found < 0 ? null : found;
    }
    if (place !== null) {
      this.choose(this.rowAt(place)!.id);
    } else if ((event.key === "Enter" || event.key === " ") && this._chosen) {
      this.options.open(this._chosen);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Any button: the context menu is of the run that it is opened over. */
  private onPress(event: MouseEvent): void {
    const id = pressed(event);
    if (id) {
      this.choose(id, false);
      this.node.focus({ preventScroll: true });
    }
  }

  private onClick(event: MouseEvent): void {
    const id = pressed(event);
    if (id) {
      this.options.open(id);
    }
  }
}

function pressed(event: MouseEvent): string {
  return (event.target as Element).closest<HTMLElement>(".jp-Jobq-row")?.dataset["run"] ?? "";
}
