/**
 * Text of strangers, so that it is seen and never acts; by the same rule as `render/safe.py`.
 *
 * What would move a cursor, turn the direction of what follows, or end a line where none ends, is shown by its number:
 * `⟨U+202E⟩`.
 */

// C0 without tab and newline, DEL, C1; what turns the direction; separators of lines; lone halves of surrogate pairs.
const ACTING =
  // eslint-disable-next-line no-control-regex
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The same with every character that would act replaced by its number. */
export function visible(text: string): string {
  return text.replace(ACTING, found => `⟨U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** The same as one line. */
export function oneLine(text: string): string {
  return visible(text.replace(/\r\n|[\n\t\r]/g, " "));
}

/**
 * An address that leads to a page, or a path on the server of this one; else "": a record may say anything.
 */
export function safeHref(href: string): string {
  const here = /^\/(?![/\\])/.test(href);
  return here || /^https?:\/\//i.test(href) ? href.replace(ACTING, "") : "";
}
