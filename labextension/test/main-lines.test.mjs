/** Which lines of a log are at hand, in sight, selected; and whether it follows its end. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Follow } from "../lib/main/follow.js";
import { Ranges } from "../lib/main/ranges.js";
import { Scroll } from "../lib/main/scroll.js";
import { Selection } from "../lib/main/selection.js";

const line = (n, text = `line ${n}`) => ({ n, at: null, source: "", stream: "stdout", text });
const lines = (from, count) => Array.from({ length: count }, (_, at) => line(from + at));

test("what is not at hand is asked for by whole pages, once, and is there when it came", () => {
  const ranges = new Ranges(100);
  ranges.put(901, lines(901, 100), 1000);
  assert.deepEqual(ranges.missing(950, 1000), []);
  assert.deepEqual(ranges.missing(290, 310), [
    { from: 201, count: 100 },
    { from: 301, count: 100 }
  ]);
  ranges.asked({ from: 201, count: 100 });
  assert.deepEqual(ranges.missing(290, 300), []);
  ranges.put(201, lines(201, 100), 1000);
  assert.equal(ranges.get(250).n, 250);
  ranges.asked({ from: 301, count: 100 });
  ranges.failed({ from: 301, count: 100 });
  assert.deepEqual(ranges.missing(301, 301), [{ from: 301, count: 100 }]);
});

test("an answer that holds less than was asked for leaves the rest to be asked for", () => {
  const ranges = new Ranges(100);
  ranges.total = 300;
  ranges.asked({ from: 101, count: 100 });
  ranges.put(101, lines(101, 30), 300);
  assert.deepEqual(ranges.missing(101, 200), [{ from: 131, count: 70 }]);
});

test("a million lines leave only what was looked at last", () => {
  const ranges = new Ranges(500, 40);
  for (let from = 1; from <= 1_000_000; from += 5000) {
    ranges.put(from, lines(from, 500), 1_000_000);
  }
  assert.ok(ranges.held <= 40 * 500);
  assert.equal(ranges.get(995_001).n, 995_001);
  assert.equal(ranges.get(1), undefined);
});

test("a few lines that are very long weigh as much as many", () => {
  const ranges = new Ranges(10, 40, 1_000_000);
  for (let page = 0; page < 20; page++) {
    ranges.put(page * 10 + 1, [line(page * 10 + 1, "x".repeat(200_000))], 1000);
  }
  assert.ok(ranges.held <= 6, `${ranges.held}`);
  assert.ok(ranges.get(191));
});

test("what is pushed stands instead of what was there, and no line is lost between two pushes", () => {
  const ranges = new Ranges(100);
  for (let first = 1; first <= 10_000; first += 250) {
    ranges.replace(first, lines(first, 250), first + 249);
  }
  assert.equal(ranges.total, 10_000);
  assert.deepEqual(
    lines(6001, 4000).map(({ n }) => n),
    lines(6001, 4000).map(({ n }) => ranges.get(n)?.n)
  );
  ranges.replace(9_999, [line(9_999, "50%"), line(10_000, "bar")], 10_000);
  ranges.replace(10_000, [line(10_000, "done")], 10_000);
  assert.equal(ranges.get(9_999).text, "50%");
  assert.equal(ranges.get(10_000).text, "done");
});

test("lines without an end are asked for again when something was not sent", () => {
  const ranges = new Ranges(100);
  ranges.put(1, lines(1, 50), 50);
  ranges.firm = 49;
  ranges.skipped(5000);
  assert.equal(ranges.get(49).n, 49);
  assert.equal(ranges.get(50), undefined);
  assert.deepEqual(ranges.missing(45, 60), [{ from: 50, count: 51 }]);
});

test("another generation is another log", () => {
  const ranges = new Ranges();
  ranges.put(1, lines(1, 50), 50);
  ranges.clear("other");
  assert.deepEqual([ranges.total, ranges.get(1), ranges.generation], [0, undefined, "other"]);
});

const scrolled = (total, highest) => Object.assign(new Scroll(highest), { total, line: 20, view: 600 });

test("where all has room, a pixel of the bar is a pixel of the log", () => {
  const scroll = scrolled(1000);
  assert.ok(scroll.exact);
  assert.equal(scroll.height, 20_000);
  scroll.moved(1000);
  assert.equal(scroll.at, 50);
  assert.equal(scroll.top, 1000);
});

test("beyond what browsers can make the bar is on a scale, and every line is reached", () => {
  const scroll = scrolled(10_000_000, 15_000_000);
  assert.equal(scroll.height, 15_000_000);
  scroll.moved(scroll.height - scroll.view);
  assert.equal(scroll.at, 10_000_000 - 30);
  scroll.moved(0);
  assert.equal(scroll.at, 0);
  scroll.by(50);
  assert.equal(scroll.at, 2.5, "the wheel moves by true pixels");
  scroll.to(5_000_000);
  const { top } = scroll;
  scroll.by(20);
  assert.equal(scroll.at, 5_000_001);
  assert.ok(scroll.top - top < 20);
});

test("wrapped lines are gone through by their own heights, and the last ends at the lower edge", () => {
  const scroll = scrolled(100);
  scroll.heightOf = at => (at % 2 ? 60 : 20);
  scroll.to(0);
  scroll.by(50);
  assert.equal(scroll.at, 1.5);
  scroll.by(-40);
  assert.equal(scroll.at, 0.5);
  scroll.to(Infinity);
  assert.equal(Math.round(600 * scroll.at) / 600, 85 + 1 / 3, "7 lines of 20, 7 of 60, and 40 pixels of another are in sight");
  scroll.by(10_000);
  assert.equal(scroll.at, scroll.last);
});

test("a line that is in sight stays where it is, another comes to the middle", () => {
  const scroll = scrolled(1000);
  scroll.to(100);
  scroll.reveal(110);
  assert.equal(scroll.at, 100);
  scroll.reveal(500);
  assert.equal(scroll.at, 484.5);
  scroll.reveal(1000);
  assert.equal(scroll.at, scroll.last);
});

test("few lines do not scroll", () => {
  const scroll = scrolled(3);
  scroll.by(500);
  assert.deepEqual([scroll.at, scroll.top, scroll.ended], [0, 0, true]);
});

test("a log follows its end, lets go when a person goes up, and counts what is new", () => {
  const follow = new Follow(true);
  assert.ok(follow.grew(100));
  follow.moved(false);
  assert.equal(follow.grew(130), false);
  assert.equal(follow.news, 30);
  follow.moved(true);
  assert.equal(follow.news, 0);
  assert.ok(follow.grew(140));
  follow.set(false);
  follow.grew(150);
  assert.equal(follow.news, 10);
  follow.set(true);
  assert.equal(follow.news, 0);
});

test("a selection goes beyond what is on the page, in both directions", () => {
  const selection = new Selection();
  const text = n => (n > 900 ? undefined : `line ${n}`);
  selection.start({ line: 12, column: 2 });
  assert.ok(selection.empty);
  selection.extend({ line: 10, column: 5 });
  assert.equal(selection.text(text), "10\nline 11\nli");
  assert.deepEqual(selection.within(11, 20), [
    { line: 11, column: 0 },
    { line: 12, column: 2 }
  ]);
  assert.equal(selection.within(13, 20), null);
  selection.all(1000);
  assert.equal(selection.text(text), null, "lines that are not at hand are fetched first");
  assert.deepEqual(selection.within(500, 510)[1], { line: 510, column: Infinity });
});
