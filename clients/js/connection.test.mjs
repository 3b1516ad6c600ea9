import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeSocket, pass, settled, start } from "./fake.mjs";

test("the token goes first, subscriptions after the welcome", async (t) => {
  const { client } = await start(t, { token: "secret" });
  client.subscribe("a.>");
  const socket = FakeSocket.last.open();
  assert.deepEqual(socket.protocols, ["msgq.v1"]);
  assert.deepEqual(socket.sent, [{ type: "auth", token: "secret" }]);
  socket.serve({ type: "welcome", epoch: "e1" });
  assert.deepEqual(socket.sent[1].topics, ["a.>"]);
});

test("http becomes ws", async (t) => {
  await start(t, { url: "https://host/v1/ws" });
  assert.equal(FakeSocket.last.url, "wss://host/v1/ws");
});

for (const code of [1001, 1006, 1011, 4408, 4429, 4503, 4508]) {
  test(`close code ${code} reconnects`, async (t) => {
    const { client } = await start(t);
    FakeSocket.last.welcome().drop(code);
    assert.equal(client.state, "reconnecting");
    await pass(t, 5_000);
    assert.equal(FakeSocket.all.length, 2);
    FakeSocket.last.welcome();
    assert.equal(client.state, "live");
  });
}

for (const code of [4400, 4401, 4403]) {
  test(`close code ${code} does not reconnect by itself`, async (t) => {
    const { client } = await start(t, { token: "old" });
    FakeSocket.last.welcome().drop(code);
    assert.equal(client.state, "closed");
    await pass(t, 120_000);
    assert.equal(FakeSocket.all.length, 1);
    client.connect();
    await settled();
    assert.equal(FakeSocket.all.length, code === 4401 ? 1 : 2, "a refused token is not tried again");
  });
}

test("waits double up to 30 s and start small again after a connection that held", async (t) => {
  const { states } = await start(t);
  for (let i = 0; i < 8; i++) {
    FakeSocket.last.drop();
    await pass(t, 30_000);
  }
  assert.deepEqual(states.map((s) => s.wait), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  FakeSocket.last.welcome();
  await pass(t, 6_000);
  FakeSocket.last.drop();
  assert.equal(states.at(-1).wait, 500);
});

test("a server that welcomes and drops at once is not hammered", async (t) => {
  const { states } = await start(t);
  for (let i = 0; i < 3; i++) {
    FakeSocket.last.welcome().drop();
    await pass(t, 5_000);
  }
  assert.deepEqual(states.filter((s) => s.wait).map((s) => s.wait), [500, 1000, 2000]);
});

test("jitter spreads the waits", async (t) => {
  const { states } = await start(t);
  Math.random.mock.mockImplementation(() => 0);
  FakeSocket.last.drop();
  assert.equal(states.at(-1).wait, 250);
  await pass(t, 250);
  FakeSocket.last.drop(1001);
  assert.equal(states.at(-1).wait, 0);
});

test("a token function is asked again after a refusal, and the same token is not tried twice", async (t) => {
  const tokens = ["one", "two", "two"];
  const { client } = await start(t, { token: async () => tokens.shift() });
  FakeSocket.last.open().drop(4401);
  await pass(t, 1_000);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "auth", token: "two" }]);
  FakeSocket.last.drop(4401);
  await pass(t, 60_000);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(client.state, "closed");
});

test("a token function that fails is reported and asked again", async (t) => {
  let calls = 0;
  const { errors } = await start(t, { token: async () => { if (calls++ === 0) throw new Error("away"); return "ok"; } });
  assert.equal(errors[0].message, "away");
  await pass(t, 1_000);
  assert.equal(FakeSocket.all.length, 1);
});

test("a client closed while it waits for a token does not connect", async (t) => {
  let give;
  const { client } = await start(t, { token: () => new Promise((resolve) => (give = resolve)) });
  client.close();
  give("late");
  await settled();
  assert.equal(FakeSocket.all.length, 0);
});

