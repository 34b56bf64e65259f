/** What the person wants on, and what follows from it: devices, publishing, and telling others. */
import { Capture } from "./capture.js";
import { Flags } from "./flags.js";
import { Publishing } from "./publishing.js";

/** @typedef {"microphone" | "camera" | "screen" | "deafened"} Kind */

export class Wishes {
  #on = { microphone: false, camera: false, screen: false, deafened: false };
  #trouble = {};
  #capture;
  #publishing;
  #flags;
  #around;

  /**
   * @param {object} around
   * @param {any} around.livekit
   * @param {object} [around.capture] constraints, over ours
   * @param {MediaDevices} [around.devices]
   * @param {() => {visit: import("./visit.js").Visit | null, connectionId: string | null,
   *   rung: import("./ladder.js").Rung}} around.now where one is (an id only when one is in), and
   *   what the link carries
   * @param {(flags: object, connectionId: string) => Promise<any>} around.send to the service
   * @param {(name: "wishes" | "trouble" | "settled", detail?: any) => void} around.tell
   */
  constructor(around) {
    this.#around = around;
    this.#capture = new Capture(around.capture, around.devices, (kind, error) => this.#ended(kind, error));
    const stuck = (kind, error) => around.tell("trouble", { kind, error });
    this.#publishing = new Publishing(
      around.livekit, this.#capture, (kind, error) => this.#fail(kind, error), stuck,
    );
    this.#flags = new Flags(around.send);
  }

  get all() {
    return { ...this.#on };
  }

  /**
   * Throws VoiceError when the device cannot be used.
   *
   * @param {Kind} kind
   * @param {boolean} is
   */
  async set(kind, is) {
    this.#on[kind] = is;
    this.#trouble[kind] = null;
    if (!is && ["camera", "screen"].includes(kind)) this.#capture.release(kind);
    this.#around.tell("wishes");
    const done = this.settle();
    await (done[kind] ?? done.microphone);
    if (this.#trouble[kind]) throw this.#trouble[kind];
  }

  /** Captured first: the browser asks what to share only right after a click. */
  async share() {
    try {
      await this.#capture.take("screen");
    } catch (error) {
      if (error.code === "SUPERSEDED") return;
      throw error;
    }
    await this.set("screen", true);
  }

  /** Make the room agree with what is wanted, allowed, and carried by the link; done, by kind. */
  settle() {
    const { microphone, camera, screen, deafened } = this.#on;
    const { visit, rung } = this.#around.now();
    if (visit) visit.deafened = deafened; // also what was wished while one entered
    const isHeard = microphone && !deafened;
    this.#capture.hush(!isHeard); // even while LiveKit looks for its server: what is off is off
    this.#capture.hushScreen(deafened);
    this.#publishing.wishes = { microphone: isHeard, camera, screen, sound: !deafened };
    this.#publishing.rung = rung;
    const done = this.#publishing.settle(visit?.room);
    for (const work of Object.values(done)) {
      work.then(() => {
        this.#tellFlags();
        this.#around.tell("settled");
      });
    }
    return done;
  }

  /**
   * Not in voice any more: every device off. Who joins again is heard as before, but is seen only if
   * they say so again.
   */
  end() {
    this.#capture.releaseAll();
    this.#flags.forget();
    this.#on.camera = this.#on.screen = false;
    this.#around.tell("wishes");
  }

  #fail(kind, error) {
    this.#trouble[kind] = error;
    this.#on[kind] = false;
    this.#around.tell("trouble", { kind, error });
    this.#around.tell("wishes");
  }

  #ended(kind, error) {
    this.set(kind, false);
    if (error) this.#around.tell("trouble", { kind, error });
  }

  #tellFlags() {
    const { connectionId, rung } = this.#around.now();
    if (connectionId === null) return;
    const { microphone, camera, screen, deafened } = this.#on;
    const flags = {
      self_mute: !microphone || deafened || !this.#capture.has("microphone"), self_deaf: deafened,
      self_video: camera && rung.camera && this.#capture.has("camera"),
      self_stream: screen && this.#capture.has("screen"),
    };
    this.#flags.tell(flags, connectionId);
  }
}
