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

const WORDS = {
  microphone: ["microphone", "Speaking"],
  camera: ["camera", "Video"],
  screen: ["screen", "Screen sharing"],
};

export class Capture {
  #devices;
  #wanted;
  #tracks = new Map();
  #round = 0; // raised when everything is released
  #ended;

  /**
   * @param {{audio?: object, video?: object, screen?: object}} [capture]
   * @param {MediaDevices} [devices]
   * @param {(kind: "microphone" | "camera" | "screen") => void} [ended] a device went away, or the browser's own button was used
   */
  constructor(capture = {}, devices = globalThis.navigator?.mediaDevices, ended = () => {}) {
    this.#devices = devices;
    this.#ended = ended;
    this.#wanted = {
      audio: { ...CAPTURE.audio, ...capture.audio },
      video: { ...CAPTURE.video, ...capture.video },
      screen: { ...CAPTURE.screen, ...capture.screen },
    };
  }

  /**
   * The tracks of a kind, captured now if they are not yet. VoiceError says what stands in the way.
   *
   * @param {"microphone" | "camera" | "screen"} kind
   * @returns {Promise<MediaStreamTrack[]>}
   */
  async take(kind) {
    const known = this.#tracks.get(kind)?.filter((track) => track.readyState === "live");
    if (known?.length) return known;
    if (!this.#devices) throw problem(kind, { name: "NotSupportedError" });
    const { audio, video, screen } = this.#wanted;
    const round = this.#round;
    let stream;
    try {
      if (kind === "screen") stream = await this.#devices.getDisplayMedia(screen);
      else stream = await this.#devices.getUserMedia(kind === "camera" ? { video } : { audio });
    } catch (cause) {
      throw problem(kind, cause);
    }
    const tracks = stream.getTracks();
    if (round !== this.#round) { // the person answered after leaving: nobody would stop it
      for (const track of tracks) track.stop();
      throw new VoiceError("LEFT", "You left.");
    }
    this.#tracks.set(kind, tracks);
    for (const track of tracks) {
      track.addEventListener("ended", () => {
        if (this.#tracks.get(kind)?.includes(track)) {
          this.release(kind);
          this.#ended(kind);
        }
      });
    }
    return tracks;
  }

  /** Switch the device off: its light goes out. @param {string} kind */
  release(kind) {
    const tracks = this.#tracks.get(kind) ?? [];
    this.#tracks.delete(kind);
    for (const track of tracks) track.stop();
  }

  releaseAll() {
    this.#round += 1;
    for (const kind of [...this.#tracks.keys()]) this.release(kind);
  }
}

function problem(kind, cause) {
  const [device, what] = WORDS[kind];
  const said = {
    NotAllowedError: ["DENIED", `The browser was not allowed to use your ${device}.`],
    NotFoundError: ["MISSING", `There is no ${device} here.`],
    NotReadableError: ["BUSY", `Your ${device} is in use by another program.`],
    NotSupportedError: ["UNSUPPORTED", `${what} needs a secure page (https or localhost).`],
  }[cause?.name] ?? ["FAILED", `Your ${device} could not be started.`];
  return new VoiceError(`${kind.toUpperCase()}_${said[0]}`, said[1], { cause });
}
