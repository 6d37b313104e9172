/* Whether somebody sits in front. What a page asks for counts as activity of its server, which may be ended when idle. */

const AWAY = 300_000;

let touched = Date.now();
const touch = (): void => {
  touched = Date.now();
};

for (const event of ["pointermove", "pointerdown", "keydown", "wheel"]) {
  globalThis.document?.addEventListener(event, touch, { capture: true, passive: true });
}

/** Whether nobody has touched the page for a while: then nothing is asked for by a clock. */
export function away(): boolean {
  return document.hidden || Date.now() - touched > AWAY;
}
