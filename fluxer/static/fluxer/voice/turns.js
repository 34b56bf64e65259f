/** The turns that a journey takes, whatever was the reason. Pure. */
import { nextDelay } from "./backoff.js";

/** Milliseconds. A first join is waited for less long than a return: somebody is looking at it. */
export const JOIN_LIMIT = 30_000;
/** Milliseconds. No request and no connecting takes longer: if more has gone by, the machine slept. */
const STEP = 60_000;

/**
 * The waits of one who is away, before the service is asked: most of what happens is over by then, or
 * LiveKit has let go. A server that hangs it looks for much longer.
 */
const LOOK = Object.freeze({ first: 8000, most: 8000, limit: Infinity });

/** When it will have got further, if nobody sleeps. @param {number} from milliseconds */
export const due = (from) => from + STEP;

/** In a room, as far as we know. */
export const stays = (journey) => ["in", "away"].includes(journey.at);

export const ask = ({ place, connectionId }) => ({ type: "ask", place, connectionId });
export const token = ({ place, connectionId }) => ({ type: "token", place, connectionId });
export const lookNow = ({ place, connectionId }) => ({ type: "look", place, connectionId });
export const tellLeft = ({ place, connectionId }) => ({ type: "tellLeft", place, connectionId });

/** The same journey, to where the service has put its connection. */
export function settled(journey, state, heading) {
  const isElsewhere = state.channel_id !== journey.place.channelId;
  const moved = state.channel_id === heading ? null : "moved"; // by others
  return {
    ...journey,
    place: { ...journey.place, channelId: state.channel_id },
    connectionId: state.connection_id,
    cause: isElsewhere ? moved : journey.cause,
  };
}

export function recover(journey, { now, cause = journey.cause, short = journey.short }) {
  return {
    ...journey, at: "recovering", run: journey.run + 1, attempt: 0, since: now, due: due(now),
    cause, short, next: null, error: null, retryAt: null,
  };
}

/**
 * LiveKit looks for its server; a while later we look whether it is another one by now. A token for
 * our own connection says so, and disturbs nobody.
 */
export function look(journey, { random }, error = null) {
  const ms = nextDelay({ attempt: 0, elapsed: 0, retryAfter: error?.retryAfter }, LOOK, random);
  return [{ ...journey, at: "away", next: "look" }, { type: "wait", ms }];
}

/** No answer to that says anything about LiveKit's own tries: those go on. */
export function lookAgain(journey, error, chance) {
  if (journey.at !== "away" || error.code === "UNAUTHORIZED") return [journey];
  if (error.code === "VOICE_CONNECTION_NOT_FOUND") return [journey, ask(journey)]; // where, then?
  if (error.code === "UNKNOWN_VOICE_REGION") return look(anywhere(journey), chance);
  return error.passes ? look(journey, chance, error) : [journey];
}

/** The region is only a preference, and going on matters more. */
export const anywhere = (journey) => ({ ...journey, place: { ...journey.place, region: null } });

export function pause(journey, next, error, now, { random, patience }) {
  const limit = journey.at === "joining" ? { limit: JOIN_LIMIT } : {};
  const since = now > journey.due ? now : journey.since; // no time to try goes by asleep
  const delay = nextDelay(
    { attempt: journey.attempt, elapsed: now - since, retryAfter: error?.retryAfter },
    { ...limit, ...patience },
    random,
  );
  if (delay === null) {
    const [over, close] = end(journey, "gave_up", error);
    return [over, tellLeft(journey), close]; // nobody uses that seat
  }
  const retryAt = now + delay;
  const after = { ...journey, attempt: journey.attempt + 1, since, due: due(retryAt), next, error, retryAt };
  return [after, { type: "wait", ms: delay }];
}

export function end(journey, why, error = null) {
  const { guildId, channelId, region } = journey.place;
  const place = { guildId, channelId, region }; // not where the person is
  const after = {
    ...journey, at: "ended", place, run: journey.run + 1, why, error, next: null, retryAt: null,
  };
  return [after, { type: "close" }];
}
