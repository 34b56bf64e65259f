// A service, a LiveKit and devices that are none: they say what a test wants, and keep what they heard.
import { FluxerVoice } from "../../fluxer/static/fluxer/voice/fluxer-voice.js";

export const GUILD = "10";
export const LOUNGE = "100";
export const MUSIC = "200";

/** Everything that can happen without the clock has happened. */
export async function quiet() {
  for (let turns = 0; turns < 50; turns += 1) await Promise.resolve();
}

const cut = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

class Track extends EventTarget {
  readyState = "live";
  enabled = true;
  constructor(kind, constraints = {}) {
    super();
    this.kind = kind;
    this.constraints = constraints;
  }

  getConstraints() {
    return this.constraints;
  }

  /** As browsers do: all of it, or nothing. */
  async applyConstraints(wanted) {
    const { min = 0, exact = min, max = Infinity } = wanted.frameRate ?? {};
    if (exact > max) throw new DOMException("frameRate", "OverconstrainedError");
    this.constraints = wanted;
  }

  stop() {
    this.readyState = "ended";
  }

  /** Unplugged, or ended with the browser's own button. */
  end() {
    this.stop();
    this.dispatchEvent(new Event("ended"));
  }
}

class Published {
  isMuted = false;
  /** The layers that are sent: all, until somebody says otherwise. */
  layers = [0, 1, 2];
  sender = {};
  fails = false;
  constructor(track) {
    this.mediaStreamTrack = track;
  }

  async mute() {
    this.isMuted = true;
  }

  async unmute() {
    this.isMuted = false;
  }

  /** As LiveKit does: every layer up to this one, whatever dynacast has said. */
  setPublishingQuality(best) {
    this.setPublishingLayers(false, [0, 1, 2].map((quality) => ({ quality, enabled: quality <= best })));
  }

  /** LiveKit starts all over: the same track, sent by another sender. */
  republish() {
    this.layers = [0, 1, 2];
    this.sender = {};
  }

  /** Dynacast: the others want these. */
  async setPublishingLayers(isSvc, qualities) {
    if (this.fails) throw new Error("InvalidStateError");
    this.layers = qualities.filter(({ enabled }) => enabled).map(({ quality }) => quality);
  }
}

export class House {
  requests = [];
  rooms = [];
  captured = [];
  /** What was asked of the devices. */
  wanted = [];
  /** What is answered, by method and the end of the path; a function, a body, or {status, ...}. */
  answers = {};
  number = 0;

  constructor() {
    const house = this;
    class Room {
      state = "disconnected";
      canPlaybackAudio = true;
      listeners = new Map();
      remoteParticipants = new Map();

      constructor(options) {
        this.options = options;
        const published = new Map();
        this.localParticipant = {
          identity: "user_1_conn_x", name: "alice", isLocal: true, trackPublications: published,
          permissions: { canPublish: true, canSubscribe: true, canPublishSources: [1, 2, 3, 4] },
          getTrackPublication: (source) => published.get(source),
          publishTrack: async (track, { source, ...how }) => {
            published.set(source, { source, how: { ...options.publishDefaults, ...how }, track: new Published(track) });
            return published.get(source);
          },
          unpublishTrack: async (track) => {
            for (const [source, one] of published) if (one.track === track) published.delete(source);
          },
        };
        this.published = published;
        house.rooms.push(this);
      }

      on(name, listener) {
        this.listeners.set(name, listener);
      }

      say(name, ...said) {
        this.listeners.get(name)?.(...said);
      }

      async connect(endpoint, token, options) {
        this.token = token;
        this.connectOptions = options;
        if (house.refuses?.(endpoint)) throw new Error("no answer");
        this.state = "connected";
      }

      async disconnect() {
        this.state = "disconnected";
      }

      /** The browser plays sound, or waits for a click. */
      plays(is) {
        this.canPlaybackAudio = is;
        this.say("AudioPlaybackStatusChanged", is);
      }

      async startAudio() {
        this.plays(true);
      }

      /** LiveKit puts us out. */
      drop(reason) {
        this.state = "disconnected";
        this.say("Disconnected", reason);
      }
    }
    const names = [
      "Reconnecting", "SignalReconnecting", "Reconnected", "Disconnected",
      "ParticipantPermissionsChanged", "AudioPlaybackStatusChanged", "TrackSubscribed",
      "TrackUnsubscribed", "LocalTrackPublished", "LocalTrackUnpublished", "ParticipantConnected",
      "ParticipantDisconnected", "TrackMuted", "TrackUnmuted", "TrackPublished", "TrackUnpublished",
      "ActiveSpeakersChanged", "ConnectionQualityChanged", "ParticipantNameChanged",
    ];
    this.livekit = {
      Room,
      DefaultReconnectPolicy: class {},
      RoomEvent: Object.fromEntries(names.map((name) => [name, name])),
      DisconnectReason: { DUPLICATE_IDENTITY: 2 },
      Track: { Source: { Microphone: "microphone", Camera: "camera", ScreenShare: "screen_share", ScreenShareAudio: "screen_share_audio" } },
      VideoQuality: { LOW: 0, MEDIUM: 1, HIGH: 2 },
    };
    const give = (kinds, wanted) => {
      this.wanted.push(wanted);
      const tracks = kinds.map((kind) => new Track(kind, wanted[kind]));
      this.captured.push(...tracks);
      return { getTracks: () => tracks };
    };
    this.devices = {
      getUserMedia: async (wanted) => give([wanted.video ? "video" : "audio"], wanted),
      getDisplayMedia: async (wanted) => give(["video", "audio"], wanted),
    };
  }

  voice(options = {}) {
    const voice = new FluxerVoice({
      api: "http://service", token: "a-token", livekit: this.livekit, devices: this.devices,
      fetch: (url, request) => this.fetch(url, request), random: () => 0, ...options,
    });
    this.states = [];
    voice.on("state", (state) => this.states.push(state.at));
    return voice;
  }

  async fetch(url, { method, body, headers, signal, keepalive }) {
    const path = url.replace("http://service", "");
    const asked = { method, path, body: body ? JSON.parse(body) : undefined, authorization: headers.Authorization, keepalive };
    this.requests.push(asked);
    const known = Object.entries(this.answers).find(([key]) => `${method} ${path}`.includes(key));
    let said = known?.[1];
    if (typeof said === "function") said = await Promise.race([said(asked), cut(signal)]);
    if (said === undefined) said = this.usual(asked);
    const { status = 200, ...rest } = said;
    return { ok: status < 300, status, statusText: "", headers: new Headers(), json: async () => (Array.isArray(said) ? said : rest) };
  }

  usual({ method, path, body }) {
    if (path.endsWith("/voice/token")) {
      this.number += 1;
      const connection = body.connection_id ?? `conn_${this.number}`;
      return { token: `token_${this.number}`, endpoint: "ws://a", connection_id: connection };
    }
    return method === "PATCH" ? { channel_id: body.channel_id ?? LOUNGE } : {};
  }

  /** From now on these wait until they are answered: `house.held[0].answer()`, or with a body. */
  hold(text) {
    this.held = [];
    this.answers[text] = (asked) => new Promise((resolve) => {
      this.held.push({ ...asked, answer: (said = this.usual(asked)) => (resolve(said), quiet()) });
    });
  }

  /** How often something was asked. */
  asked(text) {
    return this.requests.filter(({ method, path }) => `${method} ${path}`.includes(text));
  }

  get room() {
    return this.rooms.at(-1);
  }
}
