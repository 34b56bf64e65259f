/** The service over HTTP. Every failure is a VoiceError with a code. */

const DEADLINE = 10_000; // milliseconds

/** What went wrong: the service's `code`, or NETWORK, and what else it said. */
export class VoiceError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, reason?: string, cause?: unknown}} [more]
   */
  constructor(code, message, { status = 0, retryAfter = 0, reason, cause } = {}) {
    super(message, { cause });
    this.name = "VoiceError";
    this.code = code;
    /** The HTTP status; 0 when there was no answer. */
    this.status = status;
    /** Seconds. */
    this.retryAfter = retryAfter;
    /** Why a connection ended, with UNKNOWN_VOICE_STATE. */
    this.reason = reason;
  }

  /** Whether the same request may go through a little later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  #url;
  #token;
  #good = null; // the last one that the service has taken
  #fetch;

  /**
   * @param {object} options
   * @param {string} [options.api] where the service is; empty: where the page came from
   * @param {string | ((refused: boolean) => string | Promise<string>)} options.token the caller's,
   *   or who gives it; asked before each request, but for those that leave, which may be a page's
   *   last and use the last good one; and once more, with `true`, when the service has refused it
   * @param {typeof fetch} [options.fetch]
   */
  constructor({ api = "", token, fetch = globalThis.fetch }) {
    this.#url = api.replace(/\/$/, "");
    this.#token = token;
    this.#fetch = fetch;
  }

  /**
   * The body of a good answer; throws VoiceError.
   *
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {{keepalive?: boolean}} [how] `keepalive`: it arrives even if the page goes away
   * @returns {Promise<any>}
   */
  async ask(method, path, body, how = {}) {
    try {
      return await this.#once(method, path, body, how, false);
    } catch (error) {
      if (error.status !== 401 || typeof this.#token !== "function") throw error;
      return this.#once(method, path, body, how, true);
    }
  }

  async #once(method, path, body, { keepalive = false }, refused) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), DEADLINE);
    try {
      const { signal } = late;
      const known = this.#known({ keepalive, refused });
      const token = known ?? await asked(() => this.#token(refused), signal);
      return await this.#answer(method, path, body, { keepalive, signal }, token);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The token, where nobody has to be asked: a page that goes away does not live to hear an answer. */
  #known({ keepalive, refused }) {
    if (typeof this.#token !== "function") return this.#token;
    return keepalive && !refused ? this.#good : null;
  }

  async #answer(method, path, body, { keepalive, signal }, token) {
    /** @type {RequestInit} */
    const request = { method, keepalive, signal, headers: { Authorization: `Bearer ${token}` } };
    if (body !== undefined) {
      request.headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body);
    }
    let answer;
    let said = {};
    try {
      answer = await this.#fetch.call(globalThis, this.#url + path, request);
      this.#good = answer.status === 401 ? null : token;
      if (answer.status !== 204) said = await answer.json();
    } catch (cause) {
      if (answer?.ok !== false) {
        throw new VoiceError("NETWORK", "The voice service cannot be reached.", { cause });
      }
    }
    if (answer.ok) return said;
    throw refusal(answer, said ?? {});
  }
}

/** The service's own, or a proxy's, which says nothing of ours and over HTTP/2 nothing at all. */
function refusal({ status, headers }, said) {
  const message = said.message || `The voice service answers with ${status} only.`;
  return new VoiceError(said.code ?? "INTERNAL_ERROR", message, {
    status,
    retryAfter: Number(said.retry_after ?? headers.get("Retry-After")) || 0,
    reason: said.reason,
  });
}

/** A token from whoever gives it. Without one there is no use in asking, but there may be later. */
async function asked(give, signal) {
  const isLate = new Promise((_, reject) => {
    signal.onabort = () => reject(signal.reason);
  });
  try {
    return await Promise.race([give(), isLate]);
  } catch (cause) {
    if (cause instanceof VoiceError) throw cause; // it knows better: UNAUTHORIZED, perhaps
    throw new VoiceError("NO_TOKEN", "There is no token for the voice service just now.", { cause });
  }
}
