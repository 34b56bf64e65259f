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
import { constraints } from "./capture.js";
import { Emitter } from "./emitter.js";
import { Link } from "./link.js";
import { locate } from "./position.js";
import { rights } from "./publishing.js";
import * as sentences from "./sentences.js";
import { Trip } from "./trip.js";
import { Visit } from "./visit.js";
import { Wishes } from "./wishes.js";

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
  #api;
  #trip;
  #emitter = new Emitter();
  #wishes;
  #link;
  #page = new AbortController(); // ends what it hears of the page

  /** @param {Options} options */
  constructor(options) {
    const { livekit = globalThis.LivekitClient, room, connect, capture, devices, random, patience } = options;
    if (!livekit) throw new Error("livekit-client is missing: load it first, or pass it as `livekit`.");
    this.#api = new Api(options);
    this.#trip = new Trip({
      api: this.#api, connect, chance: { random, patience },
      visit: (tell) => {
        const visit = new Visit(livekit, room, constraints(capture), tell);
        visit.deafened = this.wishes.deafened;
        return visit;
      },
      tell: (name, detail) => this.#heard(name, detail),
    });
    this.#wishes = new Wishes({
      livekit, capture, devices,
      now: () => {
        const { at, connectionId } = this.#trip.journey;
        return { visit: this.#trip.visit, connectionId: at === "in" ? connectionId : null, rung: this.#link.rung };
      },
      send: (flags, id) => this.#trip.change({ ...flags, connection_id: id }),
      tell: (name, detail) => this.#wished(name, detail),
    });
    this.#link = new Link(() => this.wishes.camera, (name, detail) => this.#measured(name, detail));
    const { signal } = this.#page;
    for (const [name, type] of [["online", "online"], ["pagehide", "leave"]]) {
      globalThis.addEventListener?.(name, () => this.#trip.on({ type }), { signal });
    }
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
    const { at, place, connectionId, cause, why, error, retryAt } = this.#trip.journey;
    const { region_id: regionId = null, server_id: serverId = null } = this.#trip.visit?.where ?? {};
    return {
      at, guildId: place?.guildId ?? null, channelId: place?.channelId ?? null, connectionId,
      cause, why, error, retryAt, regionId, serverId,
    };
  }

  /** @returns {import("./people.js").Person[]} */
  get people() {
    return this.#trip.visit?.people ?? [];
  }

  /** What the person wants on; with `isDeafened`, nobody hears them either. */
  get wishes() {
    return this.#wishes.all;
  }

  /** What they may: `canSpeak`, `canVideo`, `canStream`, `canHear`. */
  get rights() {
    return rights(this.#trip.visit?.room.localParticipant.permissions);
  }

  /** LiveKit's own room, for what this module does not do; another one after every return. */
  get room() {
    return this.#trip.visit?.room ?? null;
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
   *   browser, and so the person; forgotten when one is out
   */
  async join({ guildId = null, channelId, region = null, position = null }) {
    this.#trip.supersede();
    const arrival = this.#trip.arrival();
    this.#link.forget();
    this.#trip.on({ type: "join", place: { guildId, channelId, region }, position });
    return arrival;
  }

  /** Leave; the service knows when this resolves, if it can be reached. */
  async leave() {
    await Promise.all(this.#trip.on({ type: "leave" }));
  }

  /** Leave, and hear of the page no more: for one that makes another FluxerVoice later. */
  async close() {
    this.#page.abort();
    await this.leave();
  }

  /** Go to another channel of the guild. On an error one stays where one is. @param {string} channelId */
  moveTo(channelId) {
    return this.#trip.move(channelId);
  }

  /** @param {boolean} is */
  setMicrophone(is) {
    return this.#wishes.set("microphone", is);
  }

  /** @param {boolean} is */
  setCamera(is) {
    return this.#wishes.set("camera", is);
  }

  /** Has to follow a click: the browser asks what to share. @param {boolean} is */
  async setScreenShare(is) {
    if (!is) return this.#wishes.set("screen", false);
    if (!this.#trip.isUnderWay) throw new VoiceError("USER_NOT_IN_VOICE", "Join a channel first.");
    return this.#wishes.share();
  }

  /** Hear nobody, and be heard by nobody. @param {boolean} is */
  setDeafened(is) {
    return this.#wishes.set("deafened", is);
  }

  /** Browsers play sound only after a click: call this from one, after `playback` said so. */
  startAudio() {
    return this.#trip.visit?.room.startAudio();
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
    const concerns = data?.reason !== "failed_over" || data.connection_id === this.#trip.journey.connectionId;
    if (type === "VOICE_SERVER_UPDATE" && concerns) this.#trip.on({ type: "told", reason: data.reason });
  }

  /** Any other request to the service, as the same caller. Throws VoiceError. */
  ask(method, path, body) {
    return this.#api.ask(method, path, body);
  }

  // What happens, and what follows from it

  #heard(name, detail) {
    const follow = {
      changed: () => {
        if (!this.#trip.isUnderWay) this.#wishes.end();
        this.#emitter.emit("state", this.state);
      },
      entered: () => {
        this.#link.start(this.room);
        this.#emitter.emit("rights", this.rights);
        this.#wishes.settle();
      },
      emptied: () => {
        this.#link.stop();
        this.#emitter.emit("people", []);
      },
      people: () => this.#emitter.emit("people", this.people),
      rights: () => {
        this.#emitter.emit("rights", this.rights);
        this.#wishes.settle();
      },
      playback: () => this.#emitter.emit("playback", detail),
      picture: () => this.#emitter.emit("picture", detail),
      pictureEnded: () => this.#emitter.emit("pictureEnded", detail),
    }[name];
    if (follow) return follow();
    this.#trip.on({ type: name, run: this.#trip.journey.run, ...detail });
    if (name === "reconnected") this.#wishes.settle();
    return undefined;
  }

  /** What became of a wish. */
  #wished(name, detail) {
    if (name === "settled") this.#emitter.emit("people", this.people);
    else this.#emitter.emit(name, name === "wishes" ? this.wishes : detail);
  }

  /** What the link is like. */
  #measured(name, detail) {
    if (name === "rung") this.#wishes.settle();
    else if (name === "advice") this.#advise();
    else this.#emitter.emit(name, detail);
  }

  async #advise() {
    const { channelId, regionId, connectionId } = this.state;
    const regions = await this.regions({ channelId }).catch(() => []);
    if (this.state.at !== "in" || this.state.connectionId !== connectionId) return;
    const others = regions.filter((region) => region.is_accessible && region.id !== regionId);
    this.#emitter.emit("advice", { regionId, regions: others });
  }
}
