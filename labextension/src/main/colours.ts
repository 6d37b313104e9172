/** Colours of a terminal on a page: readable on light and dark, whatever was asked for. Pure. */

/** One of the sixteen, `#rrggbb`, or null: what text has by itself. */
export type Colour = number | string | null;

const STEPS = [0, 95, 135, 175, 215, 255];
// Luminance that text may have to be 4.5 times as strong as the lightest of dark grounds, and darkest of light ones.
const DARKEST = 0.285;
const LIGHTEST = 0.15;

/** The sixteen where they are grounds. */
export const BACKS: readonly string[] = [
  ...["#24292f", "#cf222e", "#187733", "#8a5d00", "#0860ca", "#7a45d8", "#1b7178", "#d0d7de"],
  ...["#57606a", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#ffffff"]
];

/** One of the 256 colours. */
export function cube(number: number): Colour {
  if (number < 16) {
    return number;
  }
  if (number >= 232) {
    return hex(Array(3).fill(8 + 10 * (number - 232)));
  }
  const at = number - 16;
  return hex([STEPS[Math.floor(at / 36)], STEPS[Math.floor(at / 6) % 6], STEPS[at % 6]]);
}

/** How much stronger one colour is than another, from 1 to 21. */
export function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(linear(one)), luminance(linear(other))].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** A colour as it can be read on light, and on dark: as near to itself as that allows. */
export function readable(colour: string): [string, string] {
  const channels = linear(colour);
  const there = luminance(channels);
  const down = there > 0 ? Math.min(1, LIGHTEST / there) : 1;
  const up = there < 1 ? Math.max(0, (DARKEST - there) / (1 - there)) : 0;
  return [unlinear(channels.map(v => v * down)), unlinear(channels.map(v => v + up * (1 - v)))];
}

/** The stronger of black and white on a ground, unless what was asked for can be read there. */
export function onGround(front: string | null, ground: string): string {
  if (front !== null && contrast(front, ground) >= 4.5) {
    return front;
  }
  return contrast("#ffffff", ground) >= contrast("#000000", ground) ? "#ffffff" : "#000000";
}

/** `#rrggbb` of three numbers from 0 to 255. */
export function hex(channels: readonly number[]): string {
  return "#" + channels.map(v => Math.round(v).toString(16).padStart(2, "0")).join("");
}

function linear(colour: string): number[] {
  return [1, 3, 5].map(at => {
    const v = parseInt(colour.slice(at, at + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
}

function luminance([red, green, blue]: number[]): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function unlinear(channels: number[]): string {
  return hex(channels.map(v => 255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055)));
}
