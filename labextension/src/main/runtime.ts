/** The line of time, the bars and the workers of a run, drawn. */
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Member, Phase, Run } from "../api/index.js";
import { el } from "../dom.js";
import { count, duration, plain, size } from "../format.js";
import { coloured, drawn } from "../phases.js";
import { drawing } from "../dom.js";
import { load, moment, ongoing, section, spent, svg } from "./parts.js";
import { attempts, spark } from "./timeline.js";

/** Members that are drawn at once; the rest is told by their number. */
const MOST = 64;

/** The phases by their lengths, an attempt a line, and the same in words. */
export function timeline(run: Run, now: number, trans: TranslationBundle): HTMLElement | null {
  const told = attempts(run.timeline, now);
  if (!told.length) {
    return null;
  }
  const rows = told.map(({ number, width, parts }) => {
    const bars = parts.map(part => {
      const bar = el(
        "i",
        {
          class: `${coloured(part.phase as Phase)} jp-mod-${CSS.escape(part.phase)}${part.going ? " jp-mod-going" : ""}`
        }
      );
      bar.style.flexGrow = String(Math.max(1, Math.round(part.share * 1000)));
      return bar;
    });
    const line = el("div", { class: "jp-JobqRun-timeline", "aria-hidden": "true" }, ...bars);
    line.style.width = `${(100 * width).toFixed(1)}%`;
    const words = parts.map(part =>
      el(
        "li",
        { title: moment(part.at) },
        `${spent(part.phase, part.going, trans)} `,
        el("b", {}, part.going ? ongoing(part.seconds) : duration(part.seconds))
      )
    );
    const label = told.length > 1 ? trans.__("Attempt %1", number) : trans.__("Phases");
    return el(
      "div",
      { class: "jp-JobqRun-attempt" },
      told.length > 1 && el("span", { class: "jp-JobqRun-attemptname" }, label),
      line,
      el("ol", { class: "jp-JobqRun-times", "aria-label": label }, ...words)
    );
  });
  return section(trans.__("Time"), null, ...rows);
}

/** How far it is. */
export function progress(run: Run, trans: TranslationBundle): HTMLElement | null {
  const bars = run.snapshot.progress;
  if (!bars.length) {
    return null;
  }
  const rows = bars.slice(0, 12).map(({ label, done, total, unit }) => {
    const amount = unit === "bytes" ? size : count;
    const told = total ? `${amount(done)} / ${amount(total)}` : amount(done);
    const part = total ? Math.min(100, Math.max(0, (100 * done) / total)) : null;
    const fill = el("i");
    fill.style.width = `${part ?? 0}%`;
    const bar = el(
      "div",
      part === null
        ? { class: "jp-JobqRun-bar" }
        : {
            class: "jp-JobqRun-bar",
            role: "progressbar",
            "aria-label": plain(label) || trans.__("Progress"),
            "aria-valuemin": 0,
            "aria-valuemax": 100,
            "aria-valuenow": Math.round(part),
            "aria-valuetext": told
          },
      part !== null && fill
    );
    return el("div", { class: "jp-JobqRun-barrow" }, label && el("span", {}, plain(label)), bar, el("span", {}, told));
  });
  return el("div", { class: "jp-JobqRun-bars" }, ...rows);
}

/** The workers one by one, with what they used over the last moments. */
export function workers(run: Run, trans: TranslationBundle): HTMLElement | null {
  const all = run.crew;
  if (!all.length) {
    return null;
  }
  const top = Math.max(1, ...all.flatMap(one => one.cpu_history ?? []));
  const most = Math.max(1, ...all.flatMap(one => one.memory_history ?? []));
  const cards = all.slice(0, MOST).map(one => card(one, top, most, trans));
  const memory = all.reduce((sum, one) => sum + (one.memory ?? 0), 0);
  const beside = [
    all.length > MOST ? trans.__("and %1 more", count(all.length - MOST)) : "",
    all.length > 1 && memory ? trans.__("%1 in all", size(memory)) : ""
  ];
  return section(
    all.length > 1 ? trans.__("Workers") : trans.__("Process"),
    [all.length > 1 ? count(all.length) : "", ...beside].filter(Boolean).join(" · "),
    el("ul", { class: "jp-JobqRun-workers" }, ...cards)
  );
}

function card(one: Member, top: number, most: number, trans: TranslationBundle): HTMLElement {
  const name = /^\d+$/.test(one.name) ? trans.__("Worker %1", one.name) : plain(one.name) || trans.__("This process");
  const where = [one.pod, one.node].filter(Boolean).map(plain).join(" · ");
  const memory = one.memory === null
    ? ""
    : one.memory_most ? trans.__("%1 of %2", size(one.memory), size(one.memory_most)) : size(one.memory);
  const icon = one.phase ? drawing(drawn(one.phase as Phase), `jp-Jobq-icon ${coloured(one.phase as Phase)}`) : null;
  const lines: [string, string, readonly number[], number, string][] = [];
  if (one.cpu !== null) {
    lines.push([trans.__("CPU"), load(one.cpu), one.cpu_history ?? [], top, "jp-mod-cpu"]);
  }
  if (memory) {
    lines.push([trans.__("Memory"), memory, one.memory_history ?? [], most, "jp-mod-memory"]);
  }
  if (one.gpus) {
    lines.push([trans.__("GPU"), trans.__("%1 of %2", count(one.gpu ?? 0), count(one.gpus)), [], 1, ""]);
  }
  if (one.tasks !== null && one.tasks !== undefined) {
    lines.push([trans.__("Tasks"), count(one.tasks), [], 1, ""]);
  }
  return el(
    "li",
    { class: "jp-JobqRun-worker" },
    el(
      "div",
      { class: "jp-JobqRun-workername" },
      icon,
      el("b", {}, name),
      one.state && el("span", {}, plain(one.state))
    ),
    where && el("div", { class: "jp-JobqRun-where", title: where }, where),
    one.sentence && el("div", { class: "jp-JobqRun-wrong" }, plain(one.sentence)),
    lines.length > 0 &&
      el(
        "dl",
        {},
        ...lines.flatMap(([what, told, history, high, kind]) => [
          el("dt", {}, what),
          el("dd", {}, chart(history, high, kind), el("span", {}, told))
        ])
      ),
    one.peak !== null && one.peak > 0 && el(
      "div",
      { class: "jp-JobqRun-where" },
      trans.__("at most %1", size(one.peak))
    )
  );
}

function chart(history: readonly number[], top: number, kind: string): Node {
  const points = spark(history, top);
  if (!points) {
    return document.createTextNode("");
  }
  const drawn = svg(
    "svg",
    { viewBox: "0 0 72 18", class: `jp-JobqRun-spark ${kind}`, "aria-hidden": "true", preserveAspectRatio: "none" }
  );
  const [first] = points.split(",");
  const [last] = points.slice(points.lastIndexOf(" ") + 1).split(",");
  drawn.append(svg("polygon", { points: `${first},18 ${points} ${last},18` }), svg("polyline", { points }));
  return drawn;
}
