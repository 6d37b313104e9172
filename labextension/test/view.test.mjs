import assert from "node:assert/strict";
import test from "node:test";

import { ago, clock, duration, plain, size } from "../lib/format.js";
import { step, TypeAhead } from "../lib/model/keys.js";
import { between, HIGH, inSight, layout } from "../lib/model/layout.js";
import { quotaLines } from "../lib/model/quota.js";
import { elapsed, share, tally, told } from "../lib/model/told.js";
import { done, row, trans } from "./made.mjs";

const groups = number => [
  { age: "live", rows: [row("bar", { progress: { done: 1, total: 4, label: "" } }), row("bare")] },
  { age: "today", rows: Array.from({ length: number }, (_, place) => done(`d${place}`)) }
];

test("of ten thousand runs those in sight are found, with their heights", () => {
  const laid = layout(groups(10_000));
  assert.equal(laid.items.length, 10_004);
  assert.equal(laid.tops[1], HIGH.head);
  assert.equal(laid.tops[2] - laid.tops[1], HIGH.bar);
  assert.equal(laid.tops[3] - laid.tops[2], HIGH.run);
  const [from, to] = between(laid.tops, 240_000, 240_500);
  assert.ok(laid.tops[from] <= 240_000 && laid.tops[to] >= 240_500 && to - from < 25);
  assert.deepEqual(between(laid.tops, 0, 10, 0), [0, 1]);
  assert.equal(between(laid.tops, 1e9, 1e9)[1], laid.items.length);
  assert.equal(laid.places.get("d0"), 2);
});

test("a run that is chosen comes in sight by the shortest way, and its head with it", () => {
  const laid = layout(groups(100));
  assert.equal(inSight(laid, 0, 500, 300), 0);
  assert.equal(inSight(laid, 2, 500, 300), laid.tops[3]);
  const last = inSight(laid, 101, 0, 300);
  assert.equal(last, laid.tops[laid.items.length] - 300);
  assert.equal(inSight(laid, 101, last, 300), last);
  assert.equal(inSight(laid, 999, 77, 300), 77);
});

test("arrows, pages, home and end go from run to run", () => {
  assert.equal(step("ArrowDown", -1, 3, 2), 0);
  assert.equal(step("ArrowDown", 2, 3, 2), 2);
  assert.equal(step("ArrowUp", -1, 3, 2), 2);
  assert.equal(step("PageDown", 0, 3, 5), 2);
  assert.equal(step("PageUp", 2, 9, 1), 1);
  assert.equal(step("Home", 2, 3, 2), 0);
  assert.equal(step("End", 0, 3, 2), 2);
  assert.equal(step("x", 0, 3, 2), null);
  assert.equal(step("End", 0, 0, 2), null);
});

test("letters spell a name; the same one again goes on to the next", () => {
  const names = ["pi", "train", "Tune", "trial"];
  const ahead = new TypeAhead();
  assert.equal(ahead.next("t", 0, names, 0), 1);
  assert.equal(ahead.next("u", 100, names, 1), 2);
  assert.equal(ahead.next("t", 2000, names, 2), 3);
  assert.equal(ahead.next("t", 2100, names, 3), 1);
  assert.equal(ahead.next("z", 4000, names, 1), -1);
});

test("the line of a run says how far it is, what it waits for, or what became of it", () => {
  const say = more => told(row("r", more), trans);
  assert.equal(say({ progress: { done: 7, total: 20, label: "epoch" } }), "epoch 7 of 20 · this machine");
  assert.equal(say({ progress: { done: 1234, total: null, label: "" } }), "1,234 · this machine");
  assert.equal(say({ workers: { up: 3, wanted: 8 }, attempt: 2 }), "The cell is running · this machine · attempt 2 · 3 of 8 workers");
  const waits = { phase: "queued", sentence: "Waiting for its turn" };
  assert.equal(say({ ...waits, position: { at: 3, of: 14, queue: "team-a" } }), "Position 3 of 14 in team-a · Waiting for its turn");
  assert.equal(say({ ...waits, position: { at: 3, of: null, queue: "q" } }), "Position 3 in q · Waiting for its turn");
  assert.equal(say({ ...waits, position: { at: null, of: 14, queue: "q" } }), "Waiting for its turn");
  assert.equal(say({ phase: "failed", error: "ValueError: X", sentence: "no" }), "ValueError: X");
  assert.equal(say({ phase: "succeeded", sentence: "" }), "this machine");
});

test("what turns or hides letters is shown by its number, and a text is one line", () => {
  assert.equal(plain("a\u202eb\nc\u0007\u200b"), "a⟨U+202E⟩b c⟨U+0007⟩⟨U+200B⟩");
  assert.equal(plain("<b>π</b>"), "<b>π</b>");
});

test("clocks run from when the code began, and stand at the end", () => {
  assert.equal(elapsed(row("r", { created: 10, began: 40 }), 82.9), "0:42");
  assert.equal(elapsed(row("r", { created: 10 }), 5), "0:00");
  assert.equal(elapsed(done("r", { seconds: 7390 }), 0), "2:03:10");
  assert.equal(elapsed(done("r", { created: 10, ended: 72 }), 0), "1:02");
  assert.deepEqual([clock(59.9), duration(0.012), duration(1.44), duration(187)], ["0:59", "12 ms", "1.4 s", "3:07"]);
  assert.deepEqual([size(28), size(2100), size(1.2e9)], ["28 B", "2.1 kB", "1.2 GB"]);
  assert.deepEqual([ago(0.2), ago(12), ago(200), ago(3600 * 5)], ["now", "12 s ago", "3 min ago", "5 h ago"]);
});

test("a share is between nothing and all, and not known without a total", () => {
  assert.equal(share(row("r", { progress: { done: 5, total: 4, label: "" } })), 1);
  assert.equal(share(row("r", { progress: { done: 5, total: null, label: "" } })), null);
  assert.equal(share(row("r")), null);
});

test("the status bar counts what is at work and what waits", () => {
  assert.equal(tally({ running: 2, queued: 1, starting: 1, succeeded: 9 }, trans), "2 running, 2 queued");
  assert.equal(tally({ paused: 1 }, trans), "1 paused");
  assert.equal(tally({ succeeded: 9 }, trans), "");
});

test("quota is shown GPUs first, one line for what two profiles share, and nothing of what is not known", () => {
  const share = (resource, used, mine, total) => ({ resource, flavor: "f", used, mine, total, most: null, free: null });
  const queue = (profile, resources) => ({
    profile, where: "lab", queue: "team-a", cluster_queue: "team-a", resources,
    waiting: 2, open: true, unknown: "", pending: false, at: 1
  });
  const resources = [share("cpu", 77, 16, 200), share("nvidia.com/gpu", 18, 8, 24), share("memory", null, null, 1e12)];
  const { lines, more } = quotaLines({ queues: [queue("a", resources), queue("b", resources)], pending: false }, trans);
  assert.deepEqual(lines.map(line => [line.title, line.words]), [["team-a GPU", "18 of 24"], ["team-a CPU", "77 of 200"]]);
  assert.ok(Math.abs(lines[0].mine - 8 / 24) < 1e-9 && Math.abs(lines[0].others - 10 / 24) < 1e-9);
  assert.equal(more, 0);
});
