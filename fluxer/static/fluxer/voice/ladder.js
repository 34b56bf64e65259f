/**
 * Degrades the camera on a poor link, rung by rung, and climbs back when it is good. Pure.
 *
 * The voice is never on the ladder. A rung is left downwards after a few seconds of a poor link,
 * upwards after a longer good while; a climb that was too early makes the next one wait longer.
 */

/**
 * @typedef {object} Rung
 * @property {string} name
 * @property {boolean} camera
 * @property {0 | 1 | 2} layers the best simulcast layer that is sent: a quarter, a half, the whole
 * @property {number | null} fps at most; null: as captured
 */

/** @type {ReadonlyArray<Rung>} first fewer layers, then fewer frames, then no picture. */
export const RUNGS = Object.freeze([
  { name: "full", camera: true, layers: 2, fps: null },
  { name: "medium", camera: true, layers: 1, fps: null },
  { name: "low", camera: true, layers: 0, fps: null },
  { name: "slow", camera: true, layers: 0, fps: 8 },
  { name: "off", camera: false, layers: 0, fps: 8 },
]);

/** Milliseconds. */
export const TIMES = Object.freeze({
  down: 4_000, // of a poor link, before a rung is left
  up: 10_000, // of a good one
  early: 12_000, // a fall so soon after a climb says that the climb was too early
  most: 80_000, // that a climb is put off
  advice: 20_000, // of a poor link, before another region is suggested
});

/**
 * @typedef {object} Ladder
 * @property {number} rung
 * @property {number | null} poorSince
 * @property {number | null} goodSince
 * @property {number | null} climbed when
 * @property {number} patience how long the link has to be good before the next climb
 * @property {number | null} troubled since when it has been poor without a good while
 * @property {boolean} advised
 */

/** @type {Ladder} */
export const TOP = Object.freeze({
  rung: 0, poorSince: null, goodSince: null, climbed: null, patience: TIMES.up,
  troubled: null, advised: false,
});

/**
 * What the figures of two seconds say of the link. LiveKit calls it poor, too, when layers are
 * missing that others want to see; while the rung holds them back that word says nothing.
 *
 * @param {{quality?: string, loss?: number | null, rtt?: number | null, limitedBy?: string}} figures
 *   LiveKit's word, the part of our packets that was lost, the round trip in milliseconds, and what
 *   keeps the picture down
 * @param {Rung} [rung] what the link carries of the camera
 * @returns {"poor" | "fair" | "good"}
 */
export function judge({ quality = "unknown", loss = null, rtt = null, limitedBy = "none" }, rung = RUNGS[0]) {
  const isHeldBack = rung.camera && rung !== RUNGS[0];
  if (quality === "lost" || (quality === "poor" && !isHeldBack)) return "poor";
  if (loss > 0.08 || rtt > 500) return "poor";
  if (loss > 0.03 || rtt > 300 || (isHeldBack && limitedBy === "bandwidth")) return "fair";
  return "good";
}

/**
 * @param {Ladder} ladder
 * @param {{now: number, link: "poor" | "fair" | "good", camera: boolean}} seen `camera`: wanted
 * @returns {{ladder: Ladder, step: "down" | "up" | null, advise: boolean}}
 */
export function next(ladder, { now, link, camera }) {
  const after = { ...ladder };
  after.poorSince = link === "poor" ? ladder.poorSince ?? now : null;
  after.goodSince = link === "good" ? ladder.goodSince ?? now : null;
  const advise = isTimeForAdvice(after, now);
  if (!camera) return { ladder: { ...after, rung: 0, climbed: null }, step: null, advise };
  if (after.poorSince !== null && now - after.poorSince >= TIMES.down) {
    return { ...fall(after, now), advise };
  }
  if (after.goodSince !== null && now - after.goodSince >= after.patience) {
    return { ...climb(after, now), advise };
  }
  return { ladder: after, step: null, advise };
}

function isTimeForAdvice(ladder, now) {
  if (ladder.poorSince !== null) ladder.troubled ??= now;
  if (ladder.goodSince !== null && now - ladder.goodSince >= TIMES.up) {
    ladder.troubled = null;
    ladder.advised = false;
  }
  const is = ladder.troubled !== null && ladder.poorSince !== null && !ladder.advised
    && now - ladder.troubled >= TIMES.advice;
  ladder.advised ||= is;
  return is;
}

/** The same, when there was nothing to advise: it is thought of again later. @param {Ladder} ladder */
export const unadvised = (ladder, now) => ({ ...ladder, advised: false, troubled: now });

/** @returns {{ladder: Ladder, step: "down" | null}} */
function fall(ladder, now) {
  if (ladder.rung === RUNGS.length - 1) return { ladder, step: null };
  const wasEarly = ladder.climbed !== null && now - ladder.climbed <= TIMES.early;
  const patience = wasEarly ? Math.min(TIMES.most, ladder.patience * 2) : ladder.patience;
  return {
    ladder: { ...ladder, rung: ladder.rung + 1, poorSince: now, climbed: null, patience },
    step: "down",
  };
}

/** @returns {{ladder: Ladder, step: "up" | null}} */
function climb(ladder, now) {
  if (ladder.rung === 0) return { ladder: { ...ladder, patience: TIMES.up }, step: null };
  return { ladder: { ...ladder, rung: ladder.rung - 1, goodSince: now, climbed: now }, step: "up" };
}
