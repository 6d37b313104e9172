import type { TranslationBundle } from "@jupyterlab/translation";

import type { Counts } from "../api/extra.js";
import type { Row } from "../api/types.js";
import { clock, count, plain } from "../format.js";
import { final } from "../phases.js";

/** The line below a run's name: how far it is, what it waits for, what became of it. */
export function told(row: Row, trans: TranslationBundle): string {
  if (row.phase === "failed" && row.error) {
    return plain(row.error);
  }
  if (final(row.phase)) {
    return plain(row.sentence || row.where);
  }
  const parts = [line(row, trans), far(row, trans) || plain(row.sentence)];
  if (row.phase === "running") {
    parts.push(plain(row.where), row.attempt > 1 ? trans.__("attempt %1", row.attempt) : "");
    parts.push(row.workers && row.workers.wanted > 1 ? crew(row.workers, trans) : "");
  }
  return parts.filter(Boolean).join(" · ");
}

function line({ phase, position }: Row, trans: TranslationBundle): string {
  if (phase !== "queued" || position?.at == null) {
    return "";
  }
  const queue = plain(position.queue);
  return position.of === null
    ? trans.__("Position %1 in %2", position.at, queue)
    : trans.__("Position %1 of %2 in %3", position.at, position.of, queue);
}

function far(row: Row, trans: TranslationBundle): string {
  if (row.phase !== "running" || !row.progress) {
    return "";
  }
  const { done, total, label } = row.progress;
  const words = total ? trans.__("%1 of %2", count(done), count(total)) : count(done);
  return [plain(label), words].filter(Boolean).join(" ");
}

function crew(workers: { up: number; wanted: number }, trans: TranslationBundle): string {
  return workers.up === workers.wanted
    ? trans._n("%1 worker", "%1 workers", workers.wanted)
    : trans.__("%1 of %2 workers", workers.up, workers.wanted);
}

/** How long a run takes, or took: as long as its code runs, or since it was submitted. */
export function elapsed(row: Row, now: number): string {
  if (!final(row.phase)) {
    return clock(now - (row.began ?? row.created));
  }
  return clock(row.seconds ?? (row.ended ?? row.created) - row.created);
}

/** How far a run is, from 0 to 1; null where that is not known. */
export function share(row: Row): number | null {
  const total = row.progress?.total;
  return total ? Math.max(0, Math.min(1, row.progress!.done / total)) : null;
}

const AT_WORK = ["running", "collecting", "stopping"] as const;
const TO_BEGIN = ["capturing", "building", "submitting", "queued", "starting"] as const;

/** `2 running, 1 queued`: what the status bar says; "" where nothing is live. */
export function tally(counts: Counts, trans: TranslationBundle): string {
  const sum = (phases: readonly string[]) => phases.reduce((total, phase) => total + (counts[phase] ?? 0), 0);
  const [busy, waiting, paused] = [sum(AT_WORK), sum(TO_BEGIN), sum(["paused"])];
  const parts = [
    busy ? trans.__("%1 running", busy) : "",
    waiting ? trans.__("%1 queued", waiting) : "",
    paused ? trans.__("%1 paused", paused) : ""
  ];
  return parts.filter(Boolean).join(", ");
}
