import type { Row } from "../api/types.js";
import type { Age, Group } from "./groups.js";

/** Pixels. A run with a bar is higher; the style sheet has the same figures. */
export const HIGH = { head: 30, run: 48, bar: 57 } as const;

export interface Head {
  readonly kind: "head";
  readonly age: Age;
  readonly count: number;
}

export interface Entry {
  readonly kind: "run";
  readonly row: Row;
  /** Its place among the runs, from 0. */
  readonly place: number;
}

/** Heads and runs with where each begins: what is in sight is found without looking at the others. */
export interface Layout {
  readonly items: readonly (Head | Entry)[];
  /** Where each item begins; one more than there are items: the last is the height of all. */
  readonly tops: Float64Array;
  /** The item of each run, by the run's place. */
  readonly runs: readonly number[];
  readonly places: ReadonlyMap<string, number>;
}

export function layout(groups: readonly Group[]): Layout {
  const items: (Head | Entry)[] = [];
  const runs: number[] = [];
  const places = new Map<string, number>();
  for (const group of groups) {
    items.push({ kind: "head", age: group.age, count: group.rows.length });
    for (const row of group.rows) {
      places.set(row.id, runs.length);
      items.push({ kind: "run", row, place: runs.length });
      runs.push(items.length - 1);
    }
  }
  const tops = new Float64Array(items.length + 1);
  items.forEach((item, index) => {
    tops[index + 1] = tops[index] + (item.kind === "head" ? HIGH.head : barred(item.row) ? HIGH.bar : HIGH.run);
  });
  return { items, tops, runs, places };
}

/** Whether a run has a bar that says how far it is. */
export function barred(row: Row): boolean {
  return row.phase === "running" && Boolean(row.progress?.total);
}

/** The items between two heights, a few more on either side: from the first, up to and without the last. */
export function between(tops: Float64Array, from: number, to: number, more = 4): [number, number] {
  const count = tops.length - 1;
  return [Math.max(0, at(tops, from) - more), Math.min(count, at(tops, to) + 1 + more)];
}

/** The item that a height is in. */
function at(tops: Float64Array, height: number): number {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= height) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** Where to scroll so that a run can be seen; the same where it can be already. The head of its group is seen with it. */
export function inSight(layout: Layout, place: number, top: number, high: number): number {
  const item = layout.runs[place];
  if (item === undefined) {
    return top;
  }
  const headed = layout.items[item - 1]?.kind === "head" ? item - 1 : item;
  if (layout.tops[headed] < top) {
    return layout.tops[headed];
  }
  return Math.max(top, layout.tops[item + 1] - high);
}
