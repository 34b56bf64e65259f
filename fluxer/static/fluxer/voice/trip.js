/** Carries out what the journey orders: asks the service, enters rooms, waits. */
import { VoiceError } from "./api.js";
import { isUnderWay, START, step } from "./journey.js";
import { locate } from "./position.js";
import { Seats } from "./seats.js";
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
  #choices = 0; // how often the person has joined or left
  #heading = null; // the channel that they have asked to be moved to
  #timer;
  #seats;
  #around;

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
    this.#seats = new Seats(around.api);
  }

  get isUnderWay() {
    return isUnderWay(this.journey);
  }

  /** Resolves when the service knows of everything so far, if it can be reached. */
  get told() {
    return this.#seats.rest;
  }

  /** Something happens. What it brings about is under way when this returns. */
  on(event) {
    if (["join", "leave"].includes(event.type)) this.#choices += 1;
    const before = this.journey;
    const happened = { now: Date.now(), heading: this.#heading, ...event };
    const { journey, orders } = step(before, happened, this.#around.chance);
    this.journey = journey;
    if (["join", "leave", "connected"].includes(event.type)) this.#heading = null;
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
    this.#settle(superseded());
  }

  /** Change something of one's own connection. */
  change(what) {
    return this.#seats.own("PATCH", what, this.journey.place);
  }

  /** To another channel, with the connection that one has; resolves on arrival. */
  async move(channelId) {
    const choice = this.#choices;
    let arrival;
    await this.#seats.inTurn(async () => {
      const { at, place, connectionId } = this.journey;
      if (choice !== this.#choices) throw superseded();
      if (!connectionId || !["in", "away", "recovering"].includes(at)) {
        throw new VoiceError("USER_NOT_IN_VOICE", "Join a channel first.");
      }
      this.#heading = channelId;
      const change = { channel_id: channelId, connection_id: connectionId };
      const state = await this.#seats.own("PATCH", change, place).catch((error) => {
        if (error.status) this.#heading = null; // refused, not only unanswered
        throw error;
      });
      if (choice !== this.#choices || !this.isUnderWay) {
        await this.#seats.give(place, state.connection_id);
        throw superseded();
      }
      this.supersede();
      arrival = this.arrival();
      this.on({ type: "relocated", state, heading: channelId });
      if (this.journey.at === "in") this.#settle(null); // it had been found there already
    });
    return arrival;
  }

  #orders = {
    close: () => {
      const visits = [this.visit, this.#entering];
      this.visit = this.#entering = null;
      this.#around.tell("emptied");
      return Promise.all(visits.map((visit) => visit?.end()));
    },

    locate: async ({ position, run }) => this.on({ type: "located", run, found: await locate(position) }),

    token: async ({ place, connectionId, run }) => {
      try {
        const grant = await this.#seats.take(place, connectionId, () => run === this.journey.run);
        if (grant) this.on({ type: "granted", run, grant });
      } catch (error) {
        this.on({ type: "failed", run, stage: "token", error: known(error) });
      }
    },

    look: async ({ place, connectionId, run }) => {
      try {
        this.on({ type: "granted", run, grant: await this.#seats.renew(place, connectionId) });
      } catch (error) {
        this.on({ type: "failed", run, stage: "look", error: known(error) });
      }
    },

    ask: async ({ place, connectionId, reason, run }) => {
      try {
        const state = await this.#seats.own("GET", { connection_id: connectionId }, place);
        this.on({ type: "found", run, state, reason });
      } catch (error) {
        if (error.code === "UNKNOWN_VOICE_STATE") this.on({ type: "gone", run, reason: error.reason });
        else this.on({ type: "failed", run, stage: "ask", error: known(error) });
      }
    },

    /** The old room, if it still is one, is left when the new one is there. */
    connect: async ({ grant, run }) => {
      this.#entering?.end();
      let visit = null;
      try {
        visit = this.#around.visit((name, detail) => this.#heard(visit, name, detail));
        this.#entering = visit;
        await visit.enter(grant, this.#around.connect);
      } catch (cause) {
        visit?.end();
        const error = new VoiceError("CONNECT", "The voice server does not answer.", { cause });
        this.on({ type: "failed", run, stage: "connect", error });
        return;
      }
      if (run !== this.journey.run) return void visit.end(); // not here, by now
      this.visit?.end();
      this.visit = visit;
      this.#entering = null;
      this.on({ type: "connected", run });
      if (this.visit === visit) this.#around.tell("entered"); // who hears of it may have left
    },

    wait: ({ ms, run }) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.on({ type: "waited", run }), ms);
    },

    tellLeft: ({ place, connectionId }) => this.#seats.leave(place, connectionId),
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

  #settle(error) {
    const arrival = this.#arrival;
    this.#arrival = null;
    if (error) arrival?.reject(error);
    else arrival?.resolve();
  }
}

const superseded = () => new VoiceError("SUPERSEDED", "Another channel was chosen meanwhile.");

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // who does not wait for it is not told twice
  return made;
}

const known = (error) =>
  error instanceof VoiceError ? error : new VoiceError("NETWORK", String(error), { cause: error });
