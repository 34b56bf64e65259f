/** One visit to one of LiveKit's rooms, from the first packet to the last. */
import { people, Voices, whose } from "./people.js";

/**
 * As the service's guide has it; `room` of FluxerVoice overrides any of it. A page that goes away is
 * left by the session: LiveKit would go already when one downloads a file, or stays after all.
 */
export const ROOM = Object.freeze({ adaptiveStream: true, dynacast: true, disconnectOnPageLeave: false });

/** The pauses before LiveKit's own tries, in milliseconds; then it lets go, and the service is asked. */
const TRIES = [0, 400, 1200, 2500];
/**
 * Milliseconds that one try waits for a server that says nothing, where LiveKit would wait fifteen
 * seconds. A poor link, with a packet lost on the way, needs up to four.
 */
const PATIENCE = 5000;

export class Visit {
  #livekit;
  #tell;
  #voices = new Voices();
  #pictures = new Map();
  #isOver = false;
  #isTelling = false;

  /**
   * @param {any} livekit
   * @param {object} options of the room
   * @param {object} capture what was asked of the devices
   * @param {(name: string, detail?: any) => void} tell
   */
  constructor(livekit, options, capture, tell) {
    this.#livekit = livekit;
    this.#tell = tell;
    const resolution = { width: 1280, height: 720, frameRate: 30 };
    this.room = new livekit.Room({
      ...ROOM,
      audioCaptureDefaults: capture.audio,
      videoCaptureDefaults: { resolution, facingMode: "user" },
      stopLocalTrackOnUnpublish: false, // the tracks go along to the next room
      reconnectPolicy: new livekit.DefaultReconnectPolicy(TRIES),
      ...options,
    });
    this.#listen();
  }

  async enter({ endpoint, token }, options = {}) {
    await this.room.connect(endpoint, token, { maxRetries: 0, websocketTimeout: PATIENCE, ...options });
  }

  /** Over for us, whatever LiveKit still has to say. */
  async end() {
    if (this.#isOver) return;
    for (const picture of this.#pictures.values()) this.#tell("pictureEnded", picture);
    this.#isOver = true;
    this.#voices.clear();
    await this.room.disconnect(false).catch(() => {});
  }

  get people() {
    return this.#isOver ? [] : people(this.room);
  }

  /** Where it is: `{region_id, server_id}` of the token's metadata. */
  get where() {
    try {
      return JSON.parse(this.room.localParticipant.metadata || "{}");
    } catch {
      return {};
    }
  }

  set deafened(is) {
    this.#voices.deafened = is;
  }

  #listen() {
    const { RoomEvent: Event, DisconnectReason } = this.#livekit;
    const on = (name, listener) => this.room.on(name, (...said) => this.#isOver || listener(...said));
    on(Event.Reconnecting, () => this.#tell("reconnecting"));
    on(Event.SignalReconnecting, () => this.#tell("reconnecting"));
    on(Event.Reconnected, () => this.#tell("reconnected"));
    on(Event.Disconnected, (reason) =>
      this.#tell("dropped", { taken: reason === DisconnectReason.DUPLICATE_IDENTITY }));
    on(Event.ParticipantPermissionsChanged, (_, participant) => {
      if (participant.isLocal) this.#tell("rights");
    });
    on(Event.AudioPlaybackStatusChanged, () =>
      this.#tell("playback", { allowed: this.room.canPlaybackAudio }));
    on(Event.TrackSubscribed, (track, publication, participant) =>
      this.#track(true, track, publication, participant));
    on(Event.TrackUnsubscribed, (track, publication, participant) =>
      this.#track(false, track, publication, participant));
    on(Event.LocalTrackPublished, (publication, participant) =>
      this.#track(true, publication.track, publication, participant));
    on(Event.LocalTrackUnpublished, (publication, participant) =>
      this.#track(false, publication.track, publication, participant));
    for (const name of [
      Event.ParticipantConnected, Event.ParticipantDisconnected, Event.TrackMuted,
      Event.TrackUnmuted, Event.TrackPublished, Event.TrackUnpublished,
      Event.ActiveSpeakersChanged, Event.ConnectionQualityChanged, Event.ParticipantNameChanged,
    ]) {
      on(name, () => this.#people());
    }
  }

  #track(is, track, publication, participant) {
    this.#people();
    if (!track) return;
    const isMe = participant.isLocal === true;
    if (track.kind === "audio") {
      if (isMe) return;
      if (is) this.#voices.add(track, publication);
      else this.#voices.remove(track);
      return;
    }
    if (!is) {
      const known = this.#pictures.get(track);
      this.#pictures.delete(track);
      if (known) this.#tell("pictureEnded", known);
      return;
    }
    const elements = new Set();
    const picture = {
      identity: participant.identity,
      userId: whose(participant.identity)[0],
      source: publication.source === "screen_share" ? "screen" : "camera",
      isMe,
      attach: (element) => {
        elements.add(element);
        return track.attach(element);
      },
      detach: () => { // LiveKit has let go of them before, when the track ended
        track.detach();
        return [...elements];
      },
    };
    this.#pictures.set(track, picture);
    this.#tell("picture", picture);
  }

  /** Many things happen at once; they are told once. */
  #people() {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      if (!this.#isOver) this.#tell("people");
    });
  }
}
