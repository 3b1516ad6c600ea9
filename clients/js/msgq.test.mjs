import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeSocket, pass, settled, start } from "./fake.mjs";

const message = (seq, more) => ({ type: "message", id: "s1", seq, topic: "a", message_id: `m${seq}`, data: seq, ...more });

/** A client that is connected, with one subscription that the server has accepted. */
async function subscribed(t, options = {}, from = 10) {
  const { client, errors } = await start(t);
  const messages = [];
  const states = [];
  const subscription = client.subscribe("a.>", {
    onMessage: (m) => messages.push(m), onState: (s) => states.push(s), onError: (e) => errors.push(e), ...options,
  });
  FakeSocket.last.welcome();
  const { ref } = FakeSocket.last.got("subscribe")[0];
  FakeSocket.last.serve({ type: "subscribed", id: "s1", ref, epoch: "e1", seq: from, recovered: true });
  return { client, subscription, messages, states, errors };
}

async function reconnect(t) {
  FakeSocket.last.drop();
  await pass(t, 5_000);
  FakeSocket.last.welcome();
  return FakeSocket.last.got("subscribe");
}

test("options go to the server in its own words, handlers stay here", async (t) => {
  const { client } = await start(t);
  client.subscribe(["a", "b.*"], { filter: "true", from: { last: 5 }, overflow: "skip", onMessage() {} });
  const [{ ref, ...frame }] = FakeSocket.last.welcome().sent;
  assert.ok(ref);
  assert.deepEqual(frame, { type: "subscribe", id: "s1", topics: ["a", "b.*"], filter: "true", from: { last: 5 }, overflow: "skip" });
});

test("a frame may hold several objects", async (t) => {
  const { messages } = await subscribed(t);
  FakeSocket.last.serve(message(11), message(12));
  assert.deepEqual(messages.map((m) => m.data), [11, 12]);
});

test("nothing comes after a handler has closed the client", async (t) => {
  const seen = [];
  const { client } = await subscribed(t, { onMessage: (m) => { seen.push(m.seq); client.close(); } });
  FakeSocket.last.serve(message(11), message(12));
  assert.deepEqual(seen, [11]);
});

test("a handler gets the text as well, for numbers that JavaScript would round", async (t) => {
  let text;
  await subscribed(t, { onMessage: (_, line) => (text = line) });
  FakeSocket.last.onmessage({ data: '{"type":"message","id":"s1","seq":11,"data":12345678901234567890}' });
  assert.match(text, /12345678901234567890/);
});

const resumes = [
  ["nothing", [], { after: 10, epoch: "e1" }],
  ["a message", [message(12)], { after: 12, epoch: "e1" }],
  ["a position", [message(12), { type: "position", id: "s1", seq: 40 }], { after: 40, epoch: "e1" }],
  ["a skip", [{ type: "skipped", id: "s1", from: 11, to: 90 }], { after: 90, epoch: "e1" }],
  ["another epoch", [message(12), { type: "subscribed", id: "s1", epoch: "e2", seq: 0, recovered: false }], { after: 0, epoch: "e2" }],
];
for (const [name, frames, from] of resumes) {
  test(`it resumes behind ${name}`, async (t) => {
    const { subscription } = await subscribed(t, { from: "all" });
    if (frames.length) FakeSocket.last.serve(...frames);
    assert.deepEqual(subscription.position, from);
    assert.deepEqual((await reconnect(t)).map((f) => f.from), [from]);
  });
}

test("one that was never accepted starts where it was asked to", async (t) => {
  const { client } = await start(t);
  const errors = [];
  client.subscribe("a", { from: "all", onError: (e) => errors.push(e) });
  FakeSocket.last.welcome();
  assert.deepEqual((await reconnect(t)).map((f) => f.from), ["all"]);
  assert.deepEqual(errors, [], "a reconnect is no error of the subscription");
});

test("it tells of reconnects and of messages that are gone", async (t) => {
  const { states } = await subscribed(t);
  const [{ ref }] = await reconnect(t);
  FakeSocket.last.serve({ type: "subscribed", id: "s1", ref, epoch: "e2", seq: 0, recovered: false });
  assert.deepEqual(states.map((s) => [s.state, s.recovered]), [["live", true], ["reconnecting", undefined], ["live", false]]);
});

test("a refused subscription ends and is not tried again", async (t) => {
  const { client } = await start(t);
  const errors = [];
  client.subscribe("a", { filter: "data.", onError: (e) => errors.push(e) });
  const { ref } = FakeSocket.last.welcome().got("subscribe")[0];
  FakeSocket.last.serve({ type: "error", ref, id: "s1", code: "invalid_filter", message: "1:6: a field is expected", retryable: false });
  assert.deepEqual(errors.map((e) => [e.code, e.message]), [["invalid_filter", "1:6: a field is expected"]]);
  assert.deepEqual(await reconnect(t), []);
});

test("a refusal that may pass is tried again", async (t) => {
  const { client } = await start(t);
  client.subscribe("a");
  const { ref } = FakeSocket.last.welcome().got("subscribe")[0];
  FakeSocket.last.serve({ type: "error", ref, id: "s1", code: "broker_unavailable", message: "away", retryable: true });
  await pass(t, 500);
  assert.equal(FakeSocket.last.got("subscribe").length, 2);
});

