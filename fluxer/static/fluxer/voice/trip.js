/** Carries out what the journey orders: asks the service, enters rooms, waits. */
import { VoiceError } from "./api.js";
import { isUnderWay, START, step } from "./journey.js";
import * as sentences from "./sentences.js";

/**
 * @typedef {object} Surroundings
 * @property {import("./api.js").Api} api
 * @property {object} chance `random` and `patience`
 * @property {object} [connect] LiveKit's RoomConnectOptions
 * @property {(tell: (name: string, detail?: any) => void) => import("./visit.js").Visit} visit a new one
 * @property {(name: string, detail?: any) => void} tell `changed`, `entered`, `emptied`, and what
 *   LiveKit says of the visit
 */

export class Trip {
  journey = START;
  /** The room that one is in. @type {import("./visit.js").Visit | null} */
  visit = null;
  #entering = null;
  #arrival = null;
  #timer;
  #around;

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
  }

  get isUnderWay() {
    return isUnderWay(this.journey);
  }

  /** Something happens. What it brings about is under way when this returns. */
  on(event) {
    const before = this.journey;
    const { journey, orders } = step(before, { now: Date.now(), ...event }, this.#around.chance);
    this.journey = journey;
    if (journey.next === null) clearTimeout(this.#timer);
    const done = orders.map((order) => this.#orders[order.type](order));
    if (journey !== before) this.#changed(before);
    return done;
  }

  /** What resolves on the next arrival, and fails when there will be none. */
  arrival() {
    this.#arrival ??= resolvers();
    return this.#arrival.promise;
  }

  /** Whoever waits for the arrival waits in vain. */
  supersede() {
    this.#settle(new VoiceError("SUPERSEDED", "Another channel was chosen meanwhile."));
  }

  /** A request about one's own connection. */
  own(method, body, place = this.journey.place) {
    const of = place.guildId ? `/guilds/${place.guildId}` : `/channels/${place.channelId}`;
    const path = `${of}/voice-states/@me`;
    const { api } = this.#around;
    if (method === "GET") return api.ask("GET", `${path}?${new URLSearchParams(body)}`);
    return api.ask(method, path, body, { keepalive: body.channel_id === null });
  }

  #orders = {
    close: () => {
      const visits = [this.visit, this.#entering];
      this.visit = this.#entering = null;
      this.#around.tell("emptied");
      return Promise.all(visits.map((visit) => visit?.end()));
    },

    token: async ({ place, connectionId, run }) => {
      const { guildId, channelId, region, latitude, longitude } = place;
      const wish = { guild_id: guildId, region, latitude, longitude, connection_id: connectionId ?? undefined };
      try {
        const grant = await this.#around.api.ask("POST", `/channels/${channelId}/voice/token`, wish);
        // A seat that nobody waits for any more.
        if (!this.isUnderWay) this.#leave(place, grant.connection_id);
        this.on({ type: "granted", run, grant });
      } catch (error) {
        this.on({ type: "failed", run, stage: "token", error: known(error) });
      }
    },

    ask: async ({ place, connectionId, run }) => {
      try {
        const state = await this.own("GET", { connection_id: connectionId }, place);
        this.on({ type: "found", run, state });
      } catch (error) {
        if (error.code === "UNKNOWN_VOICE_STATE") this.on({ type: "gone", run, reason: error.reason });
        else this.on({ type: "failed", run, stage: "ask", error: known(error) });
      }
    },

    /** The old room, if it still is one, is left when the new one is there. */
    connect: async ({ grant, run }) => {
      const visit = this.#around.visit((name, detail) => this.#heard(visit, name, detail));
      this.#entering?.end();
      this.#entering = visit;
      try {
        await visit.enter(grant, this.#around.connect);
      } catch (cause) {
        visit.end();
        const error = new VoiceError("CONNECT", "The voice server does not answer.", { cause });
        this.on({ type: "failed", run, stage: "connect", error });
        return;
      }
      if (this.#entering !== visit) return;
      this.visit?.end();
      this.visit = visit;
      this.#entering = null;
      this.on({ type: "connected", run });
      this.#around.tell("entered");
    },

    wait: ({ ms, run }) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.on({ type: "waited", run }), ms);
    },

    tellLeft: ({ place, connectionId }) => connectionId && this.#leave(place, connectionId),
  };

  #heard(visit, name, detail) {
    const isPicture = name.startsWith("picture"); // shown already while one enters
    if (isPicture || visit === this.visit) this.#around.tell(name, detail);
  }

  #changed(before) {
    const { at, why, error } = this.journey;
    if (at === "in" && before.at !== "in") this.#settle(null);
    else if (at === "out") this.#settle(new VoiceError("LEFT", "You left."));
    else if (at === "ended") {
      this.#settle(error ?? new VoiceError(why.toUpperCase(), sentences.ofEnd({ why, error })));
    }
    this.#around.tell("changed");
  }

  #leave(place, connectionId) {
    return this.own("PATCH", { channel_id: null, connection_id: connectionId }, place).catch(() => {});
  }

  #settle(error) {
    const arrival = this.#arrival;
    this.#arrival = null;
    if (error) arrival?.reject(error);
    else arrival?.resolve();
  }
}

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // who does not wait for it is not told twice
  return made;
}

const known = (error) =>
  error instanceof VoiceError ? error : new VoiceError("NETWORK", String(error), { cause: error });
