/** What to tell people, in plain English. */

const WHY = {
  left: "You left this channel with another window.",
  disconnected: "A moderator disconnected you.",
  no_access: "You no longer have access to this channel.",
  replaced: "You joined from another window, so this one was disconnected.",
  channel_deleted: "This channel was deleted.",
  session_expired: "Your session has expired. Sign in again to go on.",
  gave_up: "The voice service could not be reached for too long.",
  unknown: "Your connection ended while you were away.",
};

const CODES = {
  VOICE_CHANNEL_FULL: "This channel is full.",
  FEATURE_TEMPORARILY_DISABLED: "There is no voice server at the moment.",
  MISSING_PERMISSIONS: "You do not have permission to join this channel.",
  VOICE_MEMBER_TIMED_OUT: "You are timed out and cannot join for now.",
  UNKNOWN_CHANNEL: "This channel does not exist any more.",
  UNKNOWN_MEMBER: "You are not a member here any more.",
  UNKNOWN_VOICE_REGION: "This region is not available.",
  VOICE_CONNECTION_LIMIT_REACHED: "You are in this channel with too many windows. Leave with one first.",
  UNAUTHORIZED: "Your session has expired. Sign in again to go on.",
  RATE_LIMITED: "That was a little too fast. Wait a moment.",
  NETWORK: "The voice service cannot be reached. Check your connection.",
  INTERNAL_ERROR: "Something is wrong with the voice service at the moment.",
  CONNECT: "The voice server does not answer.",
};

const CAUSES = {
  moved: "You were moved to another channel.",
  region_changed: "This channel changed its region. Joining again.",
  failed_over: "The voice server went away. Going to another one.",
  dropped: "The connection was lost. Reconnecting.",
  lost: "The connection was lost. Joining again.",
  expired: "The seat was not used in time. Joining again.",
};

/** Of an error of the service or of a device; never nothing. @param {{code?: string, message: string}} error */
export const ofError = (error) => CODES[error.code] ?? (error.message || CODES.INTERNAL_ERROR);

/** Why it ended. @param {{why: string | null, error: any}} state */
export function ofEnd({ why, error }) {
  if (["refused", "gave_up"].includes(why) && error) return ofError(error);
  return WHY[why] ?? "The connection ended.";
}

/** What it is doing about it. @param {string | null} cause */
export const ofCause = (cause) => CAUSES[cause] ?? "";
