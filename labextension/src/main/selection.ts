/** What is selected in a log of which only some lines are on the page. Pure. */

/** A place in the text of a line: the line counted from 1, as it is shown; the column in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export class Selection {
  anchor: Place | null = null;
  focus: Place | null = null;

  /** Begins anew. */
  start(place: Place): void {
    this.anchor = this.focus = place;
  }

  /** Goes on to a place. */
  extend(place: Place): void {
    this.anchor ??= place;
    this.focus = place;
  }

  clear(): void {
    this.anchor = this.focus = null;
  }

  /** All lines. */
  all(total: number): void {
    this.anchor = { line: 1, column: 0 };
    this.focus = { line: Math.max(1, total), column: Infinity };
  }

  get empty(): boolean {
    const { anchor, focus } = this;
    return !anchor || !focus || (anchor.line === focus.line && anchor.column === focus.column);
  }

  /** Its two ends in order; null where nothing is selected. */
  get range(): readonly [Place, Place] | null {
    if (this.empty || !this.anchor || !this.focus) {
      return null;
    }
    return before(this.focus, this.anchor) ? [this.focus, this.anchor] : [this.anchor, this.focus];
  }

  /** The part of it among the lines from `first` to `last`, both counted; null where there is none. */
  within(first: number, last: number): readonly [Place, Place] | null {
    const range = this.range;
    if (!range || range[1].line < first || range[0].line > last) {
      return null;
    }
    return [
      range[0].line < first ? { line: first, column: 0 } : range[0],
      range[1].line > last ? { line: last, column: Infinity } : range[1]
    ];
  }

  /** What it says; null where a line of it is not at hand. */
  text(lineOf: (line: number) => string | undefined): string | null {
    const range = this.range;
    if (!range) {
      return "";
    }
    const [from, to] = range;
    const lines: string[] = [];
    for (let at = from.line; at <= to.line; at++) {
      const line = lineOf(at);
      if (line === undefined) {
        return null;
      }
      lines.push(line.slice(at === from.line ? from.column : 0, at === to.line ? to.column : undefined));
    }
    return lines.join("\n");
  }
}

function before(one: Place, other: Place): boolean {
  return one.line < other.line || (one.line === other.line && one.column < other.column);
}
