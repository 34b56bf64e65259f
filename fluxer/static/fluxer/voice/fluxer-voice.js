/**
 * Voice for a web client: joins, stays in, and comes back by itself.
 *
 *     const voice = new FluxerVoice({ api: "https://voice.example.org", token });
 *     voice.on("people", (people) => …);
 *     await voice.join({ guildId: "10", channelId: "100" });
 *     await voice.setMicrophone(true);
 *
 * LiveKit's client (`livekit-client` 2.23) is `globalThis.LivekitClient`, or handed in as `livekit`.
 */
import { Api, VoiceError } from "./api.js";
import { Capture, CAPTURE } from "./capture.js";
import { Emitter } from "./emitter.js";
import { Flags } from "./flags.js";
import { isUnderWay, START, step } from "./journey.js";
import { judge, next, RUNGS, TOP } from "./ladder.js";
import { Monitor } from "./monitor.js";
import { locate } from "./position.js";
import { Publishing, rights } from "./publishing.js";
import * as sentences from "./sentences.js";
import { Visit } from "./visit.js";

export { sentences, VoiceError };

/**
 * @typedef {object} Options
 * @property {string} [api] where the service is; empty: where the page came from
 * @property {string | ((refused: boolean) => string | Promise<string>)} token
 * @property {any} [livekit]
 * @property {object} [room] LiveKit's RoomOptions, over ours
 * @property {object} [connect] LiveKit's RoomConnectOptions
 * @property {{audio?: object, video?: object, screen?: object}} [capture] constraints, over ours
 * @property {Partial<import("./backoff.js").Patience>} [patience]
 * @property {typeof fetch} [fetch]
 * @property {MediaDevices} [devices]
 * @property {() => number} [random]
 */

