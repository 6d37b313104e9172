import type { Row } from "../api/types.js";
import { final } from "../phases.js";

export type Age = "live" | "today" | "yesterday" | "earlier";

/** Runs under one head, newest first. */
export interface Group {
  readonly age: Age;
  readonly rows: readonly Row[];
}

const ORDER: readonly Age[] = ["live", "today", "yesterday", "earlier"];

/**
 * The runs in the order they are shown in; a group without runs is left out.
 *
 * @param now - in milliseconds; days begin at the midnight of where the browser is.
 */
export function grouped(rows: Iterable<Row>, now: number): Group[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0) / 1000;
  const before = new Date(new Date(midnight * 1000).setDate(new Date(midnight * 1000).getDate() - 1)).getTime() / 1000;
  const found: Record<Age, Row[]> = { live: [], today: [], yesterday: [], earlier: [] };
  for (const row of rows) {
    found[final(row.phase) ? age(row.created, midnight, before) : "live"].push(row);
  }
  for (const each of ORDER) {
    found[each].sort((one, other) => other.created - one.created || (one.id < other.id ? -1 : 1));
  }
  return ORDER.filter(each => found[each].length).map(each => ({ age: each, rows: found[each] }));
}

function age(created: number, midnight: number, before: number): Age {
  if (created >= midnight) {
    return "today";
  }
  return created >= before ? "yesterday" : "earlier";
}
