/**
 * Selecting in a log of which only some lines are on the page: by the pointer, beyond the edges, and to the clipboard.
 *
 * What the browser shows as selected is drawn anew, from `Selection`, whenever other lines come on the page.
 */
import type { LogList } from "./loglist.js";
import { Place, Selection } from "./selection.js";

export interface Texts {
  readonly total: number;
  /** What a line says, where it is at hand. */
  plain(at: number): string | undefined;
  /** The same of lines that are not at hand, in order. */
  fetched(first: number, last: number): Promise<string[]>;
  /** Says what became of it. */
  told(what: "copied" | "too-much", lines: number): void;
}

/** Lines that go to the clipboard at most: more is for a file. */
export const MOST = 100_000;

export class LogSelect {
  constructor(
    private readonly _list: LogList,
    private readonly _texts: Texts
  ) {
    const { node } = _list;
    node.addEventListener("mousedown", event => this._down(event));
    node.addEventListener("copy", event => this._copy(event));
  }

  readonly selection = new Selection();

  dispose(): void {
    this._up();
  }

  clear(): void {
    this.selection.clear();
  }

  all(): void {
    this.selection.all(this._texts.total);
    this.show();
  }

  /** Shows what is selected of the lines on the page. */
  show(): void {
    const own = document.getSelection();
    const part = this.selection.within(...this._list.window);
    if (!own || this.selection.empty) {
      return;
    }
    const ends = part?.map(place => this._point(place));
    if (!ends || !ends[0] || !ends[1]) {
      if (own.anchorNode && this._list.node.contains(own.anchorNode)) {
        own.removeAllRanges();
      }
      return;
    }
    const [from, to] = ends as [Point, Point];
    own.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
  }

  private _down(event: MouseEvent): void {
    if (event.button !== 0 || (event.target as Element).closest("button")) {
      return;
    }
    const place = this._place(event.clientX, event.clientY);
    if (!place || event.clientX > this._list.node.getBoundingClientRect().left + this._list.node.clientWidth) {
      return; // the bar of the scroller
    }
    event.preventDefault(); // the browser's own selection knows nothing of lines that are not on the page
    this._list.node.focus({ preventScroll: true });
    const text = this._texts.plain(place.line) ?? "";
    document.getSelection()?.removeAllRanges();
    if (event.shiftKey && this.selection.anchor) {
      this.selection.extend(place);
    } else if (event.detail === 2) {
      const before = /[\p{L}\p{N}_.-]*$/u.exec(text.slice(0, place.column))?.[0].length ?? 0;
      const after = /^[\p{L}\p{N}_.-]*/u.exec(text.slice(place.column))?.[0].length ?? 0;
      this.selection.start({ line: place.line, column: place.column - before });
      this.selection.extend({ line: place.line, column: place.column + after });
    } else if (event.detail > 2) {
      this.selection.start({ line: place.line, column: 0 });
      this.selection.extend({ line: place.line, column: text.length });
    } else {
      this.selection.start(place);
    }
    this.show();
    document.addEventListener("mousemove", this._move);
    document.addEventListener("mouseup", this._up);
  }

  private readonly _move = (event: MouseEvent): void => {
    const { top, bottom } = this._list.node.getBoundingClientRect();
    this._over = event.clientY < top ? event.clientY - top : Math.max(0, event.clientY - bottom);
    this._at = [event.clientX, Math.min(Math.max(event.clientY, top + 2), bottom - 4)];
    this._extend();
    if (this._over && !this._frame) {
      this._frame = requestAnimationFrame(this._beyond);
    }
  };

  private readonly _beyond = (): void => {
    this._frame = 0;
    if (this._over) {
      this._list.by(this._over / 2);
      this._extend();
      this._frame = requestAnimationFrame(this._beyond);
    }
  };

  private readonly _up = (): void => {
    document.removeEventListener("mousemove", this._move);
    document.removeEventListener("mouseup", this._up);
    cancelAnimationFrame(this._frame);
    this._frame = this._over = 0;
  };

  private _extend(): void {
    const place = this._place(...this._at);
    if (place) {
      this.selection.extend(place);
      this.show();
    }
  }

  /** The place in the text under a point of the page. */
  private _place(x: number, y: number): Place | null {
    const [first, last] = this._list.window;
    for (let line = first; line <= last; line++) {
      const text = this._list.text(line);
      const box = text?.getBoundingClientRect();
      if (!text || !box || y < box.top || y >= box.bottom) {
        continue;
      }
      const caret = caretAt(x, y);
      if (!caret || !text.contains(caret.node)) {
        return { line, column: x <= box.left ? 0 : (this._texts.plain(line) ?? "").length };
      }
      const before = document.createRange();
      before.selectNodeContents(text);
      before.setEnd(caret.node, caret.offset);
      return { line, column: Math.min(before.toString().length, (this._texts.plain(line) ?? "").length) };
    }
    return null;
  }

  /** Where a place is on the page. */
  private _point({ line, column }: Place): Point | null {
    const text = this._list.text(line);
    if (!text) {
      return null;
    }
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    let left = column;
    let last: Point = { node: text, offset: 0 };
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement?.closest("button")) {
        break;
      }
      const length = node.textContent?.length ?? 0;
      if (left <= length) {
        return { node, offset: left };
      }
      left -= length;
      last = { node, offset: length };
    }
    return last;
  }

  private _copy(event: ClipboardEvent): void {
    const range = this.selection.range;
    if (!range) {
      return;
    }
    event.preventDefault();
    const count = range[1].line - range[0].line + 1;
    if (count > MOST) {
      this._texts.told("too-much", count);
      return;
    }
    const text = this.selection.text(line => this._texts.plain(line));
    if (text !== null) {
      event.clipboardData?.setData("text/plain", text);
      this._texts.told("copied", count);
      return;
    }
    void this._texts.fetched(range[0].line, range[1].line).then(async lines => {
      const all = this.selection.text(line => lines[line - range[0].line]);
      if (all !== null) {
        await navigator.clipboard.writeText(all);
        this._texts.told("copied", count);
      }
    });
  }

  private _at: [number, number] = [0, 0];
  private _over = 0;
  private _frame = 0;
}

interface Point {
  node: Node;
  offset: number;
}

/** The place in a text under a point of the page: browsers have one of two ways to tell. */
function caretAt(x: number, y: number): Point | null {
  const { caretPositionFromPoint } = document as {
    caretPositionFromPoint?: (x: number, y: number) => { offsetNode: Node; offset: number } | null;
  };
  const position = caretPositionFromPoint?.call(document, x, y);
  if (position) {
    return { node: position.offsetNode, offset: position.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range ? { node: range.startContainer, offset: range.startOffset } : null;
}
