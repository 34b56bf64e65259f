/**
 * The way into a channel and back into it: what to do next, whatever happens. Pure.
 *
 * `step(journey, event)` answers the journey after the event, and the orders to carry out. An order
 * carries the `run` it belongs to; what comes of it is an event with the same `run`. An event of an
 * earlier run is old news, so that there are never two joins at once.
 *
 * LiveKit reconnects by itself first (`away`); meanwhile the service may name another server. When
 * LiveKit has let go, the service is asked where our connection is (`recovering`): moved or failed
 * over, a token there; region changed or lost, a join anew; put out, that is the end and says why.
 */
import {
  anywhere, ask, due, end, look, lookAgain, lookNow, pause, recover, settled, stays, tellLeft, token,
} from "./turns.js";

/**
 * @typedef {"out" | "joining" | "in" | "away" | "recovering" | "ended"} At
 * @typedef {{guildId: string | null, channelId: string, region?: string | null,
 *   latitude?: string, longitude?: string}} Place
 * @typedef {{code: string, message: string, passes: boolean, retryAfter: number,
 *   reason?: string}} Trouble
 * @typedef {object} Journey
 * @property {At} at
 * @property {Place | null} place
 * @property {string | null} connectionId
 * @property {string | null} endpoint of the server that it is at, or on the way to
 * @property {number} run
 * @property {number} attempt failures in a row
 * @property {number} since when this joining or recovering began, in milliseconds
 * @property {number} due when it will have got further, if nobody sleeps
 * @property {number} arrived when it was last in
 * @property {number} short visits in a row that were over at once
 * @property {"token" | "ask" | "look" | null} next what follows the wait
 * @property {string | null} cause why it is recovering: dropped, moved, failed_over, region_changed,
 *   lost, expired
 * @property {string | null} why it ended: left, disconnected, no_access, replaced, channel_deleted,
 *   session_expired, gave_up, refused, unknown
 * @property {Trouble | null} error the last one
 * @property {number | null} retryAt when it tries again
 */

/** A visit shorter than this was none: what threw it out may do so again. */
export const SHORT = 5_000;

const GONE_FOR_GOOD = ["left", "disconnected", "no_access", "replaced", "channel_deleted"];
const JOIN_ANEW = ["region_changed", "lost", "expired"];
const NOT_HERE = [
  "UNKNOWN_CHANNEL", "UNKNOWN_GUILD", "UNKNOWN_MEMBER", "UNKNOWN_USER", "MISSING_PERMISSIONS",
];

/** @type {Journey} */
export const START = Object.freeze({
  at: "out", place: null, connectionId: null, endpoint: null, run: 0, attempt: 0, since: 0, due: 0,
  arrived: 0, short: 0, next: null, cause: null, why: null, error: null, retryAt: null,
});

/** Whether there is a way to be on, or a place to be in. */
export const isUnderWay = (journey) => !["out", "ended"].includes(journey.at);

/**
 * @param {Journey} journey
 * @param {{type: string, now: number, run?: number, heading?: string | null,
 *   [more: string]: any}} event `heading`: the channel that one has asked to be moved to
 * @param {{random?: () => number, patience?: Partial<import("./backoff.js").Patience>}} [chance]
 * @returns {{journey: Journey, orders: Array<{type: string, run: number, [more: string]: any}>}}
 */
export function step(journey, event, chance = {}) {
  if (event.run !== undefined && event.run !== journey.run) return { journey, orders: [] };
  const [after, ...orders] = (EVENTS[event.type] ?? nothing)(journey, event, chance);
  return { journey: after, orders: orders.map((order) => ({ ...order, run: after.run })) };
}

const nothing = (journey) => [journey];

