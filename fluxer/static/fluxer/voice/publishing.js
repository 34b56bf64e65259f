/**
 * Makes what is published agree with what the person wants and may: after a join, a wish, a changed
 * right or a step of the ladder it is compared again, of each kind one comparison at a time: a camera
 * that waits for a permission holds no mute up.
 */
import { VoiceError } from "./api.js";
import { nextDelay } from "./backoff.js";
import { limit } from "./camera.js";

/** What LiveKit would not publish is tried again, for as long as it is wanted. */
const AGAIN = Object.freeze({ first: 2000, most: 30_000, jitter: 0, limit: Infinity });
const TOLD = 3; // failures in a row that the person is told of

/** LiveKit's numbers of the sources in a permission. */
const SOURCE = { camera: 1, microphone: 2, screen: 3, screenAudio: 4 };

/**
 * @param {{canPublish?: boolean, canPublishSources?: number[], canSubscribe?: boolean} | undefined}
 *   permissions
 */
export function rights(permissions) {
  const { canPublish = false, canPublishSources: sources = [], canSubscribe = true } = permissions ?? {};
  const may = (kind) => canPublish && (sources.length === 0 || sources.includes(SOURCE[kind]));
  return {
    canSpeak: may("microphone"), canVideo: may("camera"), canStream: may("screen"),
    canStreamAudio: may("screenAudio"), canHear: canSubscribe,
  };
}

export class Publishing {
  /** What the person wants; `sound`: of the screen, too. */
  wishes = { microphone: false, camera: false, screen: false, sound: true };
  #rung = null;
  #livekit;
  #capture;
  #failed;
  #stuck;
  #again = {};
  #failures = new WeakMap(); // of a room: how many in a row, by kind
  #work = { microphone: Promise.resolve(), camera: Promise.resolve(), screen: Promise.resolve() };

  /**
   * @param {any} livekit
   * @param {import("./capture.js").Capture} capture
   * @param {(kind: string, error: Error) => void} failed a wish that could not be met; it is dropped
   * @param {(kind: string, error: Error) => void} stuck one that is not met in this room, so far
   */
  constructor(livekit, capture, failed, stuck) {
    this.#livekit = livekit;
    this.#capture = capture;
    this.#failed = failed;
    this.#stuck = stuck;
  }

  /** @param {import("./ladder.js").Rung} rung what the link carries of the camera */
  set rung(rung) {
    this.#rung = rung;
  }

  /**
   * Compare, after what is being compared already.
   *
   * @param {any} room
   * @returns {Record<string, Promise<void>>} done, by kind
   */
  settle(room) {
    for (const kind of Object.keys(this.#work)) {
      this.#compare(kind, room);
    }
    return { ...this.#work };
  }

  #compare(kind, room) {
    clearTimeout(this.#again[kind]);
    this.#work[kind] = this.#work[kind].then(() => this.#settle(kind, room)).catch(() => {});
  }

  async #settle(kind, room) {
    if (!room || room.state !== "connected") return;
    const may = rights(room.localParticipant.permissions);
    const work = {
      microphone: () => this.#microphone(room, may),
      camera: () => this.#camera(room, may),
      screen: () => this.#screen(room, may),
    };
    await this.#try(kind, room, work[kind]);
  }

  async #try(kind, room, work) {
    try {
      await work();
      this.#failures.get(room)?.delete(kind);
    } catch (error) {
      if (error.code === "SUPERSEDED") return;
      if (!(error instanceof VoiceError)) {
        this.#later(kind, room, error);
        return;
      }
      this.wishes[kind] = false;
      this.#capture.release(kind);
      this.#failed(kind, error);
    }
  }

  /** The room, or the right, went away meanwhile; or LiveKit was too slow, and nobody would hear. */
  #later(kind, room, cause) {
    const failures = this.#failures.get(room) ?? new Map();
    const attempt = failures.get(kind) ?? 0;
    this.#failures.set(room, failures.set(kind, attempt + 1));
    const ms = nextDelay({ attempt, elapsed: 0 }, AGAIN);
    this.#again[kind] = setTimeout(() => this.#compare(kind, room), ms);
    if (attempt + 1 !== TOLD) return;
    const message = `The voice server does not take your ${kind}. It is tried again.`;
    this.#stuck(kind, new VoiceError(`${kind.toUpperCase()}_UNPUBLISHED`, message, { cause }));
  }

  /** What there is of a source in the room; what has ended, unplugged perhaps, is taken down. */
  async #published(room, source) {
    const track = room.localParticipant.getTrackPublication(source)?.track;
    if (track?.mediaStreamTrack?.readyState !== "ended") return track;
    await room.localParticipant.unpublishTrack(track, false);
    return undefined;
  }

  async #microphone(room, { canSpeak }) {
    const source = this.#livekit.Track.Source.Microphone;
    const published = await this.#published(room, source);
    const is = this.wishes.microphone && canSpeak;
    if (!is) return published?.mute();
    if (published) return published.unmute();
    const [track] = await this.#capture.take("microphone");
    if (!this.wishes.microphone || room.state !== "connected") return undefined;
    track.enabled = true; // the last room may have left it muted
    return room.localParticipant.publishTrack(track, { source });
  }

  async #camera(room, { canVideo }) {
    const source = this.#livekit.Track.Source.Camera;
    const me = room.localParticipant;
    const published = await this.#published(room, source);
    if (!this.wishes.camera || !canVideo || this.#rung?.camera === false) {
      if (published) await me.unpublishTrack(published, false);
      this.#capture.release("camera");
      return;
    }
    const [track] = await this.#capture.take("camera");
    if (!this.wishes.camera || room.state !== "connected") return;
    const now = published ?? (await me.publishTrack(track, { source })).track;
    await limit(now, this.#rung, this.#livekit);
  }

  async #screen(room, { canStream, canStreamAudio }) {
    const { ScreenShare, ScreenShareAudio } = this.#livekit.Track.Source;
    const me = room.localParticipant;
    const is = this.wishes.screen && canStream;
    const tracks = is ? await this.#capture.take("screen") : [];
    if (!is) this.#capture.release("screen");
    const isHeard = is && canStreamAudio && this.wishes.sound;
    const pairs = [[ScreenShare, "video", is], [ScreenShareAudio, "audio", isHeard]];
    for (const [source, kind, wanted] of pairs) {
      const published = await this.#published(room, source);
      const track = tracks.find((one) => one.kind === kind);
      if (published && !wanted) await me.unpublishTrack(published, false);
      if (!published && wanted && track) await me.publishTrack(track, { source });
    }
    // Without a click there is no sharing it again when the right is back.
    if (this.wishes.screen && !is) throw new VoiceError("SCREEN_FORBIDDEN", "You may not share your screen here.");
  }
}
