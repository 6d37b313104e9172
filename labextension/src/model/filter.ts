import type { Row } from "../api/types.js";
import { final } from "../phases.js";

/** What of all runs is to be seen. */
export interface Filter {
  /** Words that must all occur. */
  q: string;
  /** `live`, `ended`, a phase, or "" for all. */
  state: string;
  /** Where they run: a mode, or "" for all. */
  mode: string;
  /** The notebook they came from, or "" for all. */
  notebook: string;
}

export const ALL: Filter = { q: "", state: "", mode: "", notebook: "" };

/** Whether anything is left out. */
export function narrowed(filter: Filter): boolean {
  return Boolean(filter.q.trim() || filter.state || filter.mode || filter.notebook);
}

/** The filter as the server understands it. */
export function asked(filter: Filter): Record<string, string> {
  const told = { ...filter, q: filter.q.trim() };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value));
}

/** Whether a run that was pushed belongs to what is seen; the server's answer to `asked` is the same. */
export function matches(row: Row, filter: Filter): boolean {
  return (
    inState(row, filter.state) &&
    (!filter.mode || row.mode === filter.mode) &&
    (!filter.notebook || row.notebook === filter.notebook) &&
    holds(row, filter.q)
  );
}

function inState(row: Row, state: string): boolean {
  switch (state) {
    case "":
      return true;
    case "live":
      return !final(row.phase);
    case "ended":
      return final(row.phase);
    default:
      return row.phase === state;
  }
}

function holds(row: Row, q: string): boolean {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return true;
  }
  const labels = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
  const text = [row.name, row.id, row.sentence, row.notebook ?? "", row.error, ...labels].join("\n").toLowerCase();
  return words.every(word => text.includes(word));
}