const EVENTS = {
  /** The person wants to be somewhere. What was under way is dropped. */
  join(journey, { place, position = null, now }) {
    const after = {
      ...START, at: "joining", place, run: journey.run + 1, since: now, due: due(now),
      arrived: journey.arrived,
    };
    const first = position ? { type: "locate", position } : token(after);
    return [after, ...(isUnderWay(journey) ? [tellLeft(journey)] : []), { type: "close" }, first];
  },

  /** Where the person is; nothing, if that is not known. */
  located(journey, { found, now }) {
    const after = { ...journey, place: { ...journey.place, ...found }, since: now, due: due(now) };
    return [after, token(after)];
  },

  /** The person wants to be nowhere. */
  leave(journey) {
    const after = { ...START, run: journey.run + 1, arrived: journey.arrived };
    return isUnderWay(journey) ? [after, tellLeft(journey), { type: "close" }] : [after];
  },

  /** One who is in, or away, had asked whether the server is still the one. */
  granted(journey, { grant, now }, chance) {
    const { connection_id: connectionId, endpoint } = grant;
    if (stays(journey) && endpoint === journey.endpoint) {
      return journey.at === "away" ? look(journey, chance) : [journey];
    }
    const base = stays(journey) ? recover(journey, { now, cause: "failed_over" }) : journey;
    const after = { ...base, connectionId, endpoint, next: null, retryAt: null };
    return [after, { type: "connect", grant }];
  },

  connected(journey, { now }) {
    return [{
      ...journey, at: "in", attempt: 0, arrived: now, cause: null, error: null, retryAt: null,
    }];
  },

  /** LiveKit has lost the server and looks for it. */
  reconnecting(journey, _, chance) {
    return journey.at === "in" ? look(journey, chance) : [journey];
  },

  reconnected(journey) {
    return [journey.at === "away" ? { ...journey, at: "in", next: null } : journey];
  },

  /** LiveKit has let go; `taken`: by another client with our token. */
  dropped(journey, { now, taken = false }, chance) {
    if (!stays(journey)) return [journey];
    if (taken) return end(journey, "replaced");
    const short = now - journey.arrived < SHORT ? journey.short + 1 : 0;
    const recovering = recover(journey, { now, cause: "dropped", short });
    // Thrown out at once, one has not come back: the time goes on.
    const after = short > 0 ? { ...recovering, since: journey.since, due: journey.due } : recovering;
    // A first short visit may be a move that followed quickly.
    if (short < 2) return [after, ask(after)];
    return pause({ ...after, attempt: short - 2 }, "ask", null, now, chance);
  },

  /**
   * Somebody (a gateway) says that our connection has to go elsewhere: no need to wait until LiveKit
   * lets go. We stay in until it is known where to.
   */
  told(journey, { reason }) {
    return [journey, ...(stays(journey) ? [{ ...ask(journey), reason }] : [])];
  },

  /** The service says where our connection is; `reason`: why it was asked, if we were told to. */
  found(journey, { state, now, heading, reason = journey.cause }) {
    const isSame = state.connection_id === journey.connectionId;
    if (isSame && stays(journey) && reason !== "failed_over") return [journey]; // another one was meant
    const after = settled(stays(journey) ? recover(journey, { now, cause: reason }) : journey, state, heading);
    return [after, token(after)];
  },

  /** We asked to be elsewhere, and are. */
  relocated(journey, { state, now, heading }) {
    const isKnown = state.connection_id === journey.connectionId;
    if (isKnown || !isUnderWay(journey)) return [journey];
    const after = settled(recover(journey, { now, cause: null }), state, heading);
    return [after, token(after)];
  },

  /** The service says that our connection is over. */
  gone(journey, { reason, now }) {
    if (!JOIN_ANEW.includes(reason)) {
      return end(journey, GONE_FOR_GOOD.includes(reason) ? reason : "unknown");
    }
    const base = stays(journey) ? recover(journey, { now }) : journey;
    const after = { ...base, connectionId: null, cause: reason };
    return [after, token(after)];
  },

  /** A request, or the connecting, did not work out. `stage` is what had been ordered. */
  failed(journey, { stage, error, now }, chance) {
    if (stage === "look") return lookAgain(journey, error, chance);
    if (!["joining", "recovering"].includes(journey.at)) return [journey];
    if (error.code === "UNAUTHORIZED") return end(journey, "session_expired", error);
    if (error.code === "VOICE_CONNECTION_NOT_FOUND") {
      // It ended while we were on our way; ask why.
      return pause(journey, "ask", error, now, chance);
    }
    if (error.code === "UNKNOWN_VOICE_REGION" && journey.at !== "joining" && journey.place.region) {
      const after = anywhere(journey);
      return [after, token(after)];
    }
    if (stage !== "connect" && !error.passes) {
      const isOut = journey.at !== "joining" && NOT_HERE.includes(error.code);
      return end(journey, isOut ? "no_access" : "refused", error);
    }
    const next = stage === "token" ? "token" : "ask";
    return pause(journey, next, error, now, chance);
  },

  /** The network is back: worth trying at once, if nobody has asked us to wait. */
  online(journey) {
    return journey.error && !journey.error.retryAfter ? EVENTS.waited(journey) : [journey];
  },

  /** The wait is over. */
  waited(journey) {
    if (journey.next === null) return [journey];
    const after = { ...journey, next: null, retryAt: null };
    return [after, { ask, token, look: lookNow }[journey.next](after)];
  },
};
