/** What strangers print, as it is drawn: colours, and what would act. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { PLAIN, cut, drawn, told } from "../lib/main/ansi.js";
import { contrast, cube, onGround, readable } from "../lib/main/colours.js";
import { pieces, plain } from "../lib/main/pieces.js";
import { oneLine, safeHref, visible } from "../lib/main/visible.js";

const ESC = "\x1b";
const looks = text => drawn(text).map(({ text, style }) => [text, style.front, style.back, style.flags]);

test("a line without escapes is one plain span, and an empty one none", () => {
  assert.deepEqual(drawn("just text\twith a tab "), [{ text: "just text\twith a tab ", style: PLAIN }]);
  assert.deepEqual(drawn(""), []);
});

test("the sixteen, the 256 and all colours are told apart, with their flags", () => {
  assert.deepEqual(looks(`${ESC}[31mred${ESC}[0m ${ESC}[1;92mgreen${ESC}[22;39m.`), [
    ["red", 1, null, ""],
    [" ", null, null, ""],
    ["green", 10, null, "b"],
    [".", null, null, ""]
  ]);
  assert.deepEqual(looks(`${ESC}[38;5;208mx${ESC}[48;2;1;2;3my`), [
    ["x", "#ff8700", null, ""],
    ["y", "#ff8700", "#010203", ""]
  ]);
  assert.deepEqual(looks(`${ESC}[38:2::10:20:30mz`), [["z", "#0a141e", null, ""]]);
  assert.equal(cube(9), 9);
  assert.equal(cube(232), "#080808");
});

test("no escape sequence acts: titles, links, cursors and pictures are gone, whole or cut off", () => {
  const acts = [`${ESC}]0;title\x07`, `${ESC}]8;;http://evil\x07`, `${ESC}[2J`, `${ESC}[10;10H`, `${ESC}Pq#0${ESC}\\`, `${ESC}c`, `${ESC}[?25l`];
  assert.equal(told(drawn(acts.join("a"))), "a".repeat(acts.length - 1));
  assert.equal(told(drawn(`end${ESC}[38;5`)), "end");
  assert.equal(told(drawn(`end${ESC}`)), "end");
});

test("a carriage return and a backspace are written over", () => {
  assert.equal(told(drawn("10%\r25%\r100%")), "100%");
  assert.equal(told(drawn("abc\b\bX")), "aXc");
  assert.deepEqual(looks(`${ESC}[32mgreen${ESC}[0m\rgr`), [
    ["gr", null, null, ""],
    ["een", 2, null, ""]
  ]);
  assert.equal(told(drawn(`old text\r${ESC}[Knew`)), "new");
});

test("what is drawn without colours is what the server found in: the escapes are gone, and nothing else", () => {
  const text = `${ESC}[31mred\t${ESC}[0m  end  `;
  assert.equal(told(drawn(text)), "red\t  end  ");
});

test("colours can be read on light and on dark, and are left as they are where they can", () => {
  for (const colour of ["#ffff00", "#000080", "#808080", "#ff00ff", "#000000", "#ffffff", "#0a141e"]) {
    const [light, dark] = readable(colour);
    assert.ok(contrast(light, "#ffffff") >= 4.49, `${colour} on light: ${light}`);
    assert.ok(contrast(dark, "#1c2128") >= 4.49, `${colour} on dark: ${dark}`);
  }
  assert.equal(readable("#000080")[0], "#000080");
  assert.equal(onGround("#eeeeee", "#ffffff"), "#000000");
  assert.equal(onGround(null, "#000000"), "#ffffff");
});

test("controls, bidirectional overrides and halves of characters are shown by their numbers", () => {
  assert.equal(visible("a\u202eb\u0000c\u0007\u2066"), "a⟨U+202E⟩b⟨U+0000⟩c⟨U+0007⟩⟨U+2066⟩");
  assert.equal(visible("\ud800 \u{1f600}"), "⟨U+D800⟩ \u{1f600}");
  assert.equal(visible("שלום\tעולם"), "שלום\tעולם");
  assert.equal(oneLine("two\nlines"), "two lines");
});

test("only pages and paths of this server are links", () => {
  assert.equal(safeHref("javascript:alert(1)"), "");
  assert.equal(safeHref("//evil.example/x"), "");
  assert.equal(safeHref("/\\evil.example"), "");
  assert.equal(safeHref("data:text/html,x"), "");
  assert.equal(safeHref("https://a.example/\u202e"), "https://a.example/");
  assert.equal(safeHref("/jobq-magic/runs"), "/jobq-magic/runs");
});

test("a long line is cut between characters, and says how much is left out", () => {
  const { pieces: parts, more } = pieces("x".repeat(2500), () => []);
  assert.equal(parts[0].text.length, 2000);
  assert.equal(more, 500);
  const [kept, out] = cut(drawn("\u{1f600}\u{1f600}"), 3);
  assert.equal(kept[0].text, "\u{1f600}");
  assert.equal(out, 2);
});

test("what was found is marked through colours, and controls in it are still seen", () => {
  const { pieces: parts } = pieces(`lo${ESC}[31mss n\u202ean${ESC}[0m!`, text => [[text.indexOf("ss"), text.length - 1]]);
  assert.deepEqual(
    parts.map(({ text, found }) => [text, found]),
    [
      ["lo", false],
      ["ss n⟨U+202E⟩an", true],
      ["!", false]
    ]
  );
  assert.equal(plain(`${ESC}[31mx\u0007`), "x⟨U+0007⟩");
});

test("a line of 64 KiB that is nothing but colours is drawn in no time, and as few elements", () => {
  const text = Array.from({ length: 5000 }, (_, at) => `${ESC}[38;5;${at % 256}m${at % 10}`).join("");
  const before = process.cpuUsage();
  const { pieces: parts, more } = pieces(text, () => []);
  assert.ok(process.cpuUsage(before).user < 500_000);
  assert.equal(parts.map(({ text }) => text).join("").length, 2000);
  assert.equal(more, 3000);
  assert.ok(parts.length <= 201);
});
