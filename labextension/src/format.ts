/* How amounts are written, as `words.py` and `figures.py` write them. Pure. */

/** `12 ms`, `1.4 s`, `3:07`, `2:03:10`. */
export function duration(seconds: number): string {
  if (seconds < 0.9995) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  return seconds < 59.95 ? `${seconds.toFixed(1)} s` : clock(Math.round(seconds));
}

/** A clock that runs: `0:42`, `12:40`, `2:03:10`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds)); // clocks of two machines differ
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `28 B`, `2.1 kB`, `400 MB`. */
export function size(bytes: number): string {
  let rest = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (rest < 999.5) {
      return unit === "B" || rest >= 99.5 ? `${rest.toFixed(0)} ${unit}` : `${rest.toFixed(1)} ${unit}`;
    }
    rest /= 1000;
  }
  return `${rest.toFixed(1)} TB`;
}

/** `6,412`. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

/** `now`, `12 s ago`, `3 min ago`, `5 h ago`, `8 days ago`. */
export function ago(seconds: number): string {
  for (const [unit, length, most] of [["s", 1, 60], ["min", 60, 60], ["h", 3600, 48]] as const) {
    if (seconds < length * most) {
      return seconds >= 1 ? `${Math.floor(seconds / length)} ${unit} ago` : "now";
    }
  }
  return `${Math.floor(seconds / 86400)} days ago`;
}

/**
 * A text of a stranger on one line: what has no place on a page, and what would turn the letters around it, is shown
 * by its number.
 */
export function plain(text: string): string {
  return text.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    found => (/[\t\n\r]/.test(found) ? " " : `⟨U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`)
  );
}
