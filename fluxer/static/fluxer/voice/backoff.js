/** How long to wait before trying again. Pure: no clock, and chance is handed in. */

/**
 * @typedef {object} Patience
 * @property {number} first milliseconds before the second try
 * @property {number} factor how fast the wait grows
 * @property {number} most milliseconds that one wait never passes
 * @property {number} jitter the part of a wait (0 to 1) that is left to chance
 * @property {number} limit milliseconds after which it is given up
 */

/** @type {Patience} */
export const PATIENCE = Object.freeze({
  first: 250,
  factor: 2,
  most: 4000,
  jitter: 0.5,
  limit: 180_000,
});

/**
 * The milliseconds until the next try, or null: it is time to give up.
 *
 * A `Retry-After` is a lower bound; chance comes on top of it, so that those who were all sent away
 * in one second do not all come back in one.
 *
 * @param {object} tries
 * @param {number} tries.attempt how many have failed, from 0
 * @param {number} tries.elapsed milliseconds since the first
 * @param {number} [tries.retryAfter] seconds, as the service said
 * @param {Partial<Patience>} [patience]
 * @param {() => number} [random]
 * @returns {number | null}
 */
export function nextDelay({ attempt, elapsed, retryAfter = 0 }, patience = {}, random = Math.random) {
  const { first, factor, most, jitter, limit } = { ...PATIENCE, ...patience };
  const grown = Math.min(most, first * factor ** attempt);
  const own = grown * (1 - jitter * random());
  const asked = retryAfter > 0 ? retryAfter * 1000 + first * random() : 0;
  const delay = Math.round(Math.max(own, asked));
  return elapsed + delay > limit ? null : delay;
}
