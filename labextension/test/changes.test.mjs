import assert from "node:assert/strict";
import test from "node:test";

const listeners = new Set();
globalThis.document = {
  hidden: false,
  addEventListener: (_, listener) => listeners.add(listener),
  removeEventListener: (_, listener) => listeners.delete(listener)
};
const { Changes } = await import("../lib/api/changes.js");
const { Problem } = await import("../lib/api/problem.js");

/** A server that opens sockets, or refuses them, and answers what it is asked. */
class Server {
  sockets = [];
  polled = [];
  answer = { body: null, etag: "" };
  runs = [];
  socket() {
    const socket = { readyState: 1, sent: [], send: text => socket.sent.push(JSON.parse(text)) };
    socket.close = (code = 1000) => socket.readyState === 1 && ((socket.readyState = 3), socket.onclose({ code }));
    socket.say = told => socket.onmessage({ data: JSON.stringify(told) });
    this.sockets.push(socket);
    return socket;
  }
  async getTagged(_, query) {
    this.polled.push(query.version);
    if (this.answer instanceof Error) {
      throw this.answer;
    }
    return this.answer;
  }
  async run(id) {
    this.runs.push(id);
    return { row: { id } };
  }
}

const hello = version => ({ kind: "hello", version, rows: [], gone: [], counts: {} });
const change = version => ({ kind: "changed", version, rows: [], gone: [], counts: {} });
const until = async (is, what) => {
  for (let waited = 0; !is(); waited += 5) {
    assert.ok(waited < 5000, `${what} did not come`);
    await new Promise(done => setTimeout(done, 5));
  }
};

async function following(version = "1") {
  const server = new Server();
  const changes = new Changes(server);
  const heard = [];
  changes.changed.connect((_, told) => heard.push(told.version));
  changes.follow(version);
  await until(() => server.sockets.length, "a socket");
  return { server, changes, heard };
}

test("what is pushed is told, and nothing is asked for meanwhile", async () => {
  const { server, changes, heard } = await following();
  server.sockets[0].say(hello("1"));
  assert.equal(changes.state, "live");
  server.sockets[0].say(change("2"));
  server.sockets[0].say({ kind: "still" });
  server.sockets[0].say({ kind: "of a newer server" });
  assert.deepEqual([heard, server.polled], [["2"], []]);
  changes.dispose();
});

test("what changed before the socket was open is asked for once", async () => {
  const { server, changes, heard } = await following("1");
  server.answer = { body: change("3"), etag: "" };
  server.sockets[0].say(hello("3"));
  await until(() => heard.length, "the change");
  assert.deepEqual([heard, server.polled], [["3"], ["1"]]);
  changes.dispose();
});

test("where no socket can be had it asks, and goes on knocking", async () => {
  const { server, changes, heard } = await following();
  server.answer = { body: change("2"), etag: "" };
  server.sockets[0].close(1006);
  await until(() => heard.length, "an answer");
  assert.equal(changes.state, "polling");
  await until(() => server.sockets.length > 1, "another knock");
  server.sockets[1].say(hello("2"));
  assert.equal(changes.state, "live");
  changes.dispose();
});

test("a socket that breaks is opened anew, and nothing is missed", async () => {
  const { server, changes, heard } = await following();
  server.sockets[0].say(hello("1"));
  server.answer = { body: change("2"), etag: "" };
  server.sockets[0].close(1001);
  assert.equal(changes.state, "polling");
  await until(() => heard.includes("2"), "the change");
  await until(() => server.sockets.length > 1, "another socket");
  changes.dispose();
});

test("when nobody answers it says so, and that it is back", async () => {
  const { server, changes } = await following();
  server.answer = new Problem({ code: "unreachable", what: "no" }, 0);
  server.sockets[0].close(1006);
  await until(() => changes.state === "lost", "the loss");
  server.answer = { body: null, etag: "" };
  await until(() => changes.state === "polling", "its return");
  changes.dispose();
});

test("a server that does not know us is left alone", async () => {
  const server = new Server();
  const changes = new Changes(server);
  changes.lose(new Problem({ code: "", what: "Not Found" }, 404));
  await new Promise(done => setTimeout(done, 100));
  assert.deepEqual([changes.state, server.polled, server.sockets], ["absent", [], []]);
  changes.dispose();
});

test("one that was heard is waited for where a proxy does not know the way to it", async () => {
  const { server, changes } = await following();
  server.sockets[0].say(hello("1"));
  server.answer = new Problem({ code: "", what: "Not Found" }, 404);
  server.sockets[0].close(1006);
  await until(() => changes.state === "lost", "the loss");
  server.answer = { body: null, etag: "" };
  await until(() => changes.state === "polling", "its return");
  await until(() => server.sockets.length > 1, "another socket");
  changes.dispose();
});

test("a list that is too old is asked for anew", async () => {
  const { server, changes } = await following();
  let stale = 0;
  changes.stale.connect(() => stale++);
  server.sockets[0].say(hello("1"));
  server.sockets[0].say({ ...hello("9"), kind: "relist" });
  assert.equal(stale, 1);
  changes.dispose();
});

test("a hidden page says so, and what it watches is told as a whole", async () => {
  const { server, changes } = await following();
  const [socket] = server.sockets;
  socket.say(hello("1"));
  const seen = [];
  const watching = changes.watch("a", run => seen.push(run.row.id));
  await until(() => seen.length, "the run as it is");
  socket.say({ kind: "run", run: { row: { id: "a" } } });
  socket.say({ kind: "run", run: { row: { id: "b" } } });
  document.hidden = true;
  listeners.forEach(listener => listener());
  document.hidden = false;
  watching.dispose();
  assert.deepEqual(seen, ["a", "a"]);
  assert.deepEqual(socket.sent, [{ hidden: false }, { watch: [] }, { watch: ["a"] }, { hidden: true }, { watch: [] }]);
  changes.dispose();
});
