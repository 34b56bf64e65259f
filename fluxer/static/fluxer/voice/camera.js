/** How much of the camera is sent: what the rung of the ladder allows, and no more. */

/**
 * Whatever the others' screens could show.
 *
 * @param {any} track LiveKit's, published
 * @param {import("./ladder.js").Rung | null} rung
 * @param {any} livekit
 */
export async function limit(track, rung, { VideoQuality }) {
  if (!rung) return;
  clamp(track);
  ceilings.set(track, rung.layers);
  const best = [VideoQuality.LOW, VideoQuality.MEDIUM, VideoQuality.HIGH][rung.layers];
  track.setPublishingQuality?.(best);
  await pace(track.mediaStreamTrack, rung.fps);
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

/** The best layer of each track that the link carries. */
const ceilings = new WeakMap();

/** Dynacast switches layers on as others want to see them; never one above the rung. */
function clamp(track) {
  if (ceilings.has(track) || !track.setPublishingLayers) return;
  const layers = track.setPublishingLayers.bind(track);
  track.setPublishingLayers = (isSvc, qualities) => {
    for (const quality of qualities) quality.enabled &&= quality.quality <= ceilings.get(track);
    return layers(isSvc, qualities);
  };
}
