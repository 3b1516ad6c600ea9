/** What went wrong: `code` is one of the contract's error codes, or `connection_lost`. */
export class MsgqError extends Error {
  /** @param {{code: string, message?: string, retryable?: boolean}} frame */
  constructor({ code, message = code, retryable = false }) {
    super(message);
    Object.assign(this, { name: "MsgqError", code, retryable });
  }
}

/** What is told to those who wait for an answer of a connection that is gone. */
export const lost = (reason) => new MsgqError({ code: "connection_lost", message: reason, retryable: true });

/** Calls a handler. One that throws must not cost the others their messages, so its error surfaces on its own. */
export function call(handler, ...args) {
  try {
    handler?.(...args);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}
