import assert from "node:assert/strict";
import test from "node:test";

import { problem } from "../lib/api/problem.js";
import { marks, missing } from "../lib/mend/marks.js";
import { notice } from "../lib/sidebar/notice.js";
import { trans } from "./made.mjs";

const about = { version: "1.2", api: 1, store: "/s", host: "h", user: "ada", reads_only: false, elsewhere: null };
const calm = { about, problem: null, hearing: "live", since: "10:00", shown: 3, unread: 0, narrowed: false, answered: true, elsewhere: null, api: 1 };
const say = more => notice({ ...calm, ...more }, trans);

test("where all is well nothing is said", () => {
  assert.equal(say({}), null);
  assert.equal(say({ shown: 0, answered: false, about: null, hearing: "starting" }), null);
});

test("without the server extension it says what to install, in one sentence and a command", () => {
  const told = say({ about: null, hearing: "absent", shown: 0 });
  assert.match(told.words, /does not have jobq-magic: install it/);
  assert.equal(told.command, 'pip install "jobq-magic[server]"');
});

test("an older server is to be brought up to date, an older page to be loaded anew", () => {
  assert.match(say({ api: 2 }).command, /--upgrade/);
  assert.match(say({ about: { ...about, api: undefined } }).command, /--upgrade/);
  assert.equal(say({ about: { ...about, api: 9 } }).press, "reload");
});

test("when nobody answers, what is known is shown with its time", () => {
  assert.deepEqual(say({ hearing: "lost" }), {
    words: "The Jupyter server does not answer: so it was at 10:00", press: "retry", above: true
  });
});

test("kernels whose runs are elsewhere are told of, with both folders as the server names them", () => {
  const told = say({ elsewhere: { code: "store-not-shared", what: "Run a is in /k", why: "", do: "Let JOBQ_HOME name one" } });
  assert.equal(told.words, "Run a is in /k. Let JOBQ_HOME name one");
});

test("while older runs are read it says how many", () => {
  assert.deepEqual(say({ unread: 12 }), { words: "12 older runs are being read", above: true });
});

test("no runs and no matches are two things", () => {
  assert.equal(say({ shown: 0 }).command, "%%jobq");
  assert.equal(say({ shown: 0, narrowed: true }).press, "clear");
});

test("an answer of ours is told as it is; of a proxy, with its status; an extension that is not there is known by it", () => {
  const ours = problem(409, { code: "not-ended", what: "It runs", why: null, do: "wait" }, "Conflict");
  assert.deepEqual([ours.what, ours.why, ours.do, ours.absent], ["It runs", "", "wait", false]);
  assert.equal(problem(502, null, "Bad Gateway").what, "The Jupyter server answers 502: Bad Gateway");
  assert.ok(problem(404, { message: "Not Found" }, "").absent);
  assert.ok(!problem(404, { code: "unknown-run", what: "No run" }, "").absent);
});

const VIEW = { "application/vnd.jupyter.widget-view+json": {} };
const panel = (run, data = VIEW, more = {}) => ({ output_type: "display_data", data, metadata: { jobq: { run, ...more } } });
const shown = text => ({ output_type: "display_data", data: { "text/plain": text }, metadata: {} });

test("panels are found by their mark; one that shows the end stays as it is", () => {
  const found = marks([shown("x"), panel("a-1", VIEW, { store: "/s", host: "h" }), panel("b-2", { "text/html": "" })]);
  assert.deepEqual(found, [
    { run: "a-1", store: "/s", host: "h", index: 1, frozen: false },
    { run: "b-2", store: "", host: "", index: 2, frozen: true }
  ]);
});

test("a mark that is none of ours is nothing", () => {
  const outputs = [panel("../x"), panel("A"), panel(7), { output_type: "stream" }, { ...shown(""), metadata: { jobq: null } }];
  assert.deepEqual(marks(outputs), []);
});

test("what a run showed and the notebook does not have is added, and nothing twice", () => {
  const outputs = [panel("a"), shown("1"), panel("b"), shown("x")];
  const [first, second] = marks(outputs);
  assert.deepEqual(missing(outputs, first, ["1", "2", "3"]), ["2", "3"]);
  assert.deepEqual(missing(outputs, second, ["x"]), []);
});
