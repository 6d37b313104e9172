/**
 * The lines of a log in a scroller: only those in sight are on the page, whatever their number.
 *
 * The rows lie in a layer that stays in sight while the scroller's bar moves; where they stand follows from `Scroll`.
 */
import { el } from "../dom.js";
import { filled } from "./parts.js";
import type { Line } from "../api/index.js";
import { Scroll } from "./scroll.js";

export interface Rows {
  /** How many there are. */
  readonly total: number;
  line(at: number): Line | undefined;
  /** These are to be at hand soon. */
  need(first: number, last: number): void;
  draw(at: number, line: Line | undefined): HTMLElement;
  /** A person moved, and the end is in sight now, or is not. */
  moved(atEnd: boolean): void;
  /** What is on the page was drawn, from `first` to `last`. */
  drawn(first: number, last: number): void;
}

/** Rows beyond the edges: a move by a wheel meets what is there already. */
const BEYOND = 6;

export class LogList {
  /**
   * @param label what the lines are, for who listens.
   */
  constructor(
    private readonly _rows: Rows,
    label: string
  ) {
    this._layer = el("div", { class: "jp-JobqRun-layer", role: "presentation" }, this._block);
    this._space = el("div", { class: "jp-JobqRun-space", role: "presentation" }, this._layer);
    this.node = el("div", { class: "jp-JobqRun-lines", role: "table", tabindex: 0, "aria-label": label }, this._space);
    this.node.addEventListener("scroll", () => this._scrolled());
    this.node.addEventListener("wheel", event => this._wheeled(event), { passive: false });
    this._watch = new ResizeObserver(() => this.resize());
    this._watch.observe(this.node);
  }

  readonly node: HTMLElement;
  readonly scroll = new Scroll();

  /** Whether long lines go on below. */
  get wrap(): boolean {
    return this._wrap;
  }

  set wrap(wrap: boolean) {
    this._wrap = wrap;
    this.node.classList.toggle("jp-mod-wrap", wrap);
    this._heights.clear();
    this.scroll.heightOf = wrap ? line => this._heights.get(line) ?? this.scroll.line : null;
    this.node.scrollLeft = 0;
    this._widest = 0;
    this._space.style.minWidth = "";
    this.update(true);
  }

  dispose(): void {
    this._watch.disconnect();
    cancelAnimationFrame(this._frame);
  }

  /** Goes to the end, and stays there while more comes. */
  toEnd(): void {
    this.scroll.to(Infinity);
    this._sticky = true;
    this.update();
  }

  /** Lets go of the end. */
  loose(): void {
    this._sticky = false;
  }

  /** Goes to a line. */
  reveal(at: number): void {
    this._sticky = false;
    this.scroll.total = this._rows.total;
    this.scroll.reveal(at);
    this.update();
  }

  /** Goes by pages, or by lines. */
  by(pixels: number): void {
    this.scroll.by(pixels);
    this._moved();
  }

  /** Goes to a place: 0 is the beginning. */
  to(at: number): void {
    this.scroll.to(at);
    this._moved();
  }

  /** Draws soon. `anew`: what is there is drawn again. */
  update(anew = false): void {
    this._anew ||= anew;
    this._frame ||= requestAnimationFrame(() => this._draw());
  }

  resize(): void {
    if (this.node.clientHeight !== this.scroll.view || this._wrap) {
      this._heights.clear();
      this.update();
    }
  }

  /** The text of a row on the page. */
  text(at: number): HTMLElement | null {
    return this._drawn.get(at)?.querySelector(".jp-JobqRun-text") ?? null;
  }

  /** The places that are on the page. */
  get window(): readonly [number, number] {
    return this._window;
  }

  private _scrolled(): void {
    if (Math.abs(this.node.scrollTop - this._set) < 1) {
      return; // it was we who moved the bar, or it was moved sideways
    }
    this._set = this.node.scrollTop;
    this.scroll.moved(this._set);
    this._moved(false);
  }

  private _wheeled(event: WheelEvent): void {
    if (this.scroll.exact || event.ctrlKey || event.shiftKey || !event.deltaY) {
      return; // the browser does that, and smoothly
    }
    event.preventDefault();
    const unit = [1, this.scroll.line, this.scroll.view][event.deltaMode] ?? 1;
    this.by(event.deltaY * unit);
  }

