/** The person's own microphone, camera and screen. Captured once, and kept from room to room. */
import { VoiceError } from "./api.js";

/** What is asked of the devices; `capture` of FluxerVoice overrides any of it. */
export const CAPTURE = Object.freeze({
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: {
    width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: "user",
  },
  screen: { video: { frameRate: { max: 15 } }, audio: true },
});

/**
 * Ours; over them LiveKit's own options, for whoever has those already; and over all `capture`.
 *
 * @param {{audio?: object, video?: object, screen?: object}} [capture]
 * @param {{audioCaptureDefaults?: object, videoCaptureDefaults?: {resolution?: object}}} [room]
 */
export function constraints(capture = {}, { audioCaptureDefaults, videoCaptureDefaults = {} } = {}) {
  const { resolution, ...video } = videoCaptureDefaults; // width, height, and perhaps frameRate
  return {
    audio: { ...CAPTURE.audio, ...audioCaptureDefaults, ...capture.audio },
    video: { ...CAPTURE.video, ...resolution, ...video, ...capture.video },
    screen: { ...CAPTURE.screen, ...capture.screen },
  };
}

const WORDS = {
  microphone: ["microphone", "Speaking"],
  camera: ["camera", "Video"],
  screen: ["screen", "Screen sharing"],
};

export class Capture {
  #devices;
  #wanted;
  #tracks = new Map();
  #questions = new Map(); // that the browser asks the person just now
  #ended;

  /**
   * @param {{audio?: object, video?: object, screen?: object}} [capture]
   * @param {MediaDevices} [devices]
   * @param {(kind: "microphone" | "camera" | "screen", error?: VoiceError) => void} [ended] a device went
   *   away, with the error; or the browser's own button ended the screen
   */
  constructor(capture = {}, devices = globalThis.navigator?.mediaDevices, ended = () => {}) {
    this.#devices = devices;
    this.#ended = ended;
    this.#wanted = constraints(capture);
  }

  /**
   * The tracks of a kind, captured now if they are not yet. VoiceError says what stands in the way:
   * SUPERSEDED, that it was switched off meanwhile.
   *
   * @param {"microphone" | "camera" | "screen"} kind
   * @returns {Promise<MediaStreamTrack[]>}
   */
  take(kind) {
    const known = this.#live(kind);
    if (known.length) return Promise.resolve(known);
    const { answer, waiting } = this.#questions.get(kind) ?? this.#ask(kind);
    return new Promise((resolve, reject) => {
      waiting.add(reject);
      answer.then(resolve, reject);
    });
  }

  /** Silent, or heard again, at once. @param {boolean} is */
  hush(is) {
    if (is) this.#drop("microphone");
    this.#silence("microphone", is);
  }

  /** The same, of the sound of what is shared. @param {boolean} is */
  hushScreen(is) {
    this.#silence("screen", is);
  }

  #silence(kind, is) {
    for (const track of this.#live(kind)) if (track.kind === "audio") track.enabled = !is;
  }

  /** Whether it is on. @param {"microphone" | "camera" | "screen"} kind */
  has(kind) {
    return this.#live(kind).length > 0;
  }

  #live(kind) {
    return (this.#tracks.get(kind) ?? []).filter((track) => track.readyState === "live");
  }

  /** Two questions at once would confuse anybody: who wants it meanwhile shares the answer. */
  #ask(kind) {
    const waiting = new Set();
    const question = { waiting, answer: this.#capture(kind, waiting) };
    this.#questions.set(kind, question);
    return question;
  }

  /** Who waits for the person's answer waits no more; it may come much later, or never. */
  #drop(kind) {
    const { waiting = new Set() } = this.#questions.get(kind) ?? {};
    for (const reject of waiting) reject(new VoiceError("SUPERSEDED", "It was switched off meanwhile."));
    waiting.clear();
  }

  async #capture(kind, waiting) {
    let stream;
    try {
      stream = await this.#open(kind);
    } catch (cause) {
      throw problem(kind, cause);
    } finally {
      this.#questions.delete(kind);
    }
    const tracks = stream.getTracks();
    if (waiting.size === 0) { // the person answered after leaving, perhaps: nobody would stop it
      for (const track of tracks) track.stop();
      return [];
    }
    this.#tracks.set(kind, tracks);
    for (const track of tracks) {
      track.addEventListener("ended", () => {
        if (this.#tracks.get(kind)?.includes(track)) {
          this.release(kind);
          this.#ended(kind, kind === "screen" ? undefined : gone(kind));
        }
      });
    }
    return tracks;
  }

  async #open(kind) {
    if (!this.#devices) throw new DOMException("no devices", "NotSupportedError");
    const { audio, video, screen } = this.#wanted;
    if (kind === "screen") {
      if (!this.#devices.getDisplayMedia) throw new DOMException("a phone", "NoScreensError");
      return this.#devices.getDisplayMedia(screen);
    }
    return this.#devices.getUserMedia(kind === "camera" ? { video } : { audio });
  }

  /** Switch the device off: its light goes out. @param {string} kind */
  release(kind) {
    this.#drop(kind);
    const tracks = this.#tracks.get(kind) ?? [];
    this.#tracks.delete(kind);
    for (const track of tracks) track.stop();
  }

  releaseAll() {
    for (const kind of Object.keys(WORDS)) this.release(kind);
  }
}

const gone = (kind) => new VoiceError(`${kind.toUpperCase()}_GONE`, `Your ${kind} went away.`);

function problem(kind, cause) {
  const [device, what] = WORDS[kind];
  const said = {
    NotAllowedError: ["DENIED", `The browser was not allowed to use your ${device}.`],
    NotFoundError: ["MISSING", `There is no ${device} here.`],
    NotReadableError: ["BUSY", `Your ${device} is in use by another program.`],
    NoScreensError: ["UNSUPPORTED", "This browser cannot share a screen."],
    NotSupportedError: ["UNSUPPORTED", `${what} needs a secure page (https or localhost).`],
  }[cause?.name] ?? ["FAILED", `Your ${device} could not be started.`];
  return new VoiceError(`${kind.toUpperCase()}_${said[0]}`, said[1], { cause });
}
