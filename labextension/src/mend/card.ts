import type { CardTold, Client } from "../api/index.js";
import { path } from "../api/index.js";
import { el } from "../dom.js";

export interface Button {
  label: string;
  press: () => void;
}

/** The card of a run, drawn by the page over an output whose own widget is gone. The notebook is not changed by it. */
export class LiveCard {
  private readonly body = el("div");
  private readonly node: HTMLElement;
  private host: HTMLElement | null = null;
  private shown = "";

  constructor(buttons: readonly Button[]) {
    const bar = el(
      "div",
      { class: "jp-Jobq-mendedBar" },
      ...buttons.map(({ label, press }) => el("button", { type: "button", onclick: press }, label))
    );
    this.node = el("div", { class: "jp-Jobq-mended jp-OutputArea-output" }, this.body, bar);
  }

  /** Stands in the place of an element, which stays where it is and is not seen. */
  cover(host: HTMLElement): void {
    if (this.host !== host) {
      this.uncover();
      this.host = host;
      host.classList.add("jp-mod-jobq-covered");
    }
    if (host.nextElementSibling !== this.node) {
      host.after(this.node);
    }
  }

  uncover(): void {
    this.host?.classList.remove("jp-mod-jobq-covered");
    this.node.remove();
    this.host = null;
  }

  /** Draws what our server has drawn. What comes from the run is escaped there; scripts would not run here. */
  show(html: string): void {
    if (html === this.shown) {
      return;
    }
    this.shown = html;
    const open = [...this.body.querySelectorAll("details")].map(each => each.open);
    const parsed = new DOMParser().parseFromString(html, "text/html");
    this.body.replaceChildren(...parsed.head.childNodes, ...parsed.body.childNodes);
    this.body.querySelectorAll("details").forEach((each, index) => (each.open = open[index] ?? each.open));
  }
}

export function card(client: Client, id: string): Promise<CardTold> {
  return client.get(path(id, "card"));
}
