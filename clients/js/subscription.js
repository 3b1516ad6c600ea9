import { pause } from "./connection.js";
import { MsgqError, call } from "./errors.js";

/** @import { Message, SubscribeOptions } from "./msgq.js" */

const MAX_TAGS = 500; // keeps an ack below the 64 KiB that a frame may have

/** Made by Client.subscribe. It lives through reconnects until it is closed or the server ends it. */
export class Subscription {
  #id; #topics; #wants; #on; #link; #position; #timer;
  #attempt = 0;
  #origins = new WeakMap(); // message → its socket: on another one its tag means nothing, or another message

  /** @package @param {SubscribeOptions} options */
  constructor(id, topics, { onMessage, onState, onError, ...wants }, link) {
    this.#id = id;
    this.#topics = topics;
    this.#wants = wants;
    this.#on = { onMessage, onState, onError };
    this.#link = link;
  }

  /** Of a live subscription: as `from` it goes on right behind the last message seen. */
  get position() { return this.#position && { ...this.#position }; }

  /** Done. @param {Message | Message[]} messages @returns {Promise<void>} resolved once the broker has it */
  ack(messages) { return this.#settle("ack", messages); }

  /** Deliver again. @param {Message | Message[]} messages @param {{delay?: string, reason?: string}} [more] */
  nack(messages, more) { return this.#settle("nack", messages, more); }

  /** Dead-letter now. @param {Message | Message[]} messages @param {{reason?: string}} [more] */
  reject(messages, more) { return this.#settle("reject", messages, more); }

  /** Still working: restarts the ack wait. @param {Message | Message[]} messages */
  progress(messages) {
    const tags = this.#tags([messages].flat());
    if (tags.length) this.#link.request({ type: "progress", id: this.#id, tags });
  }

  /** Most messages unacknowledged here; 0 pauses. @param {number} credit */
  credit(credit) {
    this.#wants.credit = credit;
    this.#link.request({ type: "credit", id: this.#id, credit });
  }

  close() {
    this.#link.request({ type: "unsubscribe", id: this.#id });
    this.#end({});
  }

  #end(state) {
    clearTimeout(this.#timer);
    this.#link.forget();
    this._enter({ ...state, state: "closed" });
  }

  #tags(messages) {
    return messages.filter((m) => this.#origins.get(m) === this.#link.socket()).map((m) => m.tag);
  }

  #settle(type, messages, more) {
    const list = [messages].flat();
    const tags = this.#tags(list);
    const work = [];
    for (let i = 0; i < tags.length; i += MAX_TAGS) {
      const frame = { ...more, type, id: this.#id, tags: tags.slice(i, i + MAX_TAGS) };
      work.push(new Promise((done, fail) => this.#link.request(frame, (error) => (error ? fail(error) : done()))));
    }
    if (tags.length < list.length) {
      work.push(Promise.reject(new MsgqError({ code: "unknown_tag", message: "delivered on an earlier connection; it comes again" })));
    }
    const all = Promise.all(work).then(() => {});
    all.catch(() => {}); // who does not wait for it does not want to know
    return all;
  }

  /** Asks for the subscription on a new connection. @package */
  _start() {
    clearTimeout(this.#timer);
    const from = this.#position ?? this.#wants.from;
    this.#link.request({ ...this.#wants, from, type: "subscribe", id: this.#id, topics: this.#topics }, (error) => {
      if (!error || error.code === "connection_lost") return;
      if (error.retryable) this.#timer = setTimeout(() => this._start(), pause(0, this.#attempt++));
      else this.#end({ code: error.code, reason: error.message });
      call(this.#on.onError, error);
    });
  }

  /** @package */
  _enter(state) { call(this.#on.onState, state); }

  /** @package */
  _handle(frame, line) {
    switch (frame.type) {
      case "message":
        if (frame.tag === undefined) this.#position.after = frame.seq;
        else this.#origins.set(frame, this.#link.socket());
        return call(this.#on.onMessage, frame, line);
      case "position":
        this.#position.after = frame.seq;
        return;
      case "skipped":
        this.#position.after = frame.to;
        return this._enter({ state: "skipped", from: frame.from, to: frame.to });
      case "subscribed": // comes again, unasked, where messages are gone or the stream became another one
        this.#attempt = 0;
        if (!this.#wants.queue) this.#position = { after: frame.seq, epoch: frame.epoch };
        return this._enter({ state: "live", seq: frame.seq, epoch: frame.epoch, recovered: frame.recovered });
      case "unsubscribed":
        this.#end({ code: frame.code, reason: "ended by the server" });
        return call(this.#on.onError, new MsgqError({ code: frame.code, message: "ended by the server" }));
      case "error":
        return call(this.#on.onError, new MsgqError(frame));
    }
  }
}
