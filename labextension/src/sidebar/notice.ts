import type { TranslationBundle } from "@jupyterlab/translation";

import type { About, Hearing, Problem, Trouble } from "../api/index.js";
import { plain } from "../format.js";

/** What stands where no runs stand, or above them: one sentence, and what to type or to press. */
export interface Notice {
  readonly words: string;
  readonly command?: string;
  readonly press?: "retry" | "clear" | "reload";
  /** Whether it stands above the runs, instead of in their place. */
  readonly above: boolean;
}

export interface Standing {
  readonly about: About | null;
  readonly problem: Problem | null;
  readonly hearing: Hearing;
  /** When something was heard last, as a clock shows it. */
  readonly since: string;
  /** How many runs are shown. */
  readonly shown: number;
  /** How many older runs the server has not read yet. */
  readonly unread: number;
  /** Whether something is searched for. */
  readonly narrowed: boolean;
  /** Whether an answer has come. */
  readonly answered: boolean;
  /** That a kernel of an open notebook keeps its runs where the server does not look for them. */
  readonly elsewhere: Trouble | null;
  /** The interface that this page understands. */
  readonly api: number;
}

/** What there is to say; null where the runs speak for themselves. */
export function notice(now: Standing, trans: TranslationBundle): Notice | null {
  const { about, problem, shown } = now;
  if (now.hearing === "absent") {
    return {
      words: trans.__("This Jupyter server does not have jobq-magic: install it where the server runs, and start that anew"),
      command: 'pip install "jobq-magic[server]"',
      press: "retry",
      above: false
    };
  }
  if (about && !(about.api >= now.api)) {
    return {
      words: trans.__("This Jupyter server has jobq-magic %1, which is older than this page: bring it up to date, and start that anew", plain(String(about.version))),
      command: 'pip install --upgrade "jobq-magic[server]"',
      above: false
    };
  }
  if (about && about.api > now.api) {
    return {
      words: trans.__("This page is older than jobq-magic %1 of the Jupyter server: load it anew", plain(about.version)),
      press: "reload",
      above: shown > 0
    };
  }
  if (now.hearing === "lost" && shown) {
    return { words: trans.__("The Jupyter server does not answer: so it was at %1", now.since), press: "retry", above: true };
  }
  if (problem) {
    return { words: sentences(problem), press: "retry", above: shown > 0 };
  }
  if (now.elsewhere) {
    return { words: sentences(now.elsewhere), above: shown > 0 };
  }
  if (now.unread) {
    return { words: trans._n("%1 older run is being read", "%1 older runs are being read", now.unread), above: shown > 0 };
  }
  if (shown || !now.answered) {
    return null;
  }
  if (now.narrowed) {
    return { words: trans.__("No run matches"), press: "clear", above: false };
  }
  return { words: trans.__("No runs yet. Put this on top of a cell, and execute it:"), command: "%%jobq", above: false };
}

function sentences(told: { what: string; why: string; do: string }): string {
  return [told.what, told.why, told.do].filter(Boolean).map(plain).join(". ");
}
