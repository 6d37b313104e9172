/** What is found in a log, and the log as its model has it, with a server that answers as ours does. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Find, occurrences } from "../lib/main/find.js";
import { LogModel } from "../lib/main/logmodel.js";

const QUERY = { text: "nan", regex: false, case: false };

test("a plain text is found whatever the case, and at its own offsets", () => {
  assert.deepEqual(occurrences("NaN nan", QUERY), [[0, 3], [4, 7]]);
  assert.deepEqual(occurrences("NaN nan", { ...QUERY, case: true }), [[4, 7]]);
  assert.deepEqual(occurrences("İİ nan", QUERY), [[3, 6]]);
  assert.deepEqual(occurrences("nan", { ...QUERY, regex: true }), [], "patterns are the server's");
});

/** A log of so many lines, every tenth with `nan`; answers by two hits, and counts slowly. */
class Server {
  constructor(total) {
    this.total = total;
    this.asked = [];
    this.looked = 0;
    this.generation = "a";
  }
  lines(first, count) {
    const last = Math.min(this.total, first + count - 1);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => this.line(first + at));
  }
  line(n) {
    return { n, at: null, source: "", stream: "stdout", text: n % 10 ? `line ${n}` : `nan ${n}` };
  }
  async page({ from, count }) {
    this.asked.push([from, count]);
    const first = from < 0 ? Math.max(1, this.total + from + 1) : Math.max(1, from);
    const { total, generation } = this;
    return { generation, first, total, firm: total, complete: true, ended: false, lines: this.lines(first, count) };
  }
  async find({ text, from, backwards, limit: _ }) {
    if (text === "(") {
      throw new Error("That is no pattern");
    }
    const all = text === "nan" ? this.lines(1, this.total).filter(({ n }) => n % 10 === 0) : [];
    const ahead = backwards ? all.filter(({ n }) => n <= from).reverse() : all.filter(({ n }) => n >= from);
    const hits = ahead.slice(0, 2).map(({ n }) => ({ n, at: n, spans: [[0, 3]] }));
    const next = ahead.length > 2 ? ahead[2].n : null;
    const first = hits.length ? Math.min(...hits.map(({ n }) => n)) : 0;
    const counted = this.looked++ > 1;
    return { total: counted ? all.length : null, before: counted && hits.length ? first / 10 - 1 : null, hits, next };
  }
  follow(query, news, ended) {
    this.news = news;
    this.from = query.from;
    this.end = ended;
    return { dispose: () => (this.news = null) };
  }
}

const opened = async total => {
  const server = new Server(total);
  const model = new LogModel(server, true);
  await model.open();
  return { server, model };
};

test("a log opens at its end, with one answer, and listens from there on", async () => {
  const { server, model } = await opened(1_000_000);
  assert.deepEqual(server.asked, [[-200, 200]]);
  assert.equal(model.ranges.total, 1_000_000);
  assert.equal(model.ranges.get(1_000_000).n, 1_000_000);
  assert.equal(server.from, 1_000_001);
  model.close();
  assert.equal(server.news, null);
});

test("hits are gone through in both directions, with their numbers, and around the ends", async () => {
  const { model } = await opened(100);
  await model.look(QUERY, 35);
  assert.deepEqual([model.find.current.n, model.find.number, model.find.total], [40, 4, 10]);
  await model.next(41, true);
  assert.deepEqual([model.find.current.n, model.find.number], [50, 5]);
  await model.next(39, false);
  assert.deepEqual([model.find.current.n, model.find.number], [30, 3]);
  await model.next(9, false);
  assert.deepEqual([model.find.current.n, model.find.number], [100, 10]);
  await model.next(1, true);
  assert.deepEqual([model.find.current.n, model.find.number], [10, 1]);
  model.close();
});