test("a new token reconnects after a refusal and renews a live connection", async (t) => {
  const { client } = await start(t, { token: "old" });
  FakeSocket.last.open().drop(4401);
  client.setToken("new");
  await settled();
  FakeSocket.last.welcome();
  assert.deepEqual(FakeSocket.last.got("auth").map((f) => f.token), ["new"]);
  client.setToken("newer");
  await settled();
  assert.deepEqual(FakeSocket.last.got("auth").map((f) => f.token), ["new", "newer"]);
  client.subscribe("a");
  FakeSocket.last.serve({ type: "welcome", epoch: "e1" });
  assert.equal(FakeSocket.last.got("subscribe").length, 1, "a second welcome starts nothing again");
});

test("a token that the server waits for is sent at once, also when the socket is still to open", async (t) => {
  for (const opensFirst of [true, false]) {
    const { client } = await start(t);
    const socket = FakeSocket.last;
    if (opensFirst) socket.open();
    client.setToken("late");
    await settled();
    if (!opensFirst) socket.open();
    assert.deepEqual(socket.sent, [{ type: "auth", token: "late" }]);
    assert.equal(FakeSocket.all.length, 1);
    client.close();
    t.mock.reset();
  }
});

test("a token given while another is looked at follows the welcome, and is tried where that is refused", async (t) => {
  const { client } = await start(t, { token: "one" });
  const socket = FakeSocket.last.open();
  client.setToken("two");
  await settled();
  assert.deepEqual(socket.got("auth").map((f) => f.token), ["one"]);
  socket.serve({ type: "welcome", epoch: "e1" });
  await settled();
  assert.deepEqual(socket.got("auth").map((f) => f.token), ["one", "two"]);
  socket.drop(1006);
  await pass(t, 5_000);
  FakeSocket.last.open();
  client.setToken("three");
  FakeSocket.last.drop(4401);
  await pass(t, 5_000);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "auth", token: "three" }]);
});

test("a silent server is asked, and given up when it does not answer", async (t) => {
  const { client } = await start(t);
  const socket = FakeSocket.last.welcome();
  await pass(t, 31_000);
  assert.equal(socket.got("ping").length, 1);
  socket.serve({ type: "pong" });
  await pass(t, 31_000);
  assert.equal(socket.got("ping").length, 2);
  assert.equal(client.state, "live");
  await pass(t, 20_000);
  assert.equal(client.state, "reconnecting");
});

test("a connection that never comes up is given up", async (t) => {
  const { client } = await start(t);
  await pass(t, 20_000);
  assert.equal(client.state, "reconnecting");
});

test("what an abandoned socket still says is not heard", async (t) => {
  const { client, states } = await start(t);
  const old = FakeSocket.last.welcome();
  old.drop();
  await pass(t, 500);
  FakeSocket.last.welcome();
  old.drop(4403);
  assert.equal(client.state, "live");
  assert.equal(states.at(-1).state, "live");
});

test("a closed client stays closed", async (t) => {
  const { client } = await start(t);
  const ended = [];
  client.subscribe("a", { onState: (s) => ended.push(s.state) });
  const socket = FakeSocket.last.welcome();
  client.close();
  assert.equal(socket.closedWith, 1000);
  socket.drop(1006);
  await pass(t, 60_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(ended, ["closed"]);
});

test("a frame that is not understood costs the connection, not messages", async (t) => {
  const { client, errors } = await start(t);
  FakeSocket.last.welcome().onmessage({ data: "{" });
  assert.equal(errors.length, 1);
  assert.equal(client.state, "reconnecting");
});

test("a page that is left keeps no connection, and makes one when it is shown again", async (t) => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  t.after(() => { delete globalThis.addEventListener; });
  const { client } = await start(t);
  const socket = FakeSocket.last.welcome();
  page.dispatchEvent(new Event("pagehide"));
  assert.equal(socket.readyState, 2);
  assert.equal(client.state, "reconnecting");
  page.dispatchEvent(new Event("pagehide")); // harmless
  await pass(t, 5_000); // a page that is kept has no time of its own until it is shown
  FakeSocket.last.welcome();
  assert.equal(client.state, "live");
});
