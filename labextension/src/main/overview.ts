/** What is known of a run, on one page: how it stands, where its time went, its workers, what travelled, its image. */
import type { IEditorLanguageRegistry } from "@jupyterlab/codemirror";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";

import { Client, path, Problem, Run } from "../api/index.js";
import type { Image, ImageTold, Manifests, PlaceTold, Travelled } from "../api/index.js";
import { el } from "../dom.js";
import { count, duration, plain, size } from "../format.js";
import { final } from "../phases.js";
import { about, button, filled, moment, section, table } from "./parts.js";
import { progress, timeline, workers } from "./runtime.js";
import { visible } from "./visible.js";

export class Overview extends Widget {
  constructor(
    private readonly _client: Client,
    private readonly _trans: TranslationBundle,
    private readonly _languages: IEditorLanguageRegistry | null
  ) {
    super();
    this.addClass("jp-JobqRun-overview");
    this.node.append(this._live, this._fixed);
  }

  override dispose(): void {
    clearInterval(this._timer);
    super.dispose();
  }

  /** Draws what is known now. */
  set run(run: Run) {
    this._run = run;
    this._drawLive();
    // What does not change while a run goes on is asked for once for each phase of it.
    const stage = `${run.row.phase} ${run.row.attempt}`;
    if (stage !== this._stage) {
      this._stage = stage;
      void this._ask(run);
    }
    clearInterval(this._timer);
    if (!final(run.row.phase)) {
      this._timer = window.setInterval(() => this.isVisible && !document.hidden && this._drawLive(), 1000);
    }
  }

  private _drawLive(): void {
    const run = this._run;
    if (!run) {
      return;
    }
    const trans = this._trans;
    const place = final(run.row.phase) ? null : run.snapshot.place;
    const notes = (run.notes ?? []).map(note => el("li", {}, plain(note)));
    const parts: (HTMLElement | null)[] = [
      this._said(run),
      progress(run, trans),
      timeline(run, Date.now() / 1000, trans),
      place && this._queue(place),
      workers(run, trans),
      notes.length > 0 ? section(trans.__("Notes"), null, el("ul", { class: "jp-JobqRun-notes" }, ...notes)) : null
    ];
    // What is the same as before stays on the page: what is unfolded, scrolled, selected or has the focus there.
    const html = parts.map(part => (part ? part.outerHTML : ""));
    const kept = parts.map((part, at) => (html[at] === this._html[at] ? (this._parts[at] ?? part) : part));
    if (kept.some((part, at) => part !== this._parts[at])) {
      filled(this._live, kept);
    }
    this._html = html;
    this._parts = kept;
  }

  private _said({ words }: Run): HTMLElement {
    const advice = words.advice
      ? el("p", { class: "jp-JobqRun-advice" }, `${plain(words.advice)}.`.replace(/([.!?])\.$/, "$1"))
      : null;
    const sentence = plain(words.sentence);
    return el(
      "div",
      { class: "jp-JobqRun-said" },
      el("p", {}, /[.!?]$/.test(sentence) ? sentence : `${sentence}.`),
      advice
    );
  }

  private _queue(place: PlaceTold): HTMLElement | null {
    const trans = this._trans;
    if (!place.queue) {
      return null;
    }
    const of = place.waiting === null ? "" : trans.__(" of %1", count(place.waiting));
    const where = place.cluster_queue && place.cluster_queue !== place.queue
      ? `${place.queue} · ${place.cluster_queue}`
      : place.queue;
    const told = place.position === null ? plain(place.unknown) : trans.__("Position %1%2", count(place.position), of);
    const guess = place.estimate === null
      ? ""
      : trans.__("about %1, guessed by the pace so far", about(place.estimate));
    const amount = (resource: string, value: number | null): string =>
      value === null ? "" : /memory|storage|hugepages/.test(resource) ? size(value) : count(value);
    const rows = place.quota.map(one => [
      one.flavor ? `${plain(one.resource)} (${plain(one.flavor)})` : plain(one.resource),
      amount(one.resource, one.asked),
      amount(one.resource, one.free),
      amount(one.resource, one.most),
      amount(one.resource, one.total)
    ]);
    const ahead = place.ahead.slice(0, 20).map(one => el("li", {}, plain(one)));
    return section(
      trans.__("Queue"),
      plain(where),
      el("p", {}, el("b", {}, told), guess && ` · ${guess}`),
      rows.length > 0 &&
        table(
          trans.__("Quota"),
          [
            trans.__("resource"),
            "#" + trans.__("asked"),
            "#" + trans.__("free"),
            "#" + trans.__("at most"),
            "#" + trans.__("quota")
          ],
          rows
        ),
      ahead.length > 0 && el("details", {}, el("summary", {}, trans.__("Ahead of it")), el("ol", {}, ...ahead))
    );
  }

