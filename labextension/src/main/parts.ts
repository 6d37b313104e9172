/** What a run's views have in common: parts of pages, and how times are written there. */
import type { TranslationBundle } from "@jupyterlab/translation";

import { el } from "../dom.js";
import { clock } from "../format.js";
import { word } from "../phases.js";
import type { Phase } from "../api/types.js";

export type Part = Node | string | null | undefined | false;

/** Puts these in the place of what is in it; what is there already is not moved. */
export function filled<T extends Element>(into: T, children: readonly Part[]): T {
  const wanted = children.filter((one): one is Node | string => Boolean(one));
  const nodes = wanted.map(one => (typeof one === "string" ? document.createTextNode(one) : one));
  const kept = new Set<Node>(nodes);
  [...into.childNodes].forEach(one => kept.has(one) || one.remove());
  nodes.forEach((one, at) => into.childNodes[at] === one || into.insertBefore(one, into.childNodes[at] ?? null));
  return into;
}

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
export function svg(tag: string, attributes: Record<string, string | number>, ...children: Node[]): SVGElement {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, String(value)));
  made.append(...children);
  return made;
}

/** A table that scrolls within itself, by keyboard too. Columns of numbers begin with `#`. */
export function table(label: string, heads: readonly string[], rows: readonly (readonly Part[])[]): HTMLElement {
  const right = heads.map(head => (head.startsWith("#") ? "jp-mod-number" : null));
  const head = heads.map((one, at) => el("th", { scope: "col", class: right[at] }, one.replace(/^#/, "")));
  const body = rows.map(row =>
    el("tr", {}, ...row.map((cell, at) => el("td", { class: right[at] }, ...(cell ? [cell] : []))))
  );
  const made = el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
  return el("div", { class: "jp-JobqRun-fit", role: "region", "aria-label": label, tabindex: "0" }, made);
}

/** A part of a page under its heading. */
export function section(title: string, beside: Part, ...children: Part[]): HTMLElement {
  const head = el("h3", {}, title, ...(beside ? [el("span", { class: "jp-JobqRun-beside" }, beside)] : []));
  return el("section", { class: "jp-JobqRun-section" }, head, ...children.filter(Boolean) as Node[]);
}

/** A button with a word on it; its `class` is beside that of all buttons. */
export function button(
  text: string,
  click: () => void,
  { class: own, ...more }: Record<string, string | boolean | null> = {}
): HTMLButtonElement {
  return el(
    "button",
    { type: "button", class: `jp-JobqRun-button ${own ?? ""}`.trim(), onclick: click, ...more },
    text
  );
}

/** A length of time that grows, where tenths would only flicker: `42 s`, `2:03:10`. */
export function ongoing(seconds: number): string {
  return seconds < 60 ? `${Math.max(0, Math.floor(seconds))} s` : clock(seconds);
}

/** A length of time that is guessed: `22 s`, `4 min`, `2.5 h`, `3 days`. */
export function about(seconds: number): string {
  if (seconds < 59.5) {
    return `${Math.max(1, Math.round(seconds))} s`;
  }
  if (seconds < 3570) {
    return `${Math.round(seconds / 60)} min`;
  }
  const hours = (seconds / 3600).toFixed(1).replace(/\.0$/, "");
  return seconds < 47.5 * 3600 ? `${hours} h` : `${Math.round(seconds / 86400)} days`;
}

/** How busy something is: `98 %` of a core, `3.2 cores`. */
export function load(cores: number): string {
  return cores <= 1.05 ? `${Math.round(cores * 100)} %` : `${cores.toFixed(1)} cores`;
}

/** The reader's own time of day: `11:14:02.118`. */
export function timeOfDay(at: number): string {
  const date = new Date(at * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

/** The reader's own date and time. */
export function moment(at: number): string {
  return new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** What stands before the time that a phase took, or takes. */
export function spent(phase: string, going: boolean, trans: TranslationBundle): string {
  const over: Record<string, string> = {
    capturing: trans.__("captured"),
    building: trans.__("image"),
    submitting: trans.__("handed over"),
    queued: trans.__("queued"),
    starting: trans.__("started"),
    running: trans.__("ran"),
    collecting: trans.__("collected"),
    stopping: trans.__("stopped"),
    paused: trans.__("paused")
  };
  return going ? word(phase as Phase, trans).toLowerCase() : (over[phase] ?? phase);
}
