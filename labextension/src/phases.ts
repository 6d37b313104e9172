import type { TranslationBundle } from "@jupyterlab/translation";

import type { Phase } from "./api/types.js";

const WAIT = '<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.5"/>';
const STOP = '<rect x="3.5" y="3.5" width="9" height="9" rx="1" fill="currentColor"/>';
const LINE = 'fill="none" stroke="currentColor" stroke-width="2"';

/** What stands before a run: the same drawings as in its panel. */
export const DRAWN: Record<Phase, string> = {
  capturing: WAIT,
  building: WAIT,
  submitting: WAIT,
  queued: WAIT,
  starting: WAIT,
  running: '<circle cx="8" cy="8" r="5" fill="currentColor"/>',
  collecting: `<path d="M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 14h10" ${LINE}/>`,
  stopping: STOP,
  paused: `<path d="M5.5 3v10M10.5 3v10" ${LINE}/>`,
  succeeded: `<path d="M3 8.5l3.2 3.2L13 4.8" ${LINE}/>`,
  failed: `<path d="M4 4l8 8M12 4l-8 8" ${LINE}/>`,
  cancelled: STOP,
  lost: `<path d="M5 6a3 3 0 1 1 4 2.8q-1 .4-1 1.7M8 12v2" ${LINE}/>`
};

const FINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Whether nothing will change any more. */
export function final(phase: Phase): boolean {
  return FINAL.has(phase);
}

/** How a phase is drawn that a newer server may know and we do not. */
export function drawn(phase: Phase): string {
  return DRAWN[phase] ?? WAIT;
}

/** The class that gives a phase its colour: `jp-mod-blue`, ... Colour is never all that tells. */
export function coloured(phase: Phase): string {
  switch (phase) {
    case "running":
    case "collecting":
      return "jp-mod-jobq-busy";
    case "succeeded":
      return "jp-mod-jobq-good";
    case "failed":
    case "lost":
      return "jp-mod-jobq-bad";
    case "cancelled":
    case "capturing":
    case "building":
    case "submitting":
      return "jp-mod-jobq-quiet";
    default:
      return "jp-mod-jobq-wait";
  }
}

/** The word of a phase. */
export function word(phase: Phase, trans: TranslationBundle): string {
  const words: Record<Phase, string> = {
    capturing: trans.__("Capturing"),
    building: trans.__("Building"),
    submitting: trans.__("Submitting"),
    queued: trans.__("Queued"),
    starting: trans.__("Starting"),
    running: trans.__("Running"),
    collecting: trans.__("Collecting"),
    stopping: trans.__("Stopping"),
    paused: trans.__("Paused"),
    succeeded: trans.__("Succeeded"),
    failed: trans.__("Failed"),
    cancelled: trans.__("Cancelled"),
    lost: trans.__("Lost")
  };
  return words[phase] ?? phase;
}
