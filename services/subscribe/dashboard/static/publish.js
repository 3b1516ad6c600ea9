import { $, h } from "./dom.js";
import { pretty } from "./json.js";

/** The form that publishes. @param {() => string | null} token */
export function publishForm(token) {
  const data = $("publish-data");
  const isJSON = () => $("publish-type").value === "application/json";
  const check = () => hint(isJSON() && data.value.trim() ? fault(data.value) : "");

  data.addEventListener("input", check);
  $("publish-type").addEventListener("change", () => {
    $("publish-format").hidden = !isJSON();
    check();
  });
  $("publish-format").addEventListener("click", () => {
    if (!data.value.trim() || fault(data.value)) return data.focus();
    data.value = pretty(data.value).map(([, text]) => text).join("");
  });
  data.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("publish-form").requestSubmit();
  });
  $("publish-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    check();
    const wrong = refusal(isJSON());
    if (wrong) {
      $(wrong.field).focus();
      return failed({ title: "Not sent", detail: wrong.detail });
    }
    $("publish-button").disabled = true;
    await publish(token());
    $("publish-button").disabled = false;
  });
}

function fault(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return error.message;
  }
}

function hint(text) {
  $("publish-hint").textContent = text && `Not JSON yet: ${text}`;
  $("publish-data").ariaInvalid = String(Boolean(text));
}

/** What need not be sent: the rest is for the service to judge. */
function refusal(isJSON) {
  const topic = $("publish-topic").value.trim();
  const id = $("publish-id").value;
  const wrong = isJSON && fault($("publish-data").value);
  if (!topic) return { field: "publish-topic", detail: "A topic is missing, such as orders.created." };
  if (/^\.+$/.test(topic)) return { field: "publish-topic", detail: "A topic is made of words with dots between them." }; // the URL would lose it
  if (wrong) return { field: "publish-data", detail: $("publish-data").value.trim() ? "The data is not JSON." : "The data is empty, which is not JSON." };
  if (!/^[\x21-\x7e]{0,256}$/.test(id)) return { field: "publish-id", detail: "An id has at most 256 visible ASCII characters and no spaces." };
}

async function publish(token) {
  const topic = $("publish-topic").value.trim();
  const id = $("publish-id").value;
  const headers = { "Content-Type": $("publish-type").value };
  if (id) headers["Idempotency-Key"] = id;
  if (token) headers.Authorization = `Bearer ${token}`;
  const url = `/v1/topics/${encodeURIComponent(topic)}/messages`;
  try {
    const answer = await fetch(url, { method: "POST", headers, body: $("publish-data").value });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) stored(body);
    else failed({ title: answer.statusText || "Refused", ...body, status: answer.status, wait: answer.headers.get("Retry-After") });
  } catch {
    failed({ title: "No answer", detail: `The message may or may not be stored. ${id ? "With the same id it can be sent again safely." : "With an id it could be sent again safely."}` });
  }
}

function stored({ seq, id, topic, duplicate }) {
  result(duplicate ? "duplicate" : "stored",
    h("strong", {}, duplicate ? "Stored before" : "Stored"), duplicate ? " (duplicate) as " : " as ", h("b", { className: "seq" }, `seq ${seq}`),
    h("dl", {}, ...[["Topic", topic], ["Id", id]].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { className: "mono" }, String(value))))));
}

function failed({ title, status, detail, code, request_id, wait }) {
  result("failed",
    h("div", {}, h("strong", {}, title), status ? ` ${status} ` : " ", code ? h("code", {}, code) : ""),
    detail ? h("p", {}, detail) : "",
    wait ? h("p", {}, `Try again in ${wait} s.`) : "",
    request_id ? h("p", { className: "muted mono request" }, `request ${request_id}`) : "");
}

function result(kind, ...children) {
  $("publish-result").className = kind;
  $("publish-result").replaceChildren(...children);
}