test("a subscription that the server ended or the caller closed stays away", async (t) => {
  const { client, errors } = await subscribed(t);
  const other = client.subscribe("b");
  FakeSocket.last.serve({ type: "unsubscribed", id: "s1", code: "forbidden" });
  other.close();
  assert.equal(errors[0].code, "forbidden");
  assert.equal(FakeSocket.last.got("unsubscribe").length, 1);
  assert.deepEqual(await reconnect(t), []);
});

test("an error that belongs to no subscription goes to the client", async (t) => {
  const { errors } = await start(t);
  FakeSocket.last.welcome().serve({ type: "error", code: "internal", message: "x", retryable: true });
  assert.equal(errors[0].code, "internal");
});

test("a subscription made in a state handler is asked for once", async (t) => {
  let client;
  ({ client } = await start(t, { onState: (s) => { if (s.state === "live") client.subscribe("a"); } }));
  FakeSocket.last.welcome();
  assert.equal(FakeSocket.last.got("subscribe").length, 1);
});

test("one that is closed in a state handler is not asked for", async (t) => {
  let subscription;
  const { client } = await start(t, { onState: () => subscription.close() });
  subscription = client.subscribe("a");
  FakeSocket.last.welcome();
  assert.deepEqual(FakeSocket.last.got("subscribe"), []);
});

test("a handler that throws costs no messages, and its error surfaces", async (t) => {
  const later = t.mock.method(globalThis, "queueMicrotask", () => {});
  const seen = [];
  await subscribed(t, { onMessage: (m) => { seen.push(m.seq); throw new Error("mine"); } });
  FakeSocket.last.serve(message(11), message(12));
  assert.deepEqual(seen, [11, 12]);
  assert.throws(later.mock.calls[0].arguments[0], /mine/);
});

test("a queue message is settled once the server says so", async (t) => {
  const { subscription, messages } = await subscribed(t, { queue: "q", credit: 2 });
  FakeSocket.last.serve(message(11, { tag: "t1", attempt: 1 }), message(12, { tag: "t2", attempt: 1 }));
  let done = false;
  const ack = subscription.ack(messages).then(() => (done = true));
  const [{ ref, ...frame }] = FakeSocket.last.got("ack");
  assert.deepEqual(frame, { type: "ack", id: "s1", tags: ["t1", "t2"] });
  await settled();
  assert.equal(done, false);
  FakeSocket.last.serve({ type: "ok", ref });
  await ack;
});

test("nack, reject, progress and credit say what they are given", async (t) => {
  const { subscription, messages } = await subscribed(t, { queue: "q" });
  FakeSocket.last.serve(message(11, { tag: "t1" }));
  subscription.nack(messages[0], { delay: "5s", reason: "later" });
  subscription.reject(messages[0], { reason: "broken" });
  subscription.progress(messages[0]);
  subscription.credit(3);
  assert.deepEqual(FakeSocket.last.sent.slice(1).map(({ ref, ...frame }) => frame), [
    { type: "nack", id: "s1", tags: ["t1"], delay: "5s", reason: "later" },
    { type: "reject", id: "s1", tags: ["t1"], reason: "broken" },
    { type: "progress", id: "s1", tags: ["t1"] },
    { type: "credit", id: "s1", credit: 3 },
  ]);
  const [again] = await reconnect(t);
  assert.deepEqual([again.queue, again.credit, again.from], ["q", 3, undefined]);
});

test("a tag is never used on another connection", async (t) => {
  const { subscription, messages } = await subscribed(t, { queue: "q" });
  FakeSocket.last.serve(message(11, { tag: "t1" }));
  await reconnect(t);
  await assert.rejects(subscription.ack(messages[0]), { code: "unknown_tag" });
  assert.equal(FakeSocket.last.got("ack").length, 0);
});

test("an ack under way when the connection is lost is told", async (t) => {
  const { subscription, messages } = await subscribed(t, { queue: "q" });
  FakeSocket.last.serve(message(11, { tag: "t1" }));
  const ack = subscription.ack(messages[0]);
  FakeSocket.last.drop();
  await assert.rejects(ack, { code: "connection_lost", retryable: true });
});

test("an ack that the server refuses is told to who waits for it, and to nobody else", async (t) => {
  const { subscription, messages, errors } = await subscribed(t, { queue: "q" });
  FakeSocket.last.serve(message(11, { tag: "t1" }));
  const ack = subscription.ack(messages[0]);
  const [{ ref }] = FakeSocket.last.got("ack");
  FakeSocket.last.serve({ type: "error", ref, id: "s1", code: "unknown_tag", message: "too late", retryable: false });
  await assert.rejects(ack, { code: "unknown_tag", message: "too late" });
  assert.deepEqual(errors, []);
});

test("many acks are spread over frames", async (t) => {
  const { subscription, messages } = await subscribed(t, { queue: "q" });
  FakeSocket.last.serve(...Array.from({ length: 1001 }, (_, i) => message(i, { tag: `t${i}` })));
  subscription.ack(messages);
  assert.deepEqual(FakeSocket.last.got("ack").map((f) => f.tags.length), [500, 500, 1]);
});
