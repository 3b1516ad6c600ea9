import { ask } from "./api.js";
import { DeadLetters } from "./dead.js";
import { $, figure, h } from "./dom.js";
import { cell } from "./row.js";

const LOOK_EVERY = 2000; // ms from an answer to the next question
const PATIENCE = 30_000; // ms
const COUNTS = ["ready", "in_flight", "waiting_retry", "dead"];

/** The list of queues, with counts kept up to date while it is seen, and the queue that was chosen. */
export class Queues {
  #token;
  #dead;
  #open = ""; // name
  #timer;
  #looks = 0; // so far: an answer that came too late is dropped
  #rows = new Map(); // name → row

  /** Is called with the name of a queue that the reader chose. */
  chosen = () => {};

  /** @param {() => string | null} token */
  constructor(token) {
    this.#token = token;
    this.#dead = new DeadLetters(token, () => this.#look());
    $("queue-rows").addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) this.chosen(row.dataset.name);
    });
    document.addEventListener("visibilitychange", () => this.#timer && this.#look());
  }

  show(name) {
    this.#open = name;
    $("queue-open").hidden = true; // until its counts are there
    this.#mark();
    this.#dead.close();
    this.#look();
  }

  hide() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#looks++;
    this.#dead.close();
  }

  /** Reads the list, now and then every two seconds. */
  async #look() {
    clearTimeout(this.#timer);
    const look = ++this.#looks;
    if (!document.hidden) await this.#read(look);
    if (look === this.#looks) this.#timer = setTimeout(() => this.#look(), LOOK_EVERY);
  }

  async #read(look) {
    let queues;
    try {
      queues = JSON.parse(await ask(this.#token(), "/v1/queues?limit=1000", { signal: AbortSignal.timeout(PATIENCE) })).queues;
    } catch (error) {
      return look === this.#looks && note(`Not up to date: ${error.message}`);
    }
    if (look !== this.#looks) return; // hidden meanwhile, or asked again
    note(queues.length === 1 ? "1 queue" : `${queues.length} queues`);
    this.#list(queues);
    this.#detail(queues.find((q) => q.name === this.#open));
  }

  /** Changes rows in place, so that focus and selection stay. */
  #list(queues) {
    $("queues-empty").hidden = queues.length > 0;
    const names = new Set(queues.map((q) => q.name));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    queues.forEach((q, i) => {
      let row = this.#rows.get(q.name);
      if (!row) {
        row = h("tr", { className: "row", role: "row" },
          cell("name", q.name, h("button", { type: "button", className: "link" }, q.name)), ...COUNTS.map((count) => cell(`number ${count}`)));
        row.dataset.name = q.name;
        this.#rows.set(q.name, row);
      }
      COUNTS.forEach((count, k) => {
        const place = row.children[k + 1];
        place.textContent = figure(q[count] ?? 0);
        place.classList.toggle("zero", !q[count]);
      });
      const there = $("queue-rows").children[i];
      if (there !== row) $("queue-rows").insertBefore(row, there ?? null);
    });
    this.#mark();
  }

  #mark() {
    for (const [name, row] of this.#rows) {
      row.classList.toggle("opened", name === this.#open);
      row.querySelector("button").ariaCurrent = name === this.#open ? "true" : null;
    }
  }

  #detail(queue) {
    $("queue-none").hidden = Boolean(queue);
    $("queue-none").textContent = this.#open ? `There is no queue ${this.#open}.` : "Choose a queue to see its settings and its dead letters.";
    $("queue-open").hidden = !queue;
    if (!queue) return this.#dead.close();
    $("queue-name").textContent = queue.name;
    const facts = [
      ["Topics", queue.topics.join(" ")], ["Filter", queue.filter || "none"], ["Attempts", queue.max_attempts], ["Ack wait", queue.ack_wait],
      ["Backoff", [queue.backoff].flat().join(", ")], ["Delivered", figure(queue.delivered)], ["Acknowledged", figure(queue.acknowledged)],
      ["Expired", figure(queue.expired)], ["Members", figure(queue.members)], ...(queue.push ? pushed(queue.push) : []),
    ];
    $("queue-facts").replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { className: "mono" }, String(value)))));
    this.#dead.show(queue);
  }
}

const pushed = (push) => [
  ["Push", push.url], ["Webhook", [push.failing ? "fails, tried now and then" : "", push.signed ? "signed" : "not signed"].filter(Boolean).join(", ")],
  ["At once", figure(push.concurrency)], ["Timeout", push.timeout],
];

function note(text) {
  if ($("queues-note").textContent !== text) $("queues-note").textContent = text;
}
