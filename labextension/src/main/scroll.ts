/**
 * Which lines are in sight, and where the bar of a scroller stands for them. Pure.
 *
 * Browsers make no element higher than some 17 million pixels, which are 900,000 lines. Where a log is longer, or its
 * lines are wrapped, the bar stands for it on a scale, while the wheel and the keys still move by true pixels: what
 * counts is `at`, a place in lines, and not where the bar is.
 */

/** Pixels of the highest element, with room below what Firefox takes (17,895,697). */
export const HIGHEST = 15_000_000;

export class Scroll {
  constructor(readonly highest = HIGHEST) {}

  /** How many lines there are. */
  total = 0;
  /** Pixels of a line that is not wrapped. */
  line = 18;
  /** Pixels that are in sight. */
  view = 0;
  /** Pixels of a line, counted from 0, where they are not alike. */
  heightOf: ((line: number) => number) | null = null;

  /** The place of what is at the upper edge: 0 is the top of the first line, 2.5 the middle of the third. */
  get at(): number {
    return this._at;
  }

  /** How high the element is on which the bar is. */
  get height(): number {
    return Math.min(this.total * this.line, Math.max(this.highest, this.view));
  }

  /** Whether a pixel of the bar is a pixel of the log. */
  get exact(): boolean {
    return this.heightOf === null && this.height === this.total * this.line;
  }

  /** How many lines have room, where they are not wrapped. */
  get visible(): number {
    return this.view / this.line;
  }

  /** The last place: the end of the last line is at the lower edge then. */
  get last(): number {
    if (this.heightOf === null) {
      return Math.max(0, this.total - this.visible);
    }
    let line = this.total;
    let left = this.view;
    while (line > 0 && left > 0) {
      line -= 1;
      left -= this.heightOf(line);
    }
    return left < 0 ? line - left / this.heightOf(line) : line;
  }

  /** Where the bar belongs. */
  get top(): number {
    const last = this.last;
    return last > 0 ? (this._at / last) * this._room : 0;
  }

  /** Whether the end is in sight. */
  get ended(): boolean {
    return this._at >= this.last - 0.5;
  }

  /** Goes to a place. */
  to(at: number): void {
    this._at = Math.min(Math.max(0, at), this.last);
  }

  /** The bar was moved. */
  moved(top: number): void {
    // The bar of a browser stands on whole pixels of the screen: at its end it means the end.
    this.to(top >= this._room - 1 ? this.last : (top / this._room) * this.last);
  }

  /** Goes by pixels. */
  by(pixels: number): void {
    const heightOf = this.heightOf;
    if (heightOf === null) {
      this.to(this._at + pixels / this.line);
      return;
    }
    let line = Math.floor(this._at);
    let rest = (this._at - line) * heightOf(line) + pixels;
    while (rest < 0 && line > 0) {
      line -= 1;
      rest += heightOf(line);
    }
    while (line < this.total && rest >= heightOf(line)) {
      rest -= heightOf(line);
      line += 1;
    }
    this.to(line + Math.max(0, rest) / heightOf(line));
  }

  /** Goes so far that a line, counted from 1, is in sight: not at all where it is, else into the middle. */
  reveal(n: number): void {
    if (n - 1 < this._at || n > this._at + this.visible) {
      this.to(n - 0.5 - this.visible / 2);
    }
  }

  private get _room(): number {
    return Math.max(0, this.height - this.view);
  }

  private _at = 0;
}