export class FluxerVoice {
  #options;
  #livekit;
  #api;
  #emitter = new Emitter();
  #journey = START;
  /** @type {Visit | null} */
  #visit = null;
  /** @type {Visit | null} */
  #entering = null;
  #arrival = null;
  #timer;
  #wishes = { microphone: false, camera: false, screen: false, deafened: false };
  #trouble = {};
  #capture;
  #publishing;
  #flags;
  #monitor;
  #ladder = TOP;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#livekit = options.livekit ?? globalThis.LivekitClient;
    if (!this.#livekit) throw new Error("livekit-client is missing: load it first, or pass it as `livekit`.");
    this.#api = new Api(options);
    this.#capture = new Capture(options.capture, options.devices, (kind) => this.#wish(kind, false));
    this.#publishing = new Publishing(this.#livekit, this.#capture, (kind, error) => this.#fail(kind, error));
    this.#flags = new Flags((flags, connectionId) => this.#own("PATCH", { ...flags, connection_id: connectionId }));
    this.#monitor = new Monitor((figures) => this.#measured(figures));
    globalThis.addEventListener?.("online", () => this.#on({ type: "waited" }));
    globalThis.addEventListener?.("pagehide", () => this.#on({ type: "leave" }));
  }

  /**
   * Events: `state`, `people`, `picture`, `pictureEnded`, `wishes`, `rights`, `figures`, `step`,
   * `advice`, `trouble`, `playback`. docs/client.md says what each means.
   *
   * @param {string} name
   * @param {(detail: any) => void} listener
   * @returns {() => void} ends it
   */
  on(name, listener) {
    return this.#emitter.on(name, listener);
  }

  /** Where one is on the way: the detail of `state`. */
  get state() {
    const { at, place, connectionId, cause, why, error, retryAt } = this.#journey;
    const { region_id: regionId = null, server_id: serverId = null } = this.#visit?.where ?? {};
    return {
      at, guildId: place?.guildId ?? null, channelId: place?.channelId ?? null, connectionId,
      cause, why, error, retryAt, regionId, serverId,
    };
  }

  /** @returns {import("./people.js").Person[]} */
  get people() {
    return this.#visit?.people ?? [];
  }

  /** What the person wants on; with `isDeafened`, nobody hears them either. */
  get wishes() {
    return { ...this.#wishes };
  }

  /** What they may: `canSpeak`, `canVideo`, `canStream`, `canHear`. */
  get rights() {
    return rights(this.#visit?.room.localParticipant.permissions);
  }

  /** LiveKit's own room, for what this module does not do; another one after every return. */
  get room() {
    return this.#visit?.room ?? null;
  }

  /**
   * Join a channel; resolves when one is in, throws VoiceError when that cannot be. Whatever was
   * being joined before is dropped.
   *
   * @param {object} wish
   * @param {string | null} [wish.guildId] null for a call
   * @param {string} wish.channelId
   * @param {string | null} [wish.region] the region preferred
   * @param {true | {latitude: number, longitude: number} | null} [wish.position] true asks the
   *   browser, and so the person; it goes into requests and nowhere else
   */
  async join({ guildId = null, channelId, region = null, position = null }) {
    this.#settleArrival(new VoiceError("SUPERSEDED", "Another channel was chosen meanwhile."));
    const arrival = (this.#arrival = resolvers());
    arrival.promise.catch(() => {});
    const place = { guildId, channelId, region, ...(await locate(position)) };
    if (this.#arrival === arrival) {
      this.#ladder = TOP;
      this.#publishing.rung = RUNGS[0];
      this.#on({ type: "join", place });
    }
    return arrival.promise;
  }

  /** Leave; the service knows when this resolves, if it can be reached. */
  async leave() {
    this.#wishes = { ...this.#wishes, camera: false, screen: false };
    const left = this.#on({ type: "leave" });
    this.#tellWishes();
    await Promise.all(left);
  }

  /** Go to another channel of the guild. On an error one stays where one is. @param {string} channelId */
  async moveTo(channelId) {
    const { at, place, connectionId } = this.#journey;
    if (!["in", "away"].includes(at)) throw new VoiceError("USER_NOT_IN_VOICE", "Join a channel first.");
    const state = await this.#own("PATCH", { channel_id: channelId, connection_id: connectionId }, place);
    const isThere = this.#journey.at === "in" && this.#journey.place.channelId === channelId;
    if (isThere || !isUnderWay(this.#journey)) return undefined;
    const arrival = (this.#arrival ??= resolvers());
    arrival.promise.catch(() => {});
    this.#on({ type: "relocated", state });
    return arrival.promise;
  }

  /** @param {boolean} is */
  setMicrophone(is) {
    return this.#wish("microphone", is);
  }

  /** @param {boolean} is */
  setCamera(is) {
    return this.#wish("camera", is);
  }

  /** Has to follow a click: the browser asks what to share. @param {boolean} is */
  async setScreenShare(is) {
    if (is) await this.#capture.take("screen");
    return this.#wish("screen", is);
  }

  /** Hear nobody, and be heard by nobody. @param {boolean} is */
  setDeafened(is) {
    return this.#wish("deafened", is);
  }

  /** Browsers play sound only after a click: call this from one, after `playback` said so. */
  startAudio() {
    return this.#visit?.room.startAudio();
  }

  /**
   * The regions to choose from: of a channel, of a guild, or all that are open to the caller.
   *
   * @param {{guildId?: string, channelId?: string,
   *   position?: true | {latitude: number, longitude: number} | null}} [of]
   */
  async regions({ guildId, channelId, position = null } = {}) {
    const path = channelId
      ? `/channels/${channelId}/rtc-regions`
      : guildId ? `/guilds/${guildId}/regions` : "/voice/regions";
    const where = new URLSearchParams(await locate(position)).toString();
    return this.#api.ask("GET", where ? `${path}?${where}` : path);
  }

  /**
   * A VOICE_SERVER_UPDATE of the event stream, from your own gateway: one goes at once where it
   * says, instead of waiting until LiveKit lets go.
   *
   * @param {{type: string, data: {connection_id: string, reason: string}}} event
   */
  told({ type, data }) {
    const concerns = data?.reason !== "failed_over" || data.connection_id === this.#journey.connectionId;
    if (type === "VOICE_SERVER_UPDATE" && concerns) this.#on({ type: "told", reason: data.reason });
  }

  /** Any other request to the service, as the same caller. Throws VoiceError. */
  ask(method, path, body) {
    return this.#api.ask(method, path, body);
  }

  // What happens, and what follows from it

  #on(event) {
    const before = this.#journey;
    const chance = { random: this.#options.random, patience: this.#options.patience };
    const { journey, orders } = step(before, { now: Date.now(), ...event }, chance);
    this.#journey = journey;
    if (journey.next === null) clearTimeout(this.#timer);
    const done = orders.map((order) => this.#orders[order.type](order));
    if (journey !== before) this.#changed(before);
    return done;
  }

  #changed(before) {
    const { at, why, error } = this.#journey;
    if (at === "in" && before.at !== "in") this.#settleArrival(null);
    if (!isUnderWay(this.#journey)) {
      this.#capture.releaseAll();
      this.#flags.forget();
      this.#settleArrival(
        at === "ended"
          ? error ?? new VoiceError((why ?? "ended").toUpperCase(), sentences.ofEnd({ why, error }))
          : new VoiceError("LEFT", "You left."),
      );
    }
    this.#emitter.emit("state", this.state);
  }

  #orders = {
    close: () => {
      this.#monitor.stop();
      const visits = [this.#visit, this.#entering];
      this.#visit = this.#entering = null;
      this.#emitter.emit("people", []);
      return Promise.all(visits.map((visit) => visit?.end()));
    },

    token: async ({ place, connectionId, run }) => {
      try {
        const { guildId, channelId, region, latitude, longitude } = place;
        const grant = await this.#api.ask("POST", `/channels/${channelId}/voice/token`, {
          guild_id: guildId, region, latitude, longitude, connection_id: connectionId ?? undefined,
        });
        // A seat that nobody waits for any more.
        if (!isUnderWay(this.#journey)) this.#leave(place, grant.connection_id);
        this.#on({ type: "granted", run, grant });
      } catch (error) {
        this.#on({ type: "failed", run, stage: "token", error: known(error) });
      }
    },

    ask: async ({ place, connectionId, run }) => {
      try {
        const state = await this.#own("GET", { connection_id: connectionId }, place);
        this.#on({ type: "found", run, state });
      } catch (error) {
        if (error.code === "UNKNOWN_VOICE_STATE") this.#on({ type: "gone", run, reason: error.reason });
        else this.#on({ type: "failed", run, stage: "ask", error: known(error) });
      }
    },

    connect: async ({ grant, run }) => {
      const capture = { ...CAPTURE, ...this.#options.capture };
      const visit = new Visit(this.#livekit, this.#options.room, capture, (name, detail) => this.#heard(visit, name, detail));
      this.#entering?.end();
      this.#entering = visit;
      visit.deafened = this.#wishes.deafened;
      try {
        await visit.enter(grant, this.#options.connect);
      } catch (cause) {
        visit.end();
        this.#on({ type: "failed", run, stage: "connect", error: new VoiceError("CONNECT", "The voice server does not answer.", { cause }) });
        return;
      }
      if (this.#entering !== visit) return;
      this.#visit?.end();
      this.#visit = visit;
      this.#entering = null;
      this.#monitor.start(visit.room);
      this.#on({ type: "connected", run });
      this.#emitter.emit("people", this.people);
      this.#emitter.emit("rights", this.rights);
      await this.#settle();
    },

    wait: ({ ms, run }) => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#on({ type: "waited", run }), ms);
    },

    tellLeft: ({ place, connectionId }) => connectionId && this.#leave(place, connectionId),
  };

  /** LiveKit says something about a visit. */
  #heard(visit, name, detail) {
    if (name === "picture" || name === "pictureEnded") this.#emitter.emit(name, detail);
    if (visit !== this.#visit) return;
    if (name === "people") this.#emitter.emit("people", this.people);
    else if (name === "playback") this.#emitter.emit("playback", detail);
    else if (name === "rights") {
      this.#emitter.emit("rights", this.rights);
      this.#settle();
    } else if (name !== "picture" && name !== "pictureEnded") {
      this.#on({ type: name, run: this.#journey.run, ...detail });
      if (name === "reconnected") this.#settle();
    }
  }

  #measured(figures) {
    this.#emitter.emit("figures", figures);
    const seen = { now: Date.now(), link: judge(figures), camera: this.#wishes.camera };
    const { ladder, step: taken, advise } = next(this.#ladder, seen);
    const changed = ladder.rung !== this.#ladder.rung;
    this.#ladder = ladder;
    if (changed) {
      this.#publishing.rung = RUNGS[ladder.rung];
      this.#settle();
    }
    if (taken) this.#emitter.emit("step", { direction: taken, rung: RUNGS[ladder.rung] });
    if (advise) this.#advise();
  }

  async #advise() {
    const { channelId, regionId } = this.state;
    const regions = await this.regions({ channelId }).catch(() => []);
    const others = regions.filter((region) => region.is_accessible && region.id !== regionId);
    this.#emitter.emit("advice", { regionId, regions: others });
  }

  // What the person wants

  async #wish(kind, is) {
    this.#wishes = { ...this.#wishes, [kind]: is };
    this.#trouble[kind] = null;
    if (!is && kind === "screen") this.#capture.release(kind);
    if (this.#visit) this.#visit.deafened = this.#wishes.deafened;
    this.#tellWishes();
    await this.#settle();
    if (this.#trouble[kind]) throw this.#trouble[kind];
  }

  async #settle() {
    const { microphone, camera, screen, deafened } = this.#wishes;
    this.#publishing.wishes = { microphone: microphone && !deafened, camera, screen };
    await this.#publishing.settle(this.room);
    this.#tellFlags();
    this.#emitter.emit("people", this.people);
  }

  #fail(kind, error) {
    this.#trouble[kind] = error;
    this.#wishes = { ...this.#wishes, [kind]: false };
    this.#emitter.emit("trouble", { kind, error });
    this.#tellWishes();
  }

  #tellWishes() {
    this.#emitter.emit("wishes", this.wishes);
  }

  #tellFlags() {
    const { at, connectionId } = this.#journey;
    if (at !== "in") return;
    const { microphone, camera, screen, deafened } = this.#wishes;
    const isOff = this.#ladder.rung === RUNGS.length - 1;
    const flags = {
      self_mute: !microphone || deafened, self_deaf: deafened,
      self_video: camera && !isOff, self_stream: screen,
    };
    this.#flags.tell(flags, connectionId);
  }

  // The service

  #own(method, body, place = this.#journey.place) {
    const of = place.guildId ? `/guilds/${place.guildId}` : `/channels/${place.channelId}`;
    if (method === "GET") return this.#api.ask("GET", `${of}/voice-states/@me?${new URLSearchParams(body)}`);
    return this.#api.ask(method, `${of}/voice-states/@me`, body, { keepalive: body.channel_id === null });
  }

  #leave(place, connectionId) {
    return this.#own("PATCH", { channel_id: null, connection_id: connectionId }, place).catch(() => {});
  }

  #settleArrival(error) {
    const arrival = this.#arrival;
    this.#arrival = null;
    if (error) arrival?.reject(error);
    else arrival?.resolve();
  }
}

function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const known = (error) =>
  error instanceof VoiceError ? error : new VoiceError("NETWORK", String(error), { cause: error });