  /** What is asked for beside the run itself; each part shows when it is there. */
  private async _ask(run: Run): Promise<void> {
    const { id } = run.row;
    const ask = <T>(part: string): Promise<T | null> =>
      this._client.get<T>(path(id, part)).catch((error: unknown) => {
        if (!(error instanceof Problem)) {
          throw error;
        }
        return null; // there is none, or not yet
      });
    const [travelled, image, manifests] = await Promise.all([
      ask<Travelled>("travelled"),
      run.snapshot.image ? ask<Image>("image") : null,
      ask<Manifests>("manifest")
    ]);
    if (this.isDisposed || run.row.phase !== this._run?.row.phase) {
      return;
    }
    const open = new Set([...this._fixed.querySelectorAll("details[open] > summary")].map(one => one.textContent));
    filled(this._fixed, [
      travelled && this._travelled(travelled),
      this._image(image ?? run.snapshot.image),
      this._asked(run),
      this._source(run.source),
      manifests && this._manifests(manifests)
    ]);
    for (const one of this._fixed.querySelectorAll("details")) {
      one.open = open.has(one.querySelector("summary")?.textContent ?? null);
    }
  }

  private _travelled({ shipped, account }: Travelled): HTMLElement | null {
    const trans = this._trans;
    const { travellers, requirements, stayed } = account;
    if (!travellers.length && !requirements.length && !stayed.length) {
      return null;
    }
    const names = travellers.map(one => [
      code(one.name),
      plain(one.kind),
      one.size === null ? "" : size(one.size),
      plain(one.origin),
      plain(one.why)
    ]);
    const packages = requirements.map(one => [
      code(one.name),
      plain(one.version),
      plain([one.source === "index" ? "" : one.source, one.origin].filter(Boolean).join(" ")),
      plain(one.why)
    ]);
    const rest = stayed.map(one => [code(one.name), plain(one.why)]);
    return section(
      trans.__("What travelled"),
      plain(shipped),
      names.length > 0 &&
        table(
          trans.__("What travelled"),
          [trans.__("name"), trans.__("kind"), "#" + trans.__("size"), trans.__("from"), trans.__("why")],
          names
        ),
      packages.length > 0 &&
        folded(
          trans._n("%2 package", "%2 packages", packages.length, count(packages.length)),
          table(
            trans.__("Packages"),
            [trans.__("package"), trans.__("version"), trans.__("installed from"), trans.__("why")],
            packages
          )
        ),
      rest.length > 0 &&
        folded(
          trans.__("%1 did not travel", count(rest.length)),
          table(trans.__("What did not travel"), [trans.__("name"), trans.__("why")], rest)
        )
    );
  }

