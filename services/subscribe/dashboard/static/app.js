import { Client } from "/client/msgq.js";
import { ask } from "./api.js";
import { $, copy } from "./dom.js";
import { watchHealth } from "./health.js";
import { Live, showEpoch } from "./live.js";
import { publishForm } from "./publish.js";
import { Queues } from "./queues.js";
import { Rate } from "./rate.js";
import { Table } from "./table.js";
import { views } from "./views.js";

const TOKEN = "msgq-token";
const UNAUTHENTICATED = [4401, 4408]; // close codes: refused or expired, and none given

let connection = { state: "connecting" };
let trouble = ""; // why no messages can flow although the service is there

function show() {
  const { state, reason, wait } = connection;
  const waiting = state === "live" && trouble;
  $("pill").dataset.state = $("state").textContent = waiting ? "waiting" : state;
  $("reconnect").hidden = state !== "closed" && state !== "reconnecting";
  const why = [reason?.replace(/\.$/, ""), wait && `again in ${Math.ceil(wait / 1000)} s`];
  $("state-detail").textContent = state === "live" ? trouble : why.filter(Boolean).join(", ");
}

function showState(now) {
  const { state, code, epoch, server } = connection = now;
  show();
  if (state === "live") {
    showEpoch(epoch);
    $("version").textContent = server;
    $("token-form").hidden = true;
  }
  if (UNAUTHENTICATED.includes(code)) askForToken();
}

function askForToken() {
  if (!$("token-form").hidden) return; // once: attempts that follow must not take the focus away
  $("token-form").hidden = false;
  $("token").focus();
}

const client = new Client({
  token: sessionStorage.getItem(TOKEN) || undefined,
  onState: showState,
  onError: (error) => ($("state-detail").textContent = error.message),
});

if (!sessionStorage.getItem(TOKEN)) { // the connection would find out in 10 s
  ask(null, "/v1/topics?limit=1").catch((error) => error.code === "unauthenticated" && askForToken());
}
watchHealth((now) => {
  if (now === trouble) return;
  trouble = now;
  show();
});

$("reconnect").addEventListener("click", () => client.connect());
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  sessionStorage.setItem(TOKEN, token);
  client.setToken(token);
});

const curl = $("empty-curl");
curl.textContent = `curl ${location.origin}/v1/topics/demo.hello/messages \\
  -H 'Content-Type: application/json' -d '{"hello":"world"}'`;
$("empty-copy").addEventListener("click", () => copy(curl.textContent, curl, $("empty-copy")));

const token = () => sessionStorage.getItem(TOKEN);
// A socket without a token is told only after 10 s.
if (!token()) ask(null, "/v1/connections?limit=1").catch((error) => error.code === "unauthenticated" && askForToken());
publishForm(token);
new Live(client, new Table(), new Rate());
views(new Queues(token));
