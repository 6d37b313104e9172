/** One line of a log as pieces that are drawn alike: its colours, cut by what was found. Pure. */
import { PLAIN, Style, cut, drawn, told } from "./ansi.js";
import { visible } from "./visible.js";

/** Characters of a line that are drawn; the rest on demand. */
export const COLUMNS = 2000;

/** Changes of colour in a line that are drawn: what has more is no text, and a page has no room for it. */
const CHANGES = 200;

export interface Piece {
  readonly text: string;
  readonly style: Style;
  readonly found: boolean;
}

export interface Pieces {
  readonly pieces: readonly Piece[];
  /** Characters that were left out. */
  readonly more: number;
}

/**
 * @param marks where something was found, as offsets in the text without its escapes.
 * @param columns how much of it is drawn.
 */
export function pieces(
  text: string,
  marks: (plain: string) => readonly number[][],
  columns = COLUMNS
): Pieces {
  const whole = drawn(text);
  const [shown, more] = cut(whole, columns);
  const rest = shown.slice(CHANGES).map(span => span.text).join("");
  const spans = rest ? [...shown.slice(0, CHANGES), { text: rest, style: PLAIN }] : shown;
  const found = marks(told(whole));
  if (!found.length) {
    return { pieces: spans.map(({ text, style }) => ({ text: visible(text), style, found: false })), more };
  }
  const made: Piece[] = [];
  let start = 0;
  for (const { text, style } of spans) {
    let at = 0;
    while (at < text.length) {
      const here = start + at;
      const inside = found.find(([from, to]) => from <= here && here < to);
      const edge = inside ? inside[1] : Math.min(Infinity, ...found.map(([from]) => (from > here ? from : Infinity)));
      const end = Math.min(text.length, edge - start);
      made.push({ text: visible(text.slice(at, end)), style, found: Boolean(inside) });
      at = end;
    }
    start += text.length;
  }
  return { pieces: made, more };
}

/** What a line says on the page, without its looks: what is copied. */
export function plain(text: string): string {
  return visible(told(drawn(text)));
}