  private _image(image: Image | ImageTold | null): HTMLElement | null {
    if (!image) {
      return null;
    }
    const trans = this._trans;
    const layers = image.layers.map(one => [
      code(one.kind),
      plain(one.name),
      one.size ? size(one.size) : "",
      el("span", { class: `jp-JobqRun-tag jp-mod-${one.state === "pushed" ? "pushed" : "reused"}` }, plain(one.state))
    ]);
    const took = [
      image.sent ? trans.__("%1 sent", size(image.sent)) : "",
      image.seconds ? trans.__("in %1", duration(image.seconds)) : ""
    ];
    return section(
      trans.__("Image"),
      took.filter(Boolean).join(" "),
      this._copied(image.reference, trans.__("Copy the reference")),
      table(
        trans.__("Layers"),
        [trans.__("layer"), trans.__("holds"), "#" + trans.__("size"), trans.__("state")],
        layers
      ),
      ...("notes" in image ? image.notes : []).map(note => el("p", { class: "jp-JobqRun-advice" }, plain(note)))
    );
  }

  private _asked(run: Run): HTMLElement | null {
    const trans = this._trans;
    const labels = Object.entries(run.row.labels ?? {}).map(([key, value]) => [
      plain("--label"),
      code(`${key}=${value}`)
    ]);
    const asked = run.options.map(one => [code(one.name), code(one.value)]);
    const rows = [
      [trans.__("where"), plain(run.row.where)],
      [trans.__("mode"), code(run.row.mode)],
      ...(asked.length ? asked : labels),
      run.row.notebook ? [trans.__("notebook"), plain(run.row.notebook)] : null,
      [trans.__("submitted"), moment(run.row.created)],
      [trans.__("id"), this._copied(run.row.id, trans.__("Copy the id"))]
    ].filter((row): row is (string | HTMLElement)[] => row !== null);
    const list = el(
      "dl",
      { class: "jp-JobqRun-facts" },
      ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])
    );
    return section(trans.__("What was asked for"), null, list);
  }

  private _source(source: string | null): HTMLElement | null {
    return source
      ? section(this._trans.__("The cell"), null, this._code(source, "text/x-ipython", this._trans.__("The cell")))
      : null;
  }

  private _manifests({ manifests }: Manifests): HTMLElement | null {
    const trans = this._trans;
    if (!manifests.length) {
      return null;
    }
    const drawn = manifests.map(one => folded(
      `${plain(one.kind)} ${plain(one.name)}`,
      this._code(one.yaml, "text/x-yaml", plain(one.kind)),
      this._copy(() => one.yaml)
    ));
    return section(trans.__("Manifest"), trans.__("as the cluster was sent it, without secrets"), ...drawn);
  }

  /** A program, coloured as in a notebook where the front end can. */
  private _code(text: string, mime: string, label: string): HTMLElement {
    const box = el(
      "pre",
      { class: "jp-JobqRun-code", tabindex: "0", role: "region", "aria-label": label },
      visible(text)
    );
    const known = [mime, mime.replace("x-ipython", "x-python")].map(one => this._languages?.findByMIME(one));
    const language = known.find(one => one);
    if (this._languages && language && text.length < 200_000) {
      const coloured = el("code", {});
      void this._languages
        .highlight(visible(text), language, coloured)
        .then(() => coloured.textContent?.trim() && filled(box, [coloured]))
        .catch(() => undefined); // plain text is there
    }
    return box;
  }

  private _copy(text: () => string): HTMLElement {
    const trans = this._trans;
    const made = button(trans.__("Copy"), () => {
      void navigator.clipboard.writeText(text()).then(() => {
        made.textContent = trans.__("Copied");
        setTimeout(() => (made.textContent = trans.__("Copy")), 1500);
      });
    });
    return made;
  }

  private _copied(text: string, label: string): HTMLElement {
    const copy = this._copy(() => text);
    copy.setAttribute("aria-label", label);
    return el("span", { class: "jp-JobqRun-copied" }, code(text), copy);
  }

  private readonly _live = el("div", {});
  private readonly _fixed = el("div", {});
  private _parts: (HTMLElement | null)[] = [];
  private _html: string[] = [];
  private _run: Run | null = null;
  private _stage = "";
  private _timer = 0;
}

function code(text: string): HTMLElement {
  return el("code", {}, plain(text));
}

function folded(title: string, ...children: (HTMLElement | null)[]): HTMLElement {
  return el("details", {}, el("summary", {}, title), ...children);
}
