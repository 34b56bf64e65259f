/** How much of the camera is sent: what the rung of the ladder allows, and no more. */
import { RUNGS } from "./ladder.js";

/**
 * Whatever the others' screens could show. While the rung is the same nothing is said to LiveKit,
 * which would switch on again what dynacast has paused.
 *
 * @param {any} track LiveKit's, published
 * @param {import("./ladder.js").Rung | null} rung
 * @param {any} livekit
 */
export async function limit(track, rung, { VideoQuality }) {
  if (!rung) return;
  if (!sent.has(track)) clamp(track);
  const known = sent.get(track);
  // LiveKit publishes it anew when it had to start all over: everything is sent again then.
  if (known.sender !== track.sender) Object.assign(known, { ...ANEW, sender: track.sender });
  if (known.ceiling !== rung.layers) await lower(track, known, rung.layers, VideoQuality.HIGH);
  await pace(track.mediaStreamTrack, rung.fps);
}

async function lower(track, known, ceiling, all) {
  const before = known.ceiling;
  known.ceiling = ceiling;
  try {
    if (known.wanted) await track.setPublishingLayers(...known.wanted);
    else await track.setPublishingQuality?.(all); // nobody has said yet what they want to see
  } catch (error) {
    known.ceiling = before; // to be tried again
    throw error;
  }
}

/**
 * As many frames as the rung allows. Not by the sender's parameters: LiveKit sets those, and two at
 * once fail. A browser that cannot slow the camera down sends smaller pictures all the same.
 */
async function pace(camera, fps) {
  if (fps === null && !captured.has(camera)) return;
  if (!captured.has(camera)) captured.set(camera, camera.getConstraints());
  const own = captured.get(camera);
  if (fps === null) captured.delete(camera);
  const wanted = fps === null ? own : { ...own, frameRate: slowed(own.frameRate, fps) };
  await camera.applyConstraints(wanted).catch(() => {});
}

/** The constraints that a slowed camera was captured with. */
const captured = new WeakMap();

/** No `min` and no `exact`: with one above `max` the browser refuses the whole. */
function slowed(own = {}, fps) {
  const { ideal, exact, max = fps } = typeof own === "number" ? { ideal: own } : own;
  return { ideal: ideal ?? exact ?? max, max: Math.min(max, fps) };
}

/**
 * Of each track the best layer that the link carries, what others want to see, as dynacast said, and
 * the sender that both were told to.
 *
 * @type {WeakMap<any, {ceiling: number, wanted: [boolean, any[]] | null, sender: any}>}
 */
const sent = new WeakMap();
const ANEW = Object.freeze({ ceiling: RUNGS[0].layers, wanted: null });

/** Dynacast switches layers on as others want to see them; never one above the rung. */
function clamp(track) {
  const known = { ...ANEW, sender: track.sender };
  sent.set(track, known);
  if (!track.setPublishingLayers) return;
  const layers = track.setPublishingLayers.bind(track);
  track.setPublishingLayers = (isSvc, wanted) => {
    Object.assign(known, { wanted: [isSvc, wanted], sender: track.sender });
    return layers(isSvc, wanted.map(({ quality, enabled }) =>
      ({ quality, enabled: enabled && quality <= known.ceiling })));
  };
}
