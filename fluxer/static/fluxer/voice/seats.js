/**
 * One's seats at the service. What takes or moves one waits its turn, so that the last word is the
 * last there, too: an answer that is overtaken would seat the person elsewhere.
 */

export class Seats {
  #api;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
  }

  /** Resolves when nothing is under way any more. */
  get rest() {
    return this.#last;
  }

  /** A request about one's own connection. */
  own(method, body, { guildId, channelId }) {
    const of = guildId ? `/guilds/${guildId}` : `/channels/${channelId}`;
    const path = `${of}/voice-states/@me`;
    if (method === "GET") return this.#api.ask("GET", `${path}?${new URLSearchParams(body)}`);
    return this.#api.ask(method, path, body, { keepalive: body.channel_id === null });
  }

  /** After everything that has been asked before. @template T @param {() => Promise<T>} work */
  inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /**
   * A token, for a new seat or for that of `connectionId`; null: nobody wants it any more, and a new
   * seat is given back.
   *
   * @param {import("./journey.js").Place} place
   * @param {string | null} connectionId
   * @param {() => boolean} isWanted
   */
  take(place, connectionId, isWanted) {
    return this.inTurn(async () => {
      if (!isWanted()) return null;
      const grant = await this.renew(place, connectionId);
      if (isWanted()) return grant;
      if (connectionId === null) await this.give(place, grant.connection_id);
      return null;
    });
  }

  /**
   * Another token for a seat that one has: out of turn, since it takes and moves none, and nobody who
   * wants to be elsewhere waits for it.
   */
  renew({ guildId, channelId, region, latitude, longitude }, connectionId) {
    const wish = { guild_id: guildId, region, latitude, longitude, connection_id: connectionId ?? undefined };
    return this.#api.ask("POST", `/channels/${channelId}/voice/token`, wish);
  }

  /** Told at once: the page may be going away. */
  leave(place, connectionId) {
    const given = connectionId ? this.give(place, connectionId) : null;
    this.#last = Promise.all([this.#last, given]);
  }

  /** Back to the service; one that cannot be told finds out by itself. */
  give(place, connectionId) {
    return this.own("PATCH", { channel_id: null, connection_id: connectionId }, place).catch(() => {});
  }
}
