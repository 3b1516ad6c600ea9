import { copy, h } from "./dom.js";
import { member, pretty } from "./json.js";

const PREVIEW = 240; // characters, more than fits
const COLOURED = 100_000; // characters; beyond that a page of spans would take too long

/** A row of the table. */
export function row(message, line) {
  return h("tr", { className: "row", role: "row" },
    cell("seq", undefined, h("button", { type: "button", ariaExpanded: "false", title: "Show all of it" }, String(message.seq))),
    cell("time", message.time, clock(message.time)),
    cell("topic", message.topic, message.topic),
    cell("id", message.message_id, message.message_id),
    cell("type", message.datacontenttype, message.datacontenttype),
    cell("preview", undefined, preview(message, line)),
  );
}

export const cell = (className, title, content) => h("td", { className, role: "cell", ...(title && { title }) }, content);

/** The row that opens below a row: the message, more facts about it, and buttons for what can be done. */
export function detail(message, line, more = [], ...actions) {
  const { text, pieces, note } = content(message, line);
  const pre = h("pre", { className: "mono data", tabIndex: 0, ariaLabel: "Data" }, ...pieces);
  const button = h("button", { type: "button", className: "small" }, "Copy");
  button.addEventListener("click", () => copy(text, pre, button));
  const facts = [
    ["Topic", message.topic], ["Id", message.message_id], ["Seq", message.seq], ["Time", moment(message.time)],
    ["Content type", message.datacontenttype], ...more,
  ];
  const headers = Object.entries(message.headers ?? {});
  return h("tr", { className: "detail", role: "row" }, h("td", { role: "cell", ariaColSpan: "6" }, h("div", { className: "open" },
    h("div", { className: "about" },
      h("h3", {}, "Message"), list(facts),
      h("h3", {}, "Headers"), headers.length ? list(headers) : h("p", { className: "muted" }, "none"),
      ...actions,
    ),
    h("div", { className: "content" },
      h("div", { className: "label-line" }, h("h3", {}, "Data ", h("span", { className: "muted" }, note)), button),
      pre,
    ),
  )));
}

export function list(entries) {
  return h("dl", {}, ...entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { className: "mono" }, String(value)))));
}

const isText = (message) => typeof message.data === "string" && message.datacontenttype.startsWith("text/");

function preview(message, line) {
  if (message.data_base64 !== undefined) return `${size(bytes(message.data_base64))} of bytes`;
  if (isText(message)) return message.data.slice(0, PREVIEW).replace(/\s+/g, " ");
  return member(line, "data", PREVIEW) ?? "";
}

function content(message, line) {
  if (message.data_base64 !== undefined) {
    const text = message.data_base64;
    return { text, pieces: [text], note: `${size(bytes(text))}, shown as base64` };
  }
  const text = isText(message) ? message.data : member(line, "data") ?? "";
  const note = size(new TextEncoder().encode(text).length);
  if (isText(message)) return { text, pieces: [text], note };
  const parts = pretty(text);
  const whole = parts.map(([, t]) => t).join("");
  const plain = whole.length > COLOURED;
  return { text: whole, pieces: plain ? [whole] : parts.map(([kind, t]) => (kind ? h("span", { className: kind }, t) : t)), note };
}

const bytes = (base64) => (base64.length / 4) * 3 - (base64.match(/=*$/)[0].length);

function size(n) {
  return n < 1024 ? `${n} B` : n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

const two = (n) => String(n).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Local time with its distance from UTC, to the last digit that came. */
export function moment(time) {
  const t = new Date(time);
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  const fraction = time.match(/\.\d+/)?.[0] ?? "";
  const zone = -t.getTimezoneOffset();
  const from = `${zone < 0 ? "-" : "+"}${two(Math.floor(Math.abs(zone) / 60))}:${two(Math.abs(zone) % 60)}`;
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}${fraction} ${from}`;
}

/** Local time to the ms; of another day the date instead of the ms. */
export function clock(time) {
  const t = new Date(time);
  const seconds = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  if (t.toDateString() === new Date().toDateString()) return `${seconds}.${String(t.getMilliseconds()).padStart(3, "0")}`;
  return `${two(t.getDate())} ${MONTHS[t.getMonth()]} ${seconds}`;
}
