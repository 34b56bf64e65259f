/** Behind FluxerVoice: the way, the wishes and the link of one person, and what follows from what. */
import { Api } from "./api.js";
import { constraints } from "./capture.js";
import { Emitter } from "./emitter.js";
import { Link } from "./link.js";
import { locate } from "./position.js";
import { rights } from "./publishing.js";
import { Trip } from "./trip.js";
import { Visit } from "./visit.js";
import { Wishes } from "./wishes.js";

/**
 * @typedef {object} Options
 * @property {string} [api] where the service is; empty: where the page came from
 * @property {string | ((refused: boolean) => string | Promise<string>)} token
 * @property {any} [livekit]
 * @property {object} [room] LiveKit's RoomOptions, over ours; their capture defaults hold here, too
 * @property {object} [connect] LiveKit's RoomConnectOptions
 * @property {{audio?: object, video?: object, screen?: object}} [capture] constraints, over ours
 * @property {Partial<import("./backoff.js").Patience>} [patience]
 * @property {typeof fetch} [fetch]
 * @property {MediaDevices} [devices]
 * @property {() => number} [random]
 */

export class Session {
  emitter = new Emitter();
  #page = new AbortController(); // ends what it hears of the page

  /** @param {Options} options */
  constructor(options) {
    const { livekit = globalThis.LivekitClient, room, connect, devices, random, patience } = options;
    if (!livekit) throw new Error("livekit-client is missing: load it first, or pass it as `livekit`.");
    const capture = constraints(options.capture, room);
    this.api = new Api(options);
    this.trip = new Trip({
      api: this.api, connect, chance: { random, patience },
      visit: (tell) => {
        const visit = new Visit(livekit, room, capture, tell);
        visit.deafened = this.wishes.all.deafened;
        return visit;
      },
      tell: (name, detail) => this.#heard(name, detail),
    });
    this.wishes = new Wishes({
      livekit, capture, devices,
      now: () => {
        const { at, connectionId } = this.trip.journey;
        return { visit: this.trip.visit, connectionId: at === "in" ? connectionId : null, rung: this.link.rung };
      },
      send: (flags, id) => this.trip.change({ ...flags, connection_id: id }),
      tell: (name, detail) => this.#wished(name, detail),
    });
    this.link = new Link(() => this.wishes.all.camera, (name, detail) => this.#measured(name, detail));
    const { signal } = this.#page;
    for (const [name, type] of [["online", "online"], ["pagehide", "leave"]]) {
      globalThis.addEventListener?.(name, () => this.trip.on({ type }), { signal });
    }
  }

  get state() {
    const { at, place, connectionId, cause, why, error, retryAt } = this.trip.journey;
    const { region_id: regionId = null, server_id: serverId = null } = this.trip.visit?.where ?? {};
    return {
      at, guildId: place?.guildId ?? null, channelId: place?.channelId ?? null, connectionId,
      cause, why, error, retryAt, regionId, serverId,
    };
  }

  get people() {
    return this.trip.visit?.people ?? [];
  }

  get rights() {
    return rights(this.trip.visit?.room.localParticipant.permissions);
  }

  /**
   * @param {{guildId?: string, channelId?: string,
   *   position?: true | {latitude: number, longitude: number} | null}} of
   */
  async regions({ guildId, channelId, position = null }) {
    const path = channelId
      ? `/channels/${channelId}/rtc-regions`
      : guildId ? `/guilds/${guildId}/regions` : "/voice/regions";
    const where = new URLSearchParams(await locate(position)).toString();
    return this.api.ask("GET", where ? `${path}?${where}` : path);
  }

  /** Hears of the page no more. */
  forgetPage() {
    this.#page.abort();
  }

  #heard(name, detail) {
    const follow = {
      changed: () => {
        if (!this.trip.isUnderWay) this.wishes.end();
        this.emitter.emit("state", this.state);
      },
      entered: () => {
        const { room } = this.trip.visit;
        this.link.start(room);
        // A voice that was there already may have been kept from playing while one entered.
        if (room.canPlaybackAudio === false) this.emitter.emit("playback", { allowed: false });
        this.emitter.emit("rights", this.rights);
        this.wishes.settle();
      },
      emptied: () => {
        this.link.stop();
        this.emitter.emit("people", []);
      },
      people: () => this.emitter.emit("people", this.people),
      rights: () => {
        this.emitter.emit("rights", this.rights);
        this.wishes.settle();
      },
      playback: () => this.emitter.emit("playback", detail),
      picture: () => this.emitter.emit("picture", detail),
      pictureEnded: () => this.emitter.emit("pictureEnded", detail),
    }[name];
    if (follow) return follow();
    this.trip.on({ type: name, run: this.trip.journey.run, ...detail });
    if (name === "reconnected") this.wishes.settle();
    return undefined;
  }

  /** What became of a wish. */
  #wished(name, detail) {
    if (name === "settled") this.emitter.emit("people", this.people);
    else this.emitter.emit(name, name === "wishes" ? this.wishes.all : detail);
  }

  /** What the link is like. */
  #measured(name, detail) {
    if (name === "rung") this.wishes.settle();
    else if (name === "advice") this.#advise();
    else this.emitter.emit(name, detail);
  }

  async #advise() {
    const { channelId, regionId, connectionId } = this.state;
    const { latitude, longitude } = this.trip.journey.place; // if the person has said
    const position = latitude ? { latitude, longitude } : null;
    const regions = await this.regions({ channelId, position }).catch(() => []);
    if (this.state.at !== "in" || this.state.connectionId !== connectionId) return;
    const others = regions.filter((region) => region.is_accessible && region.id !== regionId);
    if (others.length) this.emitter.emit("advice", { regionId, regions: others });
    else this.link.adviseLater();
  }
}