  private _moved(place = true): void {
    this._place = place;
    this._sticky = this.scroll.ended;
    this._rows.moved(this._sticky);
    this.update();
  }

  private _draw(): void {
    this._frame = 0;
    const { scroll } = this;
    const view = this.node.clientHeight;
    if (!view) {
      return; // it is not in sight
    }
    this._measure();
    scroll.view = view;
    scroll.total = this._rows.total;
    this.node.setAttribute("aria-rowcount", String(scroll.total));
    scroll.to(this._sticky ? Infinity : scroll.at);
    this._fill();
    if (this._wrap && this._known()) {
      // Now it is known how high they are: what was thought to be the end may not be.
      scroll.to(this._sticky ? Infinity : scroll.at);
      this._fill();
      this._known();
    }
    this._anew = false;
    this._lay();
    const [first, last] = this._window;
    this._rows.need(first - 100, last + 100);
    this._rows.drawn(first, last);
  }

  /** Puts the rows that are in sight on the page, and no others. */
  private _fill(): void {
    const { scroll } = this;
    const top = Math.floor(scroll.at);
    const first = Math.max(1, top + 1 - BEYOND);
    let last = top + 1;
    for (let left = scroll.view + scroll.line; left > 0 && last < scroll.total; last++) {
      left -= scroll.heightOf ? scroll.heightOf(last - 1) : scroll.line;
    }
    last = Math.min(scroll.total, last + BEYOND);
    const kept = new Map<number, HTMLElement>();
    const rows: HTMLElement[] = [];
    for (let at = first; at <= last; at++) {
      const line = this._rows.line(at);
      const there = this._drawn.get(at);
      const same = there && !this._anew && this._lines.get(at) === line;
      const row = same ? there : this._rows.draw(at, line);
      kept.set(at, row);
      this._lines.set(at, line);
      rows.push(row);
    }
    this._lines.forEach((_, at) => kept.has(at) || this._lines.delete(at));
    this._anew = false;
    this._drawn = kept;
    this._window = [first, last];
    filled(this._block, rows);
  }

  /** Reads how high the rows are; whether that is news. */
  private _known(): boolean {
    let news = false;
    this._drawn.forEach((row, at) => {
      const height = row.getBoundingClientRect().height;
      if (height && this._heights.get(at - 1) !== height) {
        this._heights.set(at - 1, height);
        news = true;
      }
    });
    if (this._heights.size > 5000) {
      this._heights.clear();
    }
    return news;
  }

  /** Puts rows and bar to where they belong. */
  private _lay(): void {
    const { scroll } = this;
    const top = Math.floor(scroll.at);
    const high = (line: number): number => (scroll.heightOf ? scroll.heightOf(line) : scroll.line);
    let up = (scroll.at - top) * high(top);
    for (let at = this._window[0]; at <= top; at++) {
      up += high(at - 1);
    }
    this._block.style.transform = `translateY(${-up}px)`;
    this._layer.style.height = `${scroll.view}px`;
    this._space.style.height = `${Math.max(scroll.height, scroll.view)}px`;
    if (!this._wrap) {
      const wide = this._block.scrollWidth;
      if (wide > this._widest) {
        this._widest = wide;
        this._space.style.minWidth = `${wide}px`; // the bar below does not jump from line to line
      }
    }
    if (this._place || this._sticky || Math.abs(scroll.top - this.node.scrollTop) > 1) {
      this.node.scrollTop = scroll.top;
    }
    this._set = this.node.scrollTop;
    this._place = true;
  }

  private _measure(): void {
    if (!this._block.isConnected) {
      return;
    }
    const high = parseFloat(getComputedStyle(this._block).lineHeight);
    if (high > 0 && Math.abs(high - this.scroll.line) > 0.01) {
      this.scroll.line = high;
    }
  }

  private readonly _block = el("div", { class: "jp-JobqRun-block", role: "rowgroup" });
  private readonly _layer: HTMLElement;
  private readonly _space: HTMLElement;
  private readonly _watch: ResizeObserver;
  private _drawn = new Map<number, HTMLElement>();
  private readonly _lines = new Map<number, Line | undefined>();
  private readonly _heights = new Map<number, number>();
  private _window: readonly [number, number] = [1, 0];
  private _frame = 0;
  private _anew = false;
  private _wrap = false;
  private _sticky = false;
  private _place = true;
  private _widest = 0;
  private _set = 0;
}
