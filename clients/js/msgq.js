/**
 * Client of the msgq event gateway: live subscriptions and queues over one
 * WebSocket, which it keeps up. Field names are those of GET /asyncapi.yaml.
 *
 *   const client = new Client({ url: "wss://events.example.com/v1/ws", token });
 *   client.subscribe("github.>", { filter: 'data.action == "opened"', onMessage: (m) => console.log(m.topic, m.data) });
 *   const jobs = client.subscribe("jobs.*", { queue: "mailer", credit: 8, onMessage: (m) => send(m.data).then(() => jobs.ack(m)) });
 *
 * @typedef {{seq: number, topic: string, time: string, message_id: string, headers?: Record<string, string>,
 *   datacontenttype: string, data?: any, data_base64?: string, tag?: string, attempt?: number}} Message
 * @typedef {"new" | "all" | {after: number, epoch: string} | {time: string} | {last: number}} From
 * @typedef {{state: "connecting" | "live" | "reconnecting" | "closed", epoch?: string, server?: string,
 *   code?: number, reason?: string, wait?: number}} ConnectionState `wait`: ms until the next attempt
 * @typedef {{state: "connecting" | "live" | "skipped" | "reconnecting" | "closed", seq?: number, epoch?: string, recovered?: boolean,
 *   from?: number, to?: number, code?: number | string, reason?: string}} SubscriptionState
 * @typedef {object} SubscribeOptions
 * @property {string} [filter] CEL over one message
 * @property {From} [from] where to start, "new" by default
 * @property {"catchup" | "skip" | "close"} [overflow] live: what the server does when this client cannot keep up
 * @property {string} [queue] name of a queue to join; every message of it wants an ack, nack or reject
 * @property {number} [credit] queue: most messages unacknowledged here
 * @property {string} [ack_wait] queue: a Go duration
 * @property {number} [max_attempts] queue
 * @property {string | string[]} [backoff] queue: Go durations
 * @property {(message: Message, line: string) => void} [onMessage] `line` is the JSON text that `message` was read from
 * @property {(state: SubscriptionState) => void} [onState] "live" with `recovered: false`: messages asked for are gone
 * @property {(error: MsgqError) => void} [onError] one that is not `retryable` and answers the subscribe ends it
 */
import { Connection } from "./connection.js";
import { MsgqError, call, lost } from "./errors.js";
import { Subscription } from "./subscription.js";

export { MsgqError, Subscription };

export class Client {
  /** @type {ConnectionState["state"]} */
  state = "connecting";
  #options; #connection;
  #subscriptions = new Map();
  #answers = new Map(); // ref → who waits for it
  #count = 0;

  /**
   * Connects at once.
   * @param {object} [options]
   * @param {string} [options.url] default: /v1/ws of the page's own host
   * @param {string | (() => string | Promise<string>)} [options.token] a function is asked before each connection
   * @param {(state: ConnectionState) => void} [options.onState]
   * @param {(error: Error) => void} [options.onError] errors that belong to no subscription
   * @param {typeof WebSocket} [options.WebSocket] for a Node without one of its own
   */
  constructor(options = {}) {
    this.#options = options;
    const url = new URL(options.url ?? "/v1/ws", globalThis.location?.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#connection = new Connection(url.href, options.token, options.WebSocket ?? globalThis.WebSocket, {
      onState: (state) => this.#enter(state),
      onFrame: (frame, line) => this.#handle(frame, line),
      onError: (error) => call(options.onError, error),
    });
    this.#connection.connect();
  }

  /**
   * With `queue` it joins that queue, else it is a live subscription.
   * @param {string | string[]} topics patterns
   * @param {SubscribeOptions} [options]
   */
  subscribe(topics, options = {}) {
    const id = `s${++this.#count}`;
    const subscription = new Subscription(id, [topics].flat(), options, {
      socket: () => this.#connection.socket,
      request: (frame, answer) => this.#request(frame, answer),
      forget: () => this.#subscriptions.delete(id),
    });
    this.#subscriptions.set(id, subscription);
    if (this.state === "live") subscription._start();
    return subscription;
  }

  /** Renews the connection's token, or connects again with it after a refusal. */
  setToken(token) {
    this.#connection.setToken(token).catch((error) => call(this.#options.onError, error));
  }

  /** Connects now instead of after the wait, or again after `closed`. Harmless while connected. */
  connect() {
    if (this.state === "closed") this.#enter({ state: "connecting" });
    this.#connection.connect();
  }

  /** Ends the connection and all subscriptions. */
  close() {
    this.#connection.close();
    this.#subscriptions.clear();
  }

  #enter(state) {
    this.state = state.state;
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(lost(state.reason || `closed with ${state.code}`));
    const before = [...this.#subscriptions]; // a handler may add some, which start by themselves
    call(this.#options.onState, state);
    for (const [id, subscription] of before) {
      if (!this.#subscriptions.has(id)) continue;
      if (state.state === "live") subscription._start();
      else subscription._enter(state);
    }
  }

  #handle(frame, line) {
    const error = frame.type === "error" ? new MsgqError(frame) : undefined;
    const answer = this.#answers.get(frame.ref);
    this.#answers.delete(frame.ref);
    answer?.(error);
    if (answer && error) return;
    const subscription = this.#subscriptions.get(frame.id);
    if (subscription) subscription._handle(frame, line);
    else if (error) call(this.#options.onError, error);
  }

  #request(frame, answer) {
    if (this.state !== "live") return answer?.(lost("not connected"));
    if (!answer) return this.#connection.send(frame);
    const ref = ++this.#count;
    this.#answers.set(ref, answer);
    this.#connection.send({ ...frame, ref });
  }
}
