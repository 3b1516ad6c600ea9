import { $, figure, h } from "./dom.js";
import { KEPT } from "./table.js";

const FROM = { new: "new", last: { last: 50 }, all: "all" };
const FROM_WORDS = { new: "new messages", last: "from the last 50 on", all: "from the oldest on" };

/** The live panel: what is subscribed to, and how the table shows it. */
export class Live {
  #client; #table; #rate;
  #shown; // the subscription whose messages are in the table
  #asked; // one that the server has not answered yet

  constructor(client, table, rate) {
    this.#client = client;
    this.#table = table;
    this.#rate = rate;
    table.changed = () => this.#showTable();
    $("live-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    $("live-pause").addEventListener("click", () => table.pause(!table.paused));
    $("live-clear").addEventListener("click", () => table.clear());
    $("live-notice").querySelector("button").addEventListener("click", () => notice(""));
    this.#readAddress();
    this.#showTable();
    this.apply();
  }

  /** Subscribes to what the form says. The old subscription goes on until the server has taken the new one. */
  apply() {
    const wish = { topics: $("live-pattern").value.trim() || ">", filter: $("live-filter").value.trim(), from: $("live-from").value };
    this.#asked?.close();
    const subscription = this.#client.subscribe(wish.topics.split(/[\s,]+/).filter(Boolean), {
      from: FROM[wish.from],
      ...(wish.filter && { filter: wish.filter }),
      onMessage: (message, line) => {
        this.#rate.count();
        this.#table.push(message, line);
      },
      onState: (state) => this.#stateOf(subscription, state, wish),
      onError: (error) => this.#failed(subscription, error),
    });
    this.#ask(subscription);
  }

  #ask(subscription) {
    this.#asked = subscription;
    $("live-apply").ariaBusy = String(Boolean(subscription));
  }

  #stateOf(subscription, state, wish) {
    if (state.state === "live") showEpoch(state.epoch);
    if (state.state === "live" && subscription === this.#asked) return this.#accepted(wish);
    if (subscription !== this.#shown) return;
    if (state.state === "live") failure();
    if (state.state === "skipped") notice(`Messages ${figure(state.from)} to ${figure(state.to)} were skipped.`);
    if (state.state === "live" && !state.recovered) notice("Messages since the last one shown are gone, or the stream began a new epoch. It went on with the oldest held.");
  }

  #accepted(wish) {
    this.#shown?.close();
    this.#shown = this.#asked;
    this.#ask();
    this.#table.clear();
    this.#table.pause(false);
    failure();
    notice("");
    $("live-showing").replaceChildren("Showing ", h("code", {}, wish.topics), ...(wish.filter ? [" where ", h("code", {}, wish.filter)] : []), `, ${FROM_WORDS[wish.from]}`);
    this.#writeAddress(wish);
  }

  #failed(subscription, error) {
    if (subscription !== this.#asked && subscription !== this.#shown) return;
    failure(error);
    if (error.retryable) return;
    if (subscription === this.#asked) this.#ask();
    if (subscription === this.#shown) $("live-showing").textContent = "Ended by the server";
  }

  #showTable() {
    const { rows, missed, paused } = this.#table;
    $("live-empty").hidden = rows > 0;
    $("empty-title").textContent = paused ? "Paused" : "Waiting for messages";
    $("live-pause").textContent = paused ? "Resume" : "Pause";
    $("live-pause").ariaPressed = String(paused);
    $("live-kept").textContent = paused ? `paused, ${figure(missed)} new` : rows >= KEPT ? `the newest ${KEPT} are kept` : rows ? `${rows} shown` : "";
    $("live-kept").classList.toggle("paused", paused);
    this.#rate.show();
  }

  #writeAddress(wish) { history.replaceState(null, "", `#${new URLSearchParams(wish)}`); }

  /** The address holds what is shown, so that it survives a reload and can be passed on. */
  #readAddress() {
    const wish = new URLSearchParams(location.hash.slice(1));
    $("live-pattern").value = wish.get("topics") || ">";
    $("live-filter").value = wish.get("filter") || "";
    $("live-from").value = wish.get("from") in FROM ? wish.get("from") : "new";
  }
}

export function showEpoch(epoch) { $("epoch").textContent = $("epoch").title = epoch; }

const FIELDS = { invalid_filter: "live-filter", invalid_topic: "live-pattern" };

function failure(error) {
  $("live-error").hidden = !error;
  $("live-error").replaceChildren(...(error ? [h("code", {}, error.code), h("span", { className: "mono" }, error.message)] : []));
  for (const [code, field] of Object.entries(FIELDS)) $(field).ariaInvalid = String(error?.code === code);
}

function notice(text) {
  $("live-notice").hidden = !text;
  $("live-notice").querySelector("span").textContent = text;
}
