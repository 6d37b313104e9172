/* What keys do in the list of runs. Pure. */

/** The place that a key leads to, or null where it is none of these keys. From -1, nothing is chosen yet. */
export function step(key: string, from: number, count: number, page: number): number | null {
  if (!count) {
    return null;
  }
  const within = (place: number) => Math.max(0, Math.min(count - 1, place));
  switch (key) {
    case "ArrowDown":
      return within(from + 1);
    case "ArrowUp":
      return within(from < 0 ? count - 1 : from - 1);
    case "PageDown":
      return within(from + Math.max(1, page));
    case "PageUp":
      return within(from - Math.max(1, page));
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** Letters that follow each other quickly spell the beginning of a name. */
export class TypeAhead {
  private typed = "";
  private at = -Infinity;

  /** The next name that begins with what was typed, from where one is on, all around; -1 where there is none. */
  next(letter: string, at: number, names: readonly string[], from: number): number {
    this.typed = at - this.at > 700 ? letter : this.typed + letter;
    this.at = at;
    // The same letter again and again goes from one to the next.
    const same = [...this.typed].every(each => each === this.typed[0]);
    const sought = (same ? this.typed[0] : this.typed).toLowerCase();
    const start = same ? from + 1 : Math.max(0, from);
    for (let step = 0; step < names.length; step++) {
      const place = (start + step) % names.length;
      if (names[place].toLowerCase().startsWith(sought)) {
        return place;
      }
    }
    return -1;
  }
}
