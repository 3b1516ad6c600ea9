import { $ } from "./dom.js";
import { detail, row } from "./row.js";

export const KEPT = 500; // rows
const KEPT_CHARS = 32_000_000; // of all rows together: messages may have a megabyte each
const QUIET = 100; // ms without new rows, before the next ones are pointed out

/**
 * The newest messages. However fast they come, the page is touched once per
 * frame, and with no more rows than it keeps.
 */
export class Table {
  #body = $("live-rows");
  #scroller = $("live-scroller");
  #waiting = []; // [message, line], not shown yet
  #waitingChars = 0;
  #missed = 0; // came while paused
  #lines = new Map(); // row → line, oldest first
  #chars = 0;
  #frame = 0;
  #flushed = 0; // when
  #paused = false;

  /** Is called after each change of what is shown. */
  changed = () => {};

  constructor() {
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#scroller.addEventListener("scroll", () => ($("live-newest").hidden = this.#scroller.scrollTop === 0), { passive: true });
    $("live-newest").addEventListener("click", () => (this.#scroller.scrollTop = 0));
    this.#body.addEventListener("keydown", (event) => this.#key(event));
  }

  get rows() { return this.#lines.size; }
  get missed() { return this.#missed; }
  get paused() { return this.#paused; }

  push(message, line) {
    this.#waiting.push([message, line]);
    this.#waitingChars += line.length;
    if (this.#paused) this.#missed++;
    if (this.#waiting.length >= 2 * KEPT || this.#waitingChars > KEPT_CHARS) {
      this.#waiting.splice(0, Math.ceil(this.#waiting.length / 2));
      this.#waitingChars = this.#waiting.reduce((sum, [, l]) => sum + l.length, 0);
    }
    this.#schedule();
  }

  pause(paused) {
    this.#paused = paused;
    if (!paused) this.#missed = 0;
    this.#schedule();
    this.changed();
  }

  clear() {
    this.#waiting = [];
    this.#waitingChars = this.#chars = this.#missed = 0;
    this.#lines.clear();
    this.#body.replaceChildren();
    this.#scroller.scrollTop = 0;
    this.changed();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.#paused && this.#waiting.length > 0) this.#holding(() => this.#flush());
      this.changed();
    });
  }

  #flush() {
    const fresh = this.#waiting.slice(-KEPT);
    this.#waiting = [];
    this.#waitingChars = 0;
    const quiet = performance.now() - this.#flushed > QUIET;
    this.#flushed = performance.now();
    const fragment = document.createDocumentFragment();
    for (const [message, line] of fresh) {
      const tr = row(message, line);
      tr.dataset.seq = message.seq;
      tr.classList.toggle("fresh", quiet);
      this.#lines.set(tr, line);
      this.#chars += line.length;
      fragment.prepend(tr);
    }
    this.#body.prepend(fragment);
    for (const [tr, line] of this.#lines) {
      if (this.#lines.size <= KEPT && this.#chars <= KEPT_CHARS) break;
      if (isOpen(tr)) continue; // somebody reads it
      this.#lines.delete(tr);
      this.#chars -= line.length;
      tr.remove();
    }
  }

  /** Keeps what the reader looks at where it is, while rows come in above it. */
  #holding(change) {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const seen = (tr) => tr.getBoundingClientRect().bottom > top && tr.getBoundingClientRect().top < bottom;
    const opened = [...this.#body.querySelectorAll(".opened, .detail")];
    const scrolled = this.#scroller.scrollTop > 0 ? [...this.#body.children] : []; // else it follows the newest
    const held = opened.find(seen) ?? scrolled.find(seen);
    const before = held?.getBoundingClientRect().top;
    change();
    if (held?.isConnected) this.#scroller.scrollTop += held.getBoundingClientRect().top - before;
  }

  #click(event) {
    const tr = event.target.closest("tr.row");
    const marking = event.detail > 0 && !getSelection().isCollapsed; // with the mouse
    if (!tr || marking) return;
    const open = !isOpen(tr);
    tr.querySelector("button").ariaExpanded = String(open);
    tr.classList.toggle("opened", open);
    if (!open) return tr.nextElementSibling.remove();
    const line = this.#lines.get(tr);
    tr.after(detail(JSON.parse(line), line));
  }

  #key(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step || !event.target.matches(".seq button")) return;
    let tr = event.target.closest("tr")[step];
    while (tr && !tr.matches(".row")) tr = tr[step];
    tr?.querySelector("button").focus();
    event.preventDefault();
  }
}

const isOpen = (tr) => tr.classList.contains("opened");
