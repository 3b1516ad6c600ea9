/** What the service refused: `code` and `message` of its problem details. */
export class Refused extends Error {
  constructor(status, { code = String(status), detail = "The service gave no reason." }) {
    super(detail);
    this.code = code;
  }
}

/**
 * Asks the service and returns the text of its answer.
 * @param {string | null} token
 */
export async function ask(token, path, { method = "GET", body, signal } = {}) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }) };
  let answer, text;
  try {
    answer = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { code: "no_answer", detail: "The service cannot be reached." });
  }
  if (answer.ok) return text;
  throw new Refused(answer.status, parsed(text));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
