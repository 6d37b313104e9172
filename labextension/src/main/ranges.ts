/**
 * The lines of a log that are at hand: pages, of which those that were looked at last are kept. Pure.
 *
 * A log may have any number of lines; what is held here is bounded, by lines and by characters. Lines count from 1, as
 * they are shown.
 */

import type { Line } from "../api/types.js";

export interface Span {
  readonly from: number;
  readonly count: number;
}

interface Page {
  /** May have holes, where lines came from two sides. */
  readonly lines: (Line | undefined)[];
  weight: number;
}

export class Ranges {
  /**
   * @param size lines of a page.
   * @param pages how many are kept.
   * @param weight characters that are kept, besides the page that came last.
   */
  constructor(
    readonly size = 500,
    readonly pages = 40,
    readonly weight = 12_000_000
  ) {}

  /** How many lines there are, here or not. */
  total = 0;

  /** Up to here nothing changes any more; what follows has no end yet. */
  firm = 0;

  /** Which log the lines are of: another one begins anew. */
  generation = "";

  /** The line at a place, where it is at hand. */
  get(at: number): Line | undefined {
    const page = this._pages.get(this._page(at));
    return page?.lines[(at - 1) % this.size];
  }

  /** What has to be asked for so that these are at hand: whole pages, without those that are on their way. */
  missing(first: number, last: number): Span[] {
    const wanted: Span[] = [];
    const end = Math.min(last, this.total);
    for (let page = this._page(Math.max(1, first)); page * this.size < end; page++) {
      this._touch(page);
      if (this._asked.has(page)) {
        continue;
      }
      const from = page * this.size + 1;
      const count = Math.min(this.size, this.total - from + 1);
      const lines = this._pages.get(page)?.lines;
      let gap = 0;
      while (gap < count && lines?.[gap] !== undefined) {
        gap++;
      }
      if (gap < count) {
        wanted.push({ from: from + gap, count: count - gap });
      }
    }
    return wanted;
  }

  /** Notes that a span is asked for; `put` or `failed` is to follow. */
  asked(span: Span): void {
    this._asked.add(this._page(span.from));
  }

  /** Notes that it did not come. */
  failed(span: Span): void {
    this._asked.delete(this._page(span.from));
  }

  /** Takes lines that came, whoever asked for them. */
  put(first: number, lines: readonly Line[], total: number): void {
    this.total = Math.max(total, this.total, first + lines.length - 1);
    for (let at = 0; at < lines.length; ) {
      const number = this._page(first + at);
      const page = this._touch(number) ?? this._made(number);
      const end = Math.min(lines.length, (number + 1) * this.size - first + 1);
      for (; at < end; at++) {
        const index = (first + at - 1) % this.size;
        if (page.lines[index] === undefined) {
          page.weight += lines[at].text.length + 64;
        }
        page.lines[index] = lines[at];
      }
      this._asked.delete(number);
    }
    this._asked.delete(this._page(first));
    this._bound();
  }

  /** Takes lines that are pushed: they are in the place of all from there on. */
  replace(first: number, lines: readonly Line[], total: number): void {
    this._dropFrom(first);
    this.put(first, lines, total);
    this.total = total;
  }

  /** There are so many lines now, and some came that nobody sent: what was not firm is not known any more. */
  skipped(total: number): void {
    this._dropFrom(this.firm + 1);
    this.total = total;
  }

  /** Forgets all: it is another log, or the same through another filter. */
  clear(generation = this.generation): void {
    this._pages.clear();
    this._asked.clear();
    this.total = 0;
    this.firm = 0;
    this.generation = generation;
  }

  /** How many lines are at hand. */
  get held(): number {
    let count = 0;
    this._pages.forEach(page => page.lines.forEach(() => count++));
    return count;
  }

  private _page(at: number): number {
    return Math.floor((at - 1) / this.size);
  }

  private _dropFrom(first: number): void {
    for (const [number, page] of this._pages) {
      if ((number + 1) * this.size >= first) {
        page.lines.length = Math.min(page.lines.length, Math.max(0, first - 1 - number * this.size));
        if (!page.lines.length) {
          this._pages.delete(number);
        }
      }
    }
  }

  // A Map keeps the order in which keys came: who is put in anew is the last to go.
  private _touch(number: number): Page | undefined {
    const page = this._pages.get(number);
    if (page) {
      this._pages.delete(number);
      this._pages.set(number, page);
    }
    return page;
  }

  private _made(number: number): Page {
    const page: Page = { lines: [], weight: 0 };
    this._pages.set(number, page);
    return page;
  }

  private _bound(): void {
    let weight = 0;
    this._pages.forEach(page => (weight += page.weight));
    for (const [number, page] of this._pages) {
      if (this._pages.size <= 2 || (this._pages.size <= this.pages && weight <= this.weight)) {
        return;
      }
      this._pages.delete(number);
      weight -= page.weight;
    }
  }

  private readonly _pages = new Map<number, Page>();
  private readonly _asked = new Set<number>();
}