test("what is not there is not looked for for ever, and what is no pattern is said", async () => {
  const { server, model } = await opened(100);
  await model.look({ ...QUERY, text: "absent" }, 50);
  assert.deepEqual([model.find.current, model.find.total], [null, 0]);
  assert.ok(server.looked < 10);
  await model.look({ text: "(", regex: true, case: false }, 1);
  assert.equal(model.find.problem, "That is no pattern");
  await model.look(QUERY, 1);
  assert.equal(model.find.problem, "");
  model.close();
});

test("an answer to an earlier question changes nothing", async () => {
  const { server, model } = await opened(100);
  const slow = server.find.bind(server);
  let release;
  server.find = async query => (query.text === "slow" && (await new Promise(done => (release = done))), slow(query));
  const first = model.look({ ...QUERY, text: "slow" }, 1);
  await model.look(QUERY, 1);
  release();
  await first;
  assert.deepEqual([model.find.query.text, model.find.current.n], ["nan", 10]);
  model.close();
});

test("what is looked for no more is not asked for any longer", async () => {
  const { server, model } = await opened(100);
  const signals = [];
  const slow = server.find.bind(server);
  server.find = (query, signal) => (signals.push(signal), slow(query));
  void model.look({ ...QUERY, text: "na" }, 1);
  await model.look(QUERY, 1);
  assert.deepEqual([signals[0].aborted, signals.at(-1).aborted], [true, false]);
  model.close();
  assert.ok(signals.at(-1).aborted);
});

test("what is pushed is there without being asked for, at 10,000 lines a second too", async () => {
  const { server, model } = await opened(10);
  for (let batch = 0; batch < 100; batch++) {
    const first = server.total + 1;
    server.total += 1000;
    server.news({ generation: "a", first, total: server.total, firm: server.total, complete: true, ended: false, lines: server.lines(first, 1000) });
  }
  assert.equal(model.ranges.total, 100_010);
  assert.equal(server.asked.length, 1);
  for (let n = 95_000; n <= 100_010; n++) {
    assert.equal(model.ranges.get(n)?.n, n);
  }
  model.close();
});

test("a reader who is too far behind is told how many there are, and asks for what it shows", async () => {
  const { server, model } = await opened(10);
  server.total = 50_000;
  server.news({ generation: "a", first: null, total: 50_000, firm: 50_000, complete: true, ended: false, lines: [] });
  assert.equal(model.ranges.total, 50_000);
  model.need(49_900, 50_000);
  await new Promise(done => setImmediate(done));
  assert.equal(model.ranges.get(50_000).n, 50_000);
  model.close();
});

test("a log that was written anew is thrown away and read anew", async () => {
  const { server, model } = await opened(1000);
  const told = [];
  model.changed = what => told.push(what);
  server.total = 5;
  server.news({ generation: "b", first: 1, total: 5, firm: 5, complete: true, ended: true, lines: server.lines(1, 5) });
  assert.ok(told.includes("reset"));
  assert.deepEqual([model.ranges.total, model.ended], [5, true]);
  model.close();
});

test("a server that does not answer is told, and asked again", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const server = new Server(10);
  const { page } = Server.prototype;
  server.page = async () => {
    throw new Error("The Jupyter server does not answer");
  };
  const model = new LogModel(server, true);
  await model.open();
  assert.equal(model.problem.message, "The Jupyter server does not answer");
  server.page = page;
  t.mock.timers.tick(1000);
  await new Promise(done => setImmediate(done));
  assert.equal(model.problem, null);
  assert.equal(model.ranges.total, 10);
  model.close();
});

test("the hits between two lines are asked for once where a pattern is looked for", () => {
  const find = new Find();
  find.ask({ text: "n.n", regex: true, case: false });
  find.take({ total: 3, before: 0, hits: [{ n: 5, at: 5, spans: [[2, 5]] }], next: 90 }, 1, true);
  assert.ok(find.covers(1, 80));
  assert.ok(!find.covers(50, 95));
  assert.deepEqual(find.marks(5, "x"), [[2, 5]]);
  assert.deepEqual(find.marks(6, "nan"), []);
});
