import type { Counts } from "../api/extra.js";
import type { Changed, Listing, Row } from "../api/types.js";
import { final } from "../phases.js";

/** The runs that are known here: the newest ones of what was asked for, without a gap. Immutable. */
export interface List {
  readonly rows: ReadonlyMap<string, Row>;
  readonly counts: Counts;
  /** How many there are where all are counted, shown or not. */
  readonly total: number;
  /** Where the next page begins; null: all are here. */
  readonly next: string | null;
}

export const EMPTY: List = { rows: new Map(), counts: {}, total: 0, next: null };

/** The list after the first page; `live` are those that go on, however old they are. */
export function listed(page: Listing, live: readonly Row[] = []): List {
  const rows = new Map([...live, ...page.rows].map(row => [row.id, row]));
  return { rows, counts: page.counts, total: page.total, next: page.next };
}

/** The list with one more page at its end. */
export function longer(list: List, page: Listing): List {
  // What is here already is as new as the page, or newer: changes come in between.
  const rows = new Map([...page.rows.map(row => [row.id, row] as const), ...list.rows]);
  return { rows, counts: list.counts, total: page.total, next: page.next };
}

/**
 * The list after a change.
 *
 * @param belongs - whether a run is one of those that were asked for.
 */
export function changed(list: List, change: Pick<Changed, "rows" | "gone" | "counts">, belongs: (row: Row) => boolean): List {
  const rows = new Map(list.rows);
  let total = list.total;
  for (const id of change.gone) {
    total -= Number(rows.delete(id));
  }
  const oldest = list.next === null ? -Infinity : oldestOf(list.rows);
  for (const row of change.rows) {
    const known = rows.has(row.id);
    if (!belongs(row)) {
      total -= Number(rows.delete(row.id));
    } else if (known || row.created >= oldest || !final(row.phase)) {
      // One of a later page is left to that page: what is shown would have a gap.
      rows.set(row.id, row);
      total += Number(!known);
    }
  }
  return { rows, counts: change.counts, total: Math.max(total, rows.size), next: list.next };
}

function oldestOf(rows: ReadonlyMap<string, Row>): number {
  let oldest = Infinity;
  for (const row of rows.values()) {
    if (final(row.phase) && row.created < oldest) {
      oldest = row.created;
    }
  }
  return oldest;
}
