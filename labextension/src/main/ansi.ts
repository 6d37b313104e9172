/**
 * What a terminal would show of one line, as styled spans. Pure, and the same as `render/console.py` has it.
 *
 * Carriage return and backspace go back, and what follows is written over; CSI K empties; CSI m colours. Every other
 * escape sequence is dropped. A line begins plain: what an earlier one left on is not known where one starts anywhere.
 * Tabs and blanks at the end stay as they are, so that a place in what is shown is a place in what was found.
 */
import { Colour, cube, hex } from "./colours.js";

export interface Style {
  readonly front: Colour;
  readonly back: Colour;
  /** Of b, d, i, u, v: bold, dim, italic, underlined, inverse; in this order. */
  readonly flags: string;
}

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export const PLAIN: Style = { front: null, back: null, flags: "" };

/* eslint-disable no-control-regex */
const ACTS = /[\x1b\r\b]/;
// Text; a move; CSI; one that is cut off; OSC and its kin: titles, links, pictures; two letters.
const TOKEN =
  /([^\x1b\r\b]+)|(\r|\x08+)|\x1b(?:\[([0-?]*)[ -/]*([@-~])|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)/g;
/* eslint-enable no-control-regex */
const FLAGS: Record<number, string> = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "v" };
const ENDS: Record<number, string> = { 21: "u", 22: "bd", 23: "i", 24: "u", 27: "v" };

/** The spans that a terminal would show; each has text. */
export function drawn(text: string): Span[] {
  if (!ACTS.test(text)) {
    return text ? [{ text, style: PLAIN }] : [];
  }
  const row = new Row();
  let column = 0;
  let style = PLAIN;
  for (const token of text.matchAll(TOKEN)) {
    const [whole, plain, move, parameters, final] = token;
    if (plain !== undefined) {
      row.write(column, plain, style);
      column += plain.length;
    } else if (move === "\r") {
      column = 0;
    } else if (move !== undefined) {
      column = Math.max(0, column - whole.length);
    } else if (final === "m") {
      style = styled(style, parameters);
    } else if (final === "K") {
      row.erase(column, parameters);
    }
  }
  return row.spans();
}

/** What spans say, without their looks. */
export function told(spans: readonly Span[]): string {
  return spans.length === 1 ? spans[0].text : spans.map(span => span.text).join("");
}

/** The spans up to a column, and how many characters were left out. */
export function cut(spans: readonly Span[], columns: number): [Span[], number] {
  const kept: Span[] = [];
  let room = columns;
  let out = 0;
  for (const { text, style } of spans) {
    let end = Math.min(text.length, room);
    if (end > 0 && end < text.length && /[\ud800-\udbff]/.test(text[end - 1])) {
      end -= 1; // no character is cut in two
    }
    if (end > 0) {
      kept.push(end === text.length ? { text, style } : { text: text.slice(0, end), style });
    }
    room = end < text.length ? 0 : room - end;
    out += text.length - end;
  }
  return [kept, out];
}

/** A line while it is written: spans that grow at their end, or, once it was written over, single characters. */
class Row {
  write(column: number, text: string, style: Style): void {
    const end = column + text.length;
    if (column === 0 && end >= this._length) {
      this._spans = [{ text, style }];
      this._cells = null;
      this._length = end;
      return;
    }
    if (column === this._length && this._cells === null) {
      this._spans.push({ text, style });
      this._length = end;
      return;
    }
    const cells = this._single();
    while (cells.length < column) {
      cells.push([" ", PLAIN]);
    }
    for (let at = 0; at < text.length; at++) {
      cells[column + at] = [text[at], style];
    }
    this._length = Math.max(this._length, end);
  }

  erase(column: number, parameters: string): void {
    const cells = this._single();
    if (parameters === "1") {
      for (let at = 0; at <= column && at < cells.length; at++) {
        cells[at] = [" ", PLAIN];
      }
    } else {
      cells.length = parameters === "2" ? 0 : Math.min(cells.length, column);
    }
    this._length = cells.length;
  }

  spans(): Span[] {
    const spans = this._cells === null ? this._spans : joined(this._cells);
    return spans.filter(span => span.text);
  }

  private _single(): [string, Style][] {
    this._cells ??= this._spans.flatMap(({ text, style }) => text.split("").map((one): [string, Style] => [one, style]));
    return this._cells;
  }

  private _spans: Span[] = [];
  private _cells: [string, Style][] | null = null;
  private _length = 0;
}

function joined(cells: readonly [string, Style][]): Span[] {
  const spans: { text: string; style: Style }[] = [];
  for (const [text, style] of cells) {
    const last = spans[spans.length - 1];
    if (last && last.style === style) {
      last.text += text;
    } else {
      spans.push({ text, style });
    }
  }
  return spans;
}

// Equal styles are one object, so that they are compared and drawn by identity.
const known = new Map<string, Style>();

function made(front: Colour, back: Colour, flags: Iterable<string>): Style {
  const sorted = [...new Set(flags)].sort().join("");
  if (front === null && back === null && !sorted) {
    return PLAIN;
  }
  const key = `${front}/${back}/${sorted}`;
  let style = known.get(key);
  if (!style) {
    if (known.size > 4096) {
      known.clear(); // a log may hold any number of colours
    }
    known.set(key, (style = { front, back, flags: sorted }));
  }
  return style;
}

/** The style after a CSI m. */
function styled(style: Style, parameters: string): Style {
  let { front, back } = style;
  const flags = new Set(style.flags);
  const codes = numbers(parameters);
  while (codes.length) {
    const code = codes.shift() as number;
    if (code === 0) {
      front = back = null;
      flags.clear();
    } else if (FLAGS[code]) {
      flags.add(FLAGS[code]);
    } else if (ENDS[code]) {
      [...ENDS[code]].forEach(flag => flags.delete(flag));
    } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
      front = code < 90 ? code - 30 : code - 82;
    } else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
      back = code < 100 ? code - 40 : code - 92;
    } else if (code === 38) {
      front = extended(codes, front);
    } else if (code === 48) {
      back = extended(codes, back);
    } else if (code === 58) {
      extended(codes, null); // the colour of an underline
    } else if (code === 39) {
      front = null;
    } else if (code === 49) {
      back = null;
    }
  }
  return made(front, back, flags);
}

/** One of 256 colours (`5;n`), or one of all (`2;r;g;b`). */
function extended(codes: number[], otherwise: Colour): Colour {
  const how = codes.shift();
  if (how === 5) {
    return cube(Math.min(255, codes.shift() ?? 0));
  }
  if (how === 2) {
    return hex([0, 1, 2].map(() => Math.min(255, codes.shift() ?? 0)));
  }
  return otherwise;
}

/** The numbers of a CSI m; a colon may stand inside of a colour, `38:2::r:g:b`. */
function numbers(parameters: string): number[] {
  return parameters
    .split(";")
    .slice(0, 32)
    .flatMap(part => {
      const [first, ...rest] = part.split(":").map(one => (/^\d{1,6}$/.test(one) ? Number(one) : 0));
      if (![38, 48, 58].includes(first)) {
        return [first];
      }
      return rest.length === 5 ? [first, rest[0], ...rest.slice(-3)] : [first, ...rest];
    });
}
