const PROTOCOL = "msgq.v1";
// A page sees no WebSocket pings, so the client asks by itself whether a silent server is still there. In ms.
const QUIET = 25_000;
const ANSWER = 15_000;
const TICK = 5_000;
const STABLE = 5_000; // a connection that held this long makes the next wait a short one

/** ms before the next attempt; jitter keeps clients from coming back all at once. */
export function pause(code, attempt) {
  if (code === 1001) return Math.random() * 5_000;
  return Math.min(30_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

const isFinal = (code) => code >= 4400 && code < 4500 && code !== 4408 && code !== 4429;

/** One WebSocket after another: authenticated, watched and made anew. */
export class Connection {
  #url; #token; #WebSocket; #on;
  #socket; #used; #refused; #timer; #watch;
  #turn = 0; // what was begun in an earlier turn is void
  #attempt = 0;
  #since = 0; #heard = 0; #asked = 0; // times: of the welcome, of the last frame, of a question not answered yet

  /** @param {{onState: Function, onFrame: Function, onError: Function}} on */
  constructor(url, token, WebSocket, on) {
    this.#url = url;
    this.#token = token;
    this.#WebSocket = WebSocket;
    this.#on = on;
    // A page that the browser keeps for "back" must not keep messages; shown again, its timer goes on.
    globalThis.addEventListener?.("pagehide", () => this.#drop(this.#socket, "the page was left"));
  }

  /** Names the present socket, to tell what came on an earlier one. */
  get socket() { return this.#socket; }

  connect() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    this.#dial(turn).catch((error) => {
      if (turn !== this.#turn) return;
      this.#on.onError(error);
      this.#retry(0, error.message);
    });
  }

  async setToken(token) {
    this.#token = token;
    if (!this.#socket) return this.connect();
    if (!this.#since && this.#used) return; // the answer to that one comes first
    const turn = ++this.#turn;
    const value = await this.#ask();
    if (turn !== this.#turn) return;
    this.#used = value;
    this.send({ type: "auth", token: value });
  }

  close() {
    this.#turn++;
    clearTimeout(this.#timer);
    this.#detach()?.close(1000);
    this.#on.onState({ state: "closed", code: 1000 });
  }

  send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  #ask() { return typeof this.#token === "function" ? this.#token() : this.#token; }

  async #dial(turn) {
    const value = await this.#ask();
    if (turn !== this.#turn) return;
    if (value && value === this.#refused) return this.#on.onState({ state: "closed", code: 4401, reason: "no new token" });
    const socket = new this.#WebSocket(this.#url, [PROTOCOL]);
    this.#socket = socket;
    this.#used = value;
    this.#asked = Date.now();
    this.#watch = setInterval(() => this.#check(socket), TICK);
    socket.onopen = () => { if (this.#used && socket === this.#socket) this.send({ type: "auth", token: this.#used }); };
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    socket.onerror = () => {}; // a close follows
  }

  #receive(socket, text) {
    this.#heard = Date.now();
    try {
      for (const line of text.split("\n")) {
        if (socket !== this.#socket) return; // closed, maybe by a handler just now
        this.#asked = 0;
        if (line) this.#handle(JSON.parse(line), line);
      }
    } catch (error) {
      this.#on.onError(error);
      this.#lost(socket, 1002, "not understood"); // the next connection resumes in front of it
      socket.close();
    }
  }

  #handle(frame, line) {
    if (frame.type !== "welcome") return this.#on.onFrame(frame, line);
    if (this.#since) return; // the answer to a renewal
    this.#since = Date.now();
    this.#on.onState({ state: "live", epoch: frame.epoch, server: frame.server });
    if (typeof this.#token !== "function" && this.#token !== this.#used) this.setToken(this.#token);
  }

  #check(socket) {
    const now = Date.now();
    if (this.#asked && now - this.#asked > ANSWER) {
      this.#drop(socket, "no answer");
    } else if (!this.#asked && now - this.#heard > QUIET) {
      this.#asked = now;
      this.send({ type: "ping" });
    }
  }

  #drop(socket, reason) {
    if (!socket) return;
    this.#lost(socket, 1006, reason);
    socket.close(); // may take its time, nobody waits for it
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    if (this.#since && Date.now() - this.#since > STABLE) this.#attempt = 0;
    this.#detach();
    if (code === 4401) this.#refused = this.#used;
    const newToken = code === 4401 && (typeof this.#token === "function" || this.#token !== this.#used);
    if (isFinal(code) && !newToken) this.#on.onState({ state: "closed", code, reason });
    else this.#retry(code, reason);
  }

  #detach() {
    const socket = this.#socket;
    clearInterval(this.#watch);
    this.#socket = undefined;
    this.#since = 0;
    return socket;
  }

  #retry(code, reason) {
    const wait = pause(code, this.#attempt++);
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#on.onState({ state: "reconnecting", code, reason, wait });
  }
}
