import type { TranslationBundle } from "@jupyterlab/translation";
import { Token } from "@lumino/coreutils";

import type { Client } from "./api/index.js";
import type { Runs } from "./model/runs.js";

/** The oldest and the newest interface of the server that this page understands. */
export const API = 1;

/** What all of our plugins share. */
export interface IJobq {
  readonly client: Client;
  readonly runs: Runs;
  readonly trans: TranslationBundle;
}

export const IJobq = new Token<IJobq>("jobq-magic:IJobq", "The runs of this server, kept level.");

export const Ids = {
  show: "jobq:show",
  refresh: "jobq:refresh",
  search: "jobq:search",
  open: "jobq:open",
  log: "jobq:open-log",
  dashboard: "jobq:open-dashboard",
  cell: "jobq:go-to-cell",
  stop: "jobq:stop",
  pause: "jobq:pause",
  resume: "jobq:resume",
  rerun: "jobq:rerun",
  delete: "jobq:delete",
  copy: "jobq:copy-id",
  download: "jobq:download-log"
} as const;

/** Measures what a plugin takes to be there: `performance.getEntriesByName("jobq:activate")`. */
export function timed<T>(detail: string, activate: () => T): T {
  const start = performance.mark("jobq:activate:start", { detail }).startTime;
  try {
    return activate();
  } finally {
    const end = performance.mark("jobq:activate:end", { detail }).startTime;
    performance.measure("jobq:activate", { start, end, detail });
  }
}
