import assert from "node:assert/strict";
import test from "node:test";

import { Ends } from "../lib/model/ends.js";
import { ALL, asked, matches, narrowed } from "../lib/model/filter.js";
import { grouped } from "../lib/model/groups.js";
import { changed, EMPTY, listed, longer } from "../lib/model/list.js";
import { done, row } from "./made.mjs";

const ids = list => [...list.rows.keys()].sort();
const page = (rows, next = null, total = rows.length) => ({ rows, next, total, counts: { live: 0 }, version: "1" });
const change = (rows, gone = []) => ({ rows, gone, counts: {} });
const any = () => true;

test("a page is listed with all that is live, however old that is", () => {
  const list = listed(page([done("new", { created: 9 })], "more", 7), [row("old", { created: 1 })]);
  assert.deepEqual(ids(list), ["new", "old"]);
  assert.equal(list.total, 7);
});

test("a further page does not undo a change that came before it", () => {
  const list = listed(page([done("a", { name: "changed" })], "more", 2));
  const more = longer(list, page([done("a", { name: "as it was" }), done("b")], null, 2));
  assert.equal(more.rows.get("a").name, "changed");
  assert.equal(more.next, null);
});

test("a new run is there at once, a changed one is another, one that is gone is gone", () => {
  const list = listed(page([done("a"), row("b")]));
  const after = changed(list, change([row("new"), done("b")], ["a"]), any);
  assert.deepEqual(ids(after), ["b", "new"]);
  assert.equal(after.rows.get("b").phase, "succeeded");
  assert.equal(after.total, 2);
  assert.deepEqual(ids(list), ["a", "b"]);
});

test("a change of a run on a later page leaves no gap before it", () => {
  const list = listed(page([done("new", { created: 9 })], "more", 5));
  assert.deepEqual(ids(changed(list, change([done("old", { created: 2 })]), any)), ["new"]);
  assert.deepEqual(ids(changed(list, change([row("old", { created: 2 })]), any)), ["new", "old"]);
});

test("what does not belong to what is searched for leaves the list", () => {
  const list = listed(page([row("a")]));
  const after = changed(list, change([done("a"), row("b")]), each => each.phase === "running");
  assert.deepEqual(ids(after), ["b"]);
  assert.equal(after.total, 1);
});

test("the same change twice is the same list", () => {
  const once = changed(EMPTY, change([row("a")]), any);
  assert.deepEqual(changed(once, change([row("a")]), any), once);
});

test("runs stand under live, today, yesterday and earlier, newest first", () => {
  const now = new Date(2026, 2, 30, 12).getTime(); // the day after a night with an hour less, in much of Europe
  const at = (...when) => new Date(2026, ...when).getTime() / 1000;
  const rows = [
    done("earlier", { created: at(2, 28, 23, 59) }),
    done("midnight", { created: at(2, 30, 0, 0) }),
    done("yesterday", { created: at(2, 29, 0, 0) }),
    done("noon", { created: at(2, 30, 11) }),
    row("live", { created: at(1, 1) })
  ];
  const found = grouped(rows, now).map(group => [group.age, ...group.rows.map(each => each.id)]);
  assert.deepEqual(found, [
    ["live", "live"],
    ["today", "noon", "midnight"],
    ["yesterday", "yesterday"],
    ["earlier", "earlier"]
  ]);
});

test("a filter asks the server for what it lets pass here", () => {
  const filter = { ...ALL, q: " Adam  lr=3 ", state: "live" };
  assert.deepEqual(asked(filter), { q: "Adam  lr=3", state: "live" });
  assert.ok(matches(row("adam-1", { labels: { lr: "3" } }), filter));
  assert.ok(!matches(row("adam-1"), filter));
  assert.ok(!matches(done("adam-1", { labels: { lr: "3" } }), filter));
  assert.ok(matches(done("x"), { ...ALL, state: "ended" }) && !matches(row("x"), { ...ALL, state: "ended" }));
  assert.ok(!matches(row("x", { mode: "ray" }), { ...ALL, mode: "local" }));
  assert.ok(!matches(row("x", { notebook: "/a.ipynb" }), { ...ALL, notebook: "/b.ipynb" }));
  assert.ok(matches(row("x"), ALL) && !narrowed(ALL) && !narrowed({ ...ALL, q: "  " }) && narrowed(filter));
});

test("an end is noticed once, and only of who was seen alive", () => {
  const ends = new Ends();
  assert.deepEqual(ends.seen([row("a"), done("b")]), []);
  assert.deepEqual(ends.seen([done("a"), done("b")]).map(each => each.id), ["a"]);
  assert.deepEqual(ends.seen([done("a")]), []);
});
