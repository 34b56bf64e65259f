/** Who is in the room, as plain objects; and their pictures and voices. */

/**
 * @typedef {object} Person
 * @property {string} identity
 * @property {string | null} userId
 * @property {string | null} connectionId
 * @property {string} name
 * @property {boolean} isMe
 * @property {boolean} isSpeaking
 * @property {"excellent" | "good" | "poor" | "lost" | "unknown"} quality
 * @property {boolean} microphone is it on?
 * @property {boolean} camera
 * @property {boolean} screen
 */

const IDENTITY = /^user_(0|[1-9][0-9]{0,18})_(conn_[0-9A-Za-z]+)$/;

/** @param {string} identity @returns {[string | null, string | null]} user id and connection id */
export function whose(identity) {
  const match = IDENTITY.exec(identity);
  return match ? [match[1], match[2]] : [null, null];
}

/** @param {any} room LiveKit's; null: nobody @returns {Person[]} oneself first, then by name */
export function people(room) {
  if (!room || room.state === "disconnected") return [];
  const others = [...room.remoteParticipants.values()].map((one) => person(one, false));
  others.sort((a, b) => a.name.localeCompare(b.name) || a.identity.localeCompare(b.identity));
  return [person(room.localParticipant, true), ...others];
}

function person(participant, isMe) {
  const [userId, connectionId] = whose(participant.identity);
  return {
    identity: participant.identity,
    userId,
    connectionId,
    name: participant.name || participant.identity,
    isMe,
    isSpeaking: participant.isSpeaking,
    quality: participant.connectionQuality,
    microphone: participant.isMicrophoneEnabled,
    camera: participant.isCameraEnabled,
    screen: participant.isScreenShareEnabled,
  };
}

/** Plays the voices of others: one hidden element each. */
export class Voices {
  #elements = new Map();
  #isDeafened = false;

  /** @param {any} track @param {any} publication */
  add(track, publication) {
    const element = track.attach();
    element.hidden = true;
    element.muted = this.#isDeafened;
    globalThis.document?.body.append(element);
    this.#elements.set(track, { element, publication });
    if (this.#isDeafened) publication.setEnabled?.(false);
  }

  remove(track) {
    const known = this.#elements.get(track);
    this.#elements.delete(track);
    for (const element of track.detach()) element.remove();
    known?.element.remove();
  }

  clear() {
    for (const track of [...this.#elements.keys()]) this.remove(track);
  }

  /** Silent at once; and nothing more is sent here that nobody would hear. */
  set deafened(is) {
    this.#isDeafened = is;
    for (const { element, publication } of this.#elements.values()) {
      element.muted = is;
      publication.setEnabled?.(!is);
    }
  }
}
