/** The line of time of a run, and its small charts. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { attempts, spark } from "../lib/main/timeline.js";

const span = (phase, at, until, attempt = 1) => ({ phase, at, until, attempt });

test("phases share a width by their lengths, and none is too short to be seen", () => {
  const [only] = attempts([span("capturing", 0, 0.012), span("starting", 0.012, 1.4), span("running", 1.4, 60), span("succeeded", 60, 60)], 99);
  assert.deepEqual(only.parts.map(({ phase }) => phase), ["capturing", "starting", "running"]);
  const shares = only.parts.map(({ share }) => share);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-9);
  assert.ok(shares[0] > 0.01 && shares[2] > 0.9);
  assert.equal(only.width, 1);
});

test("what goes on grows with the clock, and a clock that was put back makes nothing negative", () => {
  const running = [span("running", 10, null)];
  assert.equal(attempts(running, 52)[0].parts[0].seconds, 42);
  assert.equal(attempts(running, 5)[0].parts[0].seconds, 0);
  assert.ok(attempts(running, 52)[0].parts[0].going);
});

test("attempts have a line each, as long as they took beside the longest", () => {
  const told = attempts([span("running", 0, 10), span("queued", 10, 20, 2), span("running", 20, 50, 2)], 50);
  assert.deepEqual(told.map(({ number }) => number), [1, 2]);
  assert.deepEqual(told.map(({ width }) => width), [0.25, 1]);
});

test("a run that has not begun has no line of time", () => {
  assert.deepEqual(attempts([], 5), []);
});

test("a chart ends at its right edge with the newest, stays within its bounds, and a single value is no chart", () => {
  assert.equal(spark([1], 1), "");
  const points = spark([0, 1, 5], 1).split(" ").map(point => point.split(",").map(Number));
  assert.equal(points.length, 3);
  assert.deepEqual(points[2], [72, 1]);
  assert.deepEqual(points[0][1], 17);
  assert.equal(spark(Array(99).fill(1), 1).split(" ").length, 16);
});
