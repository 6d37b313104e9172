/** The line of time of a run: its phases over its attempts, as parts of one width. Pure. */

import type { Stretch } from "../api/types.js";

export interface Part {
  readonly phase: string;
  readonly seconds: number;
  /** Of the attempt's width, from 0 to 1; all together are 1. */
  readonly share: number;
  readonly going: boolean;
  readonly at: number;
}

export interface Attempt {
  readonly number: number;
  /** Of the width of the longest attempt. */
  readonly width: number;
  readonly parts: readonly Part[];
}

/** The least share of a part: what took a moment is seen, too. */
const LEAST = 0.012;

/**
 * The attempts with their parts, in order.
 *
 * @param spans the phases in order; ends of a run (`succeeded`, ...) take no time, and are left out.
 * @param now seconds since the epoch, for what goes on.
 */
export function attempts(spans: readonly Stretch[], now: number): Attempt[] {
  const found = new Map<number, Omit<Part, "share">[]>();
  for (const { phase, at, until, attempt } of spans) {
    if (!ENDS.has(phase)) {
      const seconds = Math.max(0, (until ?? now) - at);
      const parts = found.get(attempt) ?? [];
      found.set(attempt, parts);
      parts.push({ phase, seconds, going: until === null, at });
    }
  }
  const whole = (parts: readonly { seconds: number }[]): number => parts.reduce((sum, part) => sum + part.seconds, 0);
  const longest = Math.max(...[...found.values()].map(whole), 1e-6);
  return [...found].map(([number, parts]) => {
    const lengths = parts.map(part => Math.max(part.seconds, LEAST * whole(parts), 1e-6));
    const all = lengths.reduce((sum, one) => sum + one, 0);
    return {
      number,
      width: Math.max(whole(parts) / longest, Math.min(1, LEAST * 4 * parts.length)),
      parts: parts.map((part, at) => ({ ...part, share: lengths[at] / all }))
    };
  });
}

export const ENDS: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "lost"]);

/**
 * The points of a small chart, for `<polyline points>`.
 *
 * @param values the last ones are drawn.
 * @param top what fills the height.
 */
export function spark(values: readonly number[], top: number, width = 72, height = 18, most = 16): string {
  const points = values.slice(-most);
  if (points.length < 2) {
    return "";
  }
  const step = width / (most - 1);
  const first = most - points.length; // the newest is at the right edge
  const scale = (height - 2) / Math.max(top, 1e-9);
  return points
    .map((one, at) => `${round((first + at) * step)},${round(height - 1 - Math.min(Math.max(0, one), top) * scale)}`)
    .join(" ");
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
