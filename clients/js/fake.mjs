import { Client } from "./msgq.js";

/** FakeSocket stands for a WebSocket and, with the methods below the line, for the server behind it. */
export class FakeSocket {
  static all = [];
  static get last() { return FakeSocket.all.at(-1); }

  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }

  send(text) { this.sent.push(JSON.parse(text)); }
  close(code) { this.closedWith = code; this.readyState = 2; }

  // ---

  open() {
    this.readyState = 1;
    this.onopen();
    return this;
  }

  welcome(epoch = "e1") { return this.open().serve({ type: "welcome", connection: "c", epoch, server: "test" }); }

  serve(...frames) {
    this.onmessage({ data: frames.map((f) => JSON.stringify(f)).join("\n") });
    return this;
  }

  drop(code = 1006) {
    this.readyState = 3;
    this.onclose({ code, reason: "" });
  }

  /** What was sent of one type. */
  got(type) { return this.sent.filter((f) => f.type === type); }
}

/** Lets what was awaited go on. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A client whose time and chance belong to the test; its states are recorded. */
export async function start(t, options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  t.mock.method(Math, "random", () => 1);
  FakeSocket.all = [];
  const states = [];
  const errors = [];
  const client = new Client({
    url: "ws://host/v1/ws", WebSocket: FakeSocket,
    onState: (s) => states.push(s), onError: (e) => errors.push(e), ...options,
  });
  await settled();
  t.after(() => client.close());
  return { client, states, errors };
}

/** Moves time on, in steps that an interval would see. */
export async function pass(t, ms) {
  for (let left = ms; left > 0; left -= 500) t.mock.timers.tick(Math.min(500, left));
  await settled();
}
