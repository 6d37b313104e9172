import assert from "node:assert/strict";
import test from "node:test";

import { same, served } from "../lib/model/paths.js";

test("a notebook is known by its path below the server's root", () => {
  assert.equal(served("/srv/work/a/b.ipynb", "/srv/work"), "a/b.ipynb");
  assert.equal(served("/srv/work/a/b.ipynb", "/srv/work/"), "a/b.ipynb");
  assert.equal(served("/home/ada/work/b.ipynb", "~/work"), "b.ipynb");
  assert.equal(served("/root/b.ipynb", "~"), "b.ipynb");
  assert.equal(served("a/b.ipynb", "/srv/work"), "a/b.ipynb");
  assert.equal(served("/srv/b.ipynb", "/"), "srv/b.ipynb");
});

test("an open notebook is the one that a run names, and not another one of its name", () => {
  assert.ok(same("a/b.ipynb", "/srv/work/a/b.ipynb", "/srv/work"));
  assert.ok(same("RTC:a/b.ipynb", "/srv/work/a/b.ipynb", "/srv/work"));
  assert.ok(same("b.ipynb", "b.ipynb", "/srv/work"));
  assert.ok(!same("b.ipynb", "/srv/work/a/b.ipynb", "/srv/work"));
  assert.ok(!same("a/b.ipynb", "/srv/work/xa/b.ipynb", "/srv/work"));
});

test("where the server's home is nobody says, the end of the path decides", () => {
  assert.ok(same("b.ipynb", "/mnt/very/far/home/work/b.ipynb", "~/work"));
});
