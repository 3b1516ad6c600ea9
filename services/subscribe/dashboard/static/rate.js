import { $, figure } from "./dom.js";

const STEP = 500; // ms of one bucket
const KEPT = 120; // buckets, a minute
const WINDOW = 10; // buckets that the shown rate is the mean of
const HEIGHT = 28;

/** Counts messages; shows how many there were, and how many a second. */
export class Rate {
  #buckets = new Array(KEPT).fill(0); // oldest first, the last one still fills
  #seen = 0;
  #area = $("spark").querySelector(".area");
  #line = $("spark").querySelector(".line");
  #last = performance.now();

  constructor() {
    setInterval(() => this.#step(), STEP);
  }

  count() {
    this.#seen++;
    this.#buckets[KEPT - 1]++;
  }

  /** Shows the count at once; the rate follows at its own pace. */
  show() { $("seen").textContent = this.#seen.toLocaleString("en"); }

  #step() {
    const now = performance.now();
    const steps = Math.min(KEPT, Math.max(1, Math.round((now - this.#last) / STEP))); // a tab in the background ticks slowly
    this.#last = now;
    const share = this.#buckets.pop() / steps;
    for (let i = 0; i < steps; i++) this.#buckets.push(share);
    const mean = this.#buckets.slice(-WINDOW).reduce((sum, n) => sum + n, 0) / (WINDOW * (STEP / 1000));
    this.#draw();
    this.#buckets.push(0);
    this.#buckets = this.#buckets.slice(-KEPT);
    $("rate").textContent = figure(mean);
    this.show();
  }

  #draw() {
    const shown = this.#buckets.slice(-KEPT + 1);
    const most = Math.max(...shown, 1);
    const points = shown.map((n, x) => `${x},${(HEIGHT - 1.5 - (n / most) * (HEIGHT - 3)).toFixed(1)}`);
    this.#line.setAttribute("d", `M${points.join("L")}`);
    this.#area.setAttribute("d", `M0,${HEIGHT}L${points.join("L")}L${shown.length - 1},${HEIGHT}Z`);
  }
}
