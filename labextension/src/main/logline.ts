/** One line of a log, drawn. */
import type { TranslationBundle } from "@jupyterlab/translation";

import { el } from "../dom.js";
import { count } from "../format.js";
import { moment, timeOfDay } from "./parts.js";
import { Style } from "./ansi.js";
import { BACKS, onGround, readable } from "./colours.js";
import { COLUMNS, pieces } from "./pieces.js";
import type { Line } from "../api/index.js";

export interface Looks {
  trans: TranslationBundle;
  /** Whether it is said whose lines these are. */
  sources: boolean;
  marks: (plain: string) => readonly number[][];
  /** Whether it is drawn to its end. */
  whole: boolean;
  /** Asked to draw it to its end. */
  expand: () => void;
}

/** Characters of a line that are drawn at the utmost: the server sends 64 KiB. */
const UTMOST = 70_000;
const ALARMING = /\b(?:error|exception|traceback|fatal|critical|warning|panic)|(?:Error|Exception|Warning)\b/i;

/** A row for the line at a place; without the line, a row that says that it is on its way. */
export function row(at: number, line: Line | undefined, looks: Looks): HTMLElement {
  if (line === undefined) {
    const cell = el("span", { role: "cell", class: "jp-JobqRun-text" }, "…");
    return el("div", { role: "row", "aria-rowindex": at, class: "jp-JobqRun-line jp-mod-awaited" }, cell);
  }
  const { trans } = looks;
  const { pieces: parts, more } = pieces(line.text, looks.marks, looks.whole ? UTMOST : COLUMNS);
  const text = el("span", { role: "cell", class: "jp-JobqRun-text", "data-at": at });
  for (const part of parts) {
    text.append(styled(part.text, part.style, part.found));
  }
  if (more > 0) {
    const label = looks.whole
      ? trans.__("… %1 more characters: download the log to read them", count(more))
      : trans.__("… show %1 more characters", count(more));
    text.append(el(
      "button",
      { class: "jp-JobqRun-more", type: "button", onclick: looks.expand, disabled: looks.whole },
      label
    ));
  }
  const error = line.stream === "stderr";
  const kind = error ? (ALARMING.test(line.text) ? " jp-mod-error jp-mod-alarm" : " jp-mod-error") : "";
  const attempt = line.stream === "attempt" ? " jp-mod-attempt" : "";
  return el(
    "div",
    { role: "row", "aria-rowindex": at, class: `jp-JobqRun-line${kind}${attempt}` },
    el("span", { role: "cell", class: "jp-JobqRun-number" }, count(line.n)),
    line.at === null
      ? el("span", { role: "cell", class: "jp-JobqRun-time" })
      : el("span", { role: "cell", class: "jp-JobqRun-time", title: moment(line.at) }, timeOfDay(line.at)),
    looks.sources && el("span", { role: "cell", class: "jp-JobqRun-source" }, sourceName(line.source, trans)),
    text
  );
}

/** How the source of a line is called: `rank 3`, `driver`. */
export function sourceName(source: string, trans: TranslationBundle): string {
  return /^\d+$/.test(source) ? trans.__("rank %1", source) : source;
}

/** A text as it is to look; plain text needs no element. */
export function styled(text: string, style: Style, found = false): Node {
  const { front, back, flags } = style;
  if (!found && front === null && back === null && !flags) {
    return document.createTextNode(text);
  }
  const made = el(
    found ? "mark" : "span",
    { class: [...flags].filter(flag => "bdiu".includes(flag)).map(flag => `jp-JobqRun-${flag}`).join(" ") },
    text
  );
  const [letters, ground] = flags.includes("v") ? [back, front] : [front, back];
  if (found) {
    return made; // what was found looks alike everywhere
  }
  if (ground !== null) {
    const concrete = typeof ground === "number" ? BACKS[ground] : ground;
    made.style.background = concrete;
    made.style.color = onGround(typeof letters === "number" ? BACKS[letters] : letters, concrete);
  } else if (flags.includes("v")) {
    made.classList.add("jp-JobqRun-v");
  } else if (typeof letters === "number") {
    made.classList.add(`jp-JobqRun-a${letters}`);
  } else if (letters !== null) {
    const [light, dark] = readable(letters);
    made.style.setProperty("--jq-light", light);
    made.style.setProperty("--jq-dark", dark);
    made.classList.add("jp-JobqRun-own");
  }
  return made;
}
