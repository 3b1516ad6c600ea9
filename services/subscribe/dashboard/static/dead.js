import { ask } from "./api.js";
import { confirmed } from "./confirm.js";
import { $, figure, h } from "./dom.js";
import { elements, member } from "./json.js";
import { cell, clock, detail, moment } from "./row.js";

const PAGE = 100;

/** The dead letters of one queue: looked at, redriven, discarded. */
export class DeadLetters {
  #token; #changed;
  #queue = ""; // name; empty: none
  #dead = 0; // how many it has
  #shown = 0; // how many it had when the list was read
  #filter = ""; // of what is listed
  #next = ""; // page
  #reads = 0; // so far: an answer that a later question overtook is dropped
  #lines = new Map(); // row → text of the dead letter
  #working; // AbortController of a redrive or discard

  /**
   * @param {() => string | null} token
   * @param {() => void} changed is called after something was redriven or discarded
   */
  constructor(token, changed) {
    this.#token = token;
    this.#changed = changed;
    $("dead-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#read();
    });
    $("dead-filter").addEventListener("input", () => this.#count());
    $("dead-refresh").addEventListener("click", () => this.#read());
    $("dead-more").addEventListener("click", () => this.#read(this.#next));
    $("dead-redrive").addEventListener("click", () => this.#clear("redrive", this.#selection(), this.#what()));
    $("dead-discard").addEventListener("click", () => this.#clear("discard", this.#selection(), this.#what()));
    $("dead-rows").addEventListener("click", (event) => this.#click(event));
    $("dead-notice").querySelector("button").addEventListener("click", () => (this.#working ? this.#working.abort() : notice("")));
  }

  /** Shows a queue, or its new counts. */
  show({ name, dead }) {
    this.#dead = dead;
    if (name !== this.#queue) {
      this.close();
      this.#queue = name;
      $("dead-filter").value = "";
      return this.#read();
    }
    if (this.#working) return notice(`Working: ${figure(dead)} dead letters are left.`, "Stop");
    const reading = this.#lines.size > PAGE || $("dead-rows").querySelector(".opened");
    if (dead !== this.#shown && !reading) return this.#read(); // else the reader decides
    this.#count();
  }

  close() {
    this.#queue = "";
    this.#working?.abort();
    failure();
    notice("");
    this.#empty();
  }

  #empty() {
    this.#lines.clear();
    $("dead-rows").replaceChildren();
  }

  /** Reads the first page, or one more. */
  async #read(next = "") {
    const queue = this.#queue;
    const read = ++this.#reads;
    const filter = next ? this.#filter : $("dead-filter").value.trim();
    const query = new URLSearchParams({ limit: PAGE, ...(filter && { filter }), ...(next && { next }) });
    const dead = this.#dead;
    this.#shown = dead; // at once: one look must not ask twice
    let text;
    try {
      text = await ask(this.#token(), `${path(queue)}/dead?${query}`);
    } catch (error) {
      return read === this.#reads && queue === this.#queue && failure(error);
    }
    if (read !== this.#reads || queue !== this.#queue) return;
    failure();
    if (!next) this.#empty();
    this.#filter = filter;
    this.#next = JSON.parse(text).next ?? "";
    const rows = elements(member(text, "dead_letters")).map((line) => {
      const tr = row(JSON.parse(line));
      this.#lines.set(tr, line);
      return tr;
    });
    $("dead-rows").append(...rows);
    this.#count();
  }

  #count() {
    const listed = this.#lines.size;
    $("dead-more").hidden = !this.#next;
    $("dead-empty").hidden = listed > 0;
    $("dead-empty-title").textContent = this.#filter ? "None matches" : "No dead letters";
    $("dead-empty-why").textContent = this.#filter ? "" : "What a queue gives up on is kept here, with the reason.";
    $("dead-showing").textContent = `${figure(listed)}${this.#next ? " or more" : ""}${this.#filter ? " match" : ""}, of ${figure(this.#dead)} dead letters`;
    const typed = $("dead-filter").value.trim() !== this.#filter; // and not applied: what the buttons do is not what is listed
    for (const [button, verb] of [["dead-redrive", "Redrive"], ["dead-discard", "Discard"]]) {
      $(button).textContent = this.#filter ? `${verb} matching` : `${verb} all`;
      $(button).disabled = listed === 0 || typed || Boolean(this.#working);
    }
  }

  #selection() { return this.#filter ? { filter: this.#filter } : { all: true }; }

  #what() { return this.#filter ? `All dead letters of ${this.#queue} that match ${this.#filter}` : `All ${figure(this.#dead)} dead letters of ${this.#queue}`; }

  async #clear(act, selection, what) {
    const queue = this.#queue;
    const sure = await confirmed(act === "redrive"
      ? { title: "Redrive?", text: `${what} will be delivered by this queue again, with attempts counted from 1.`, action: "Redrive" }
      : { title: "Discard for good?", text: `${what} will be removed. This cannot be undone.`, action: "Discard", danger: true });
    if (!sure || this.#working || queue !== this.#queue) return;
    const working = (this.#working = new AbortController());
    notice("Working.", "Stop");
    this.#count();
    let done;
    try {
      const { count } = JSON.parse(await ask(this.#token(), `${path(queue)}/dead/${act}`, { method: "POST", body: selection, signal: working.signal }));
      done = `${figure(count)} ${act === "redrive" ? "redriven" : "discarded"}.`;
      failure();
    } catch (error) {
      done = error.name === "AbortError" ? "Stopped. What was not done is as it was." : "";
      if (done === "" && queue === this.#queue) failure(error);
    }
    this.#working = undefined;
    if (queue !== this.#queue) return;
    notice(done, "Dismiss", done.startsWith("Stopped") ? "" : "done");
    await this.#read();
    this.#changed();
  }

  #click(event) {
    const tr = event.target.closest("tr.row");
    const marking = event.detail > 0 && !getSelection().isCollapsed; // with the mouse
    if (!tr || marking) return;
    const open = tr.classList.toggle("opened");
    tr.querySelector("button").ariaExpanded = String(open);
    if (!open) return tr.nextElementSibling.remove();
    const line = this.#lines.get(tr);
    const d = JSON.parse(line);
    tr.after(detail(d, line, [
      ["Reason", d.reason], ["Attempts", d.attempts], ["Redriven", d.redriven ? `${d.redriven} times before` : "never"],
      ["First tried", moment(d.first_at)], ["Dead since", moment(d.dead_at)],
    ], h("div", { className: "actions" }, this.#button("redrive", "Redrive", "small", d), this.#button("discard", "Discard", "small danger", d))));
  }

  #button(act, label, className, { seq }) {
    const button = h("button", { type: "button", className, ariaLabel: `${label} message ${seq}` }, label);
    button.addEventListener("click", () => this.#clear(act, { seqs: [seq] }, `Message ${seq}`));
    return button;
  }
}

const path = (queue) => `/v1/queues/${encodeURIComponent(queue)}`;

function row(d) {
  return h("tr", { className: "row", role: "row" },
    cell("seq", undefined, h("button", { type: "button", ariaExpanded: "false", title: "Show all of it" }, String(d.seq))),
    cell("time", d.dead_at, clock(d.dead_at)), cell("topic", d.topic, d.topic), cell("number", undefined, String(d.attempts)), cell("reason", d.reason, d.reason));
}

function failure(error) {
  $("dead-error").hidden = !error;
  $("dead-error").replaceChildren(...(error ? [h("code", {}, error.code), h("span", { className: "mono" }, error.message)] : []));
  $("dead-filter").ariaInvalid = String(error?.code === "invalid_filter");
}

function notice(text, action = "Dismiss", kind = "") {
  $("dead-notice").hidden = !text;
  $("dead-notice").className = `notice ${kind}`;
  $("dead-notice").querySelector("span").textContent = text;
  $("dead-notice").querySelector("button").textContent = action;
}
