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
import { VoiceError } from "./api.js";
import * as sentences from "./sentences.js";
import { Session } from "./session.js";

export { sentences, VoiceError };

export class FluxerVoice {
  #session;

  /** @param {import("./session.js").Options} options */
  constructor(options) {
    this.#session = new Session(options);
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
    return this.#session.emitter.on(name, listener);
  }

  /** Where one is on the way: the detail of `state`. */
  get state() {
    return this.#session.state;
  }

  /** @returns {import("./people.js").Person[]} */
  get people() {
    return this.#session.people;
  }

  /** What the person wants on; with `deafened`, nobody hears them either. */
  get wishes() {
    return this.#session.wishes.all;
  }

  /** What they may: `canSpeak`, `canVideo`, `canStream`, `canStreamAudio`, `canHear`. */
  get rights() {
    return this.#session.rights;
  }

  /** LiveKit's own room, for what this module does not do; another one after every return. */
  get room() {
    return this.#session.trip.visit?.room ?? null;
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
    this.#session.trip.supersede();
    const arrival = this.#session.trip.arrival();
    this.#session.link.forget();
    this.#session.trip.on({ type: "join", place: { guildId, channelId, region }, position });
    return arrival;
  }

  /** Leave; the service knows when this resolves, if it can be reached. */
  async leave() {
    const { trip } = this.#session;
    const done = trip.on({ type: "leave" });
    await Promise.all([...done, trip.told]); // also of an earlier call
  }

  /** Leave, and hear of the page no more: for one that makes another FluxerVoice later. */
  async close() {
    this.#session.forgetPage();
    await this.leave();
  }

  /** Go to another channel of the guild. On an error one stays where one is. @param {string} channelId */
  moveTo(channelId) {
    return this.#session.trip.move(channelId);
  }

  /** @param {boolean} is */
  setMicrophone(is) {
    return this.#session.wishes.set("microphone", is);
  }

  /** @param {boolean} is */
  setCamera(is) {
    return this.#session.wishes.set("camera", is);
  }

  /** Has to follow a click: the browser asks what to share. @param {boolean} is */
  async setScreenShare(is) {
    if (!is) return this.#session.wishes.set("screen", false);
    if (!this.#session.trip.isUnderWay) throw new VoiceError("USER_NOT_IN_VOICE", "Join a channel first.");
    return this.#session.wishes.share();
  }

  /** Hear nobody, and be heard by nobody, nor the sound of one's screen. @param {boolean} is */
  setDeafened(is) {
    return this.#session.wishes.set("deafened", is);
  }

  /** Browsers play sound only after a click: call this from one, after `playback` said so. */
  startAudio() {
    return this.#session.trip.visit?.room.startAudio();
  }

  /**
   * The regions to choose from: of a channel, of a guild, or all that are open to the caller.
   *
   * @param {{guildId?: string, channelId?: string,
   *   position?: true | {latitude: number, longitude: number} | null}} [of]
   */
  regions(of = {}) {
    return this.#session.regions(of);
  }

  /**
   * A VOICE_SERVER_UPDATE of the event stream, from your own gateway: one goes at once where it
   * says, instead of waiting until LiveKit lets go.
   *
   * @param {{type: string, data: string | {connection_id: string, reason: string}}} event as in the
   *   stream, where `data` is JSON; or with that read
   */
  told({ type, data }) {
    if (type !== "VOICE_SERVER_UPDATE") return;
    const { connection_id: id, reason } = typeof data === "string" ? JSON.parse(data) : data ?? {};
    const { trip } = this.#session;
    if (reason !== "failed_over" || id === trip.journey.connectionId) trip.on({ type: "told", reason });
  }

  /** Any other request to the service, as the same caller. Throws VoiceError. */
  ask(method, path, body) {
    return this.#session.api.ask(method, path, body);
  }
}
