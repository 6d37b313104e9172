/**
 * What a job displayed, shown so that it never acts: by the front end's own renderers, as something untrusted.
 *
 * HTML is sanitised there. A drawing in SVG is shown as a picture, which runs no script. HTML that needs its scripts
 * runs in a frame of its own, of no origin and without a way to ours, and only when a person asks for it.
 */
import { IRenderMimeRegistry, MimeModel } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import { Panel, Widget } from "@lumino/widgets";

import type { Display } from "../api/index.js";
import { el } from "../dom.js";
import { button } from "./parts.js";

const HTML = "text/html";
const SVG = "image/svg+xml";
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** What the sanitiser takes away, and a reader may miss. */
const ACTING = /<(?:script|iframe|style|canvas|object|form)\b|\son\w+\s*=/i;

// Scripts may come from where pages of plots have them; nothing can be sent anywhere but by loading such a script.
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' https: blob: data:; style-src 'unsafe-inline' https:; " +
  "img-src https: blob: data:; font-src https: data:; worker-src blob:";

/** What is shown of a MIME bundle. */
export async function shown(
  data: Display["data"],
  metadata: Display["metadata"],
  rendermime: IRenderMimeRegistry,
  trans: TranslationBundle
): Promise<Widget> {
  const svg = data[SVG];
  if (typeof svg === "string" && !PICTURES.some(mime => mime in data)) {
    return new Widget({ node: picture(svg, trans) });
  }
  const model = new MimeModel({
    data: data as MimeModel.IOptions["data"],
    metadata: metadata as MimeModel.IOptions["metadata"],
    trusted: false
  });
  const mime = rendermime.preferredMimeType(data as MimeModel.IOptions["data"] & object, "ensure");
  if (mime === undefined) {
    const told = trans.__("It cannot be shown here: %1", Object.keys(data).join(", ") || trans.__("nothing"));
    return new Widget({ node: el("p", { class: "jp-JobqRun-advice" }, told) });
  }
  const renderer = rendermime.createRenderer(mime);
  await renderer.renderModel(model);
  const html = data[HTML];
  if (mime !== HTML || typeof html !== "string" || !ACTING.test(html)) {
    return renderer;
  }
  const panel = new Panel();
  panel.addWidget(renderer);
  const ask = button(trans.__("Show it with its scripts, kept apart from this page"), () => {
    panel.insertWidget(0, new Widget({ node: apart(html, trans) }));
    renderer.dispose();
    offer.dispose();
  });
  const offer = new Widget({ node: el("div", { class: "jp-JobqRun-offer" }, ask) });
  panel.addWidget(offer);
  return panel;
}

/** A page of its own for HTML with scripts: it has no origin, and reaches neither ours nor what the browser keeps. */
function apart(html: string, trans: TranslationBundle): HTMLElement {
  const frame = el("iframe", {
    class: "jp-JobqRun-apart",
    sandbox: "allow-scripts",
    referrerpolicy: "no-referrer",
    title: trans.__("What the job displayed, with its scripts")
  });
  const policy = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
  frame.srcdoc = `<!doctype html><meta charset="utf-8">${policy}${html}`;
  return frame;
}

function picture(text: string, trans: TranslationBundle): HTMLElement {
  return el(
    "img",
    {
      class: "jp-JobqRun-picture",
      alt: trans.__("A drawing"),
      src: `data:${SVG};charset=utf-8,${encodeURIComponent(text)}`
    }
  );
}
