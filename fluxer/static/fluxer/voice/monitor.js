/** Reads the statistics of a room every two seconds, and says what they mean. */
import { measure } from "./figures.js";

export const EVERY = 2000; // milliseconds

export class Monitor {
  #timer;
  /** The reading before. One of nothing is a reading, too: a camera that gave way comes back by it. */
  #before = null;
  #told;

  /** @param {(figures: import("./figures.js").Figures & {quality: string}) => void} told */
  constructor(told) {
    this.#told = told;
  }

  /** @param {any} room */
  start(room) {
    this.stop();
    this.#timer = setInterval(() => this.#read(room), EVERY);
  }

  stop() {
    clearInterval(this.#timer);
    this.#before = null;
  }

  async #read(room) {
    const timer = this.#timer;
    const now = await entries(room);
    if (timer !== this.#timer || room.state !== "connected") return;
    const before = this.#before;
    this.#before = now;
    if (before === null) return; // rates are between two readings
    const figures = measure(before, now);
    this.#told({ ...figures, quality: room.localParticipant.connectionQuality });
  }
}

/** Everything that the tracks of the room have to say, by id: reports overlap. */
async function entries(room) {
  const everybody = [room.localParticipant, ...room.remoteParticipants.values()];
  const tracks = everybody
    .flatMap((one) => [...one.trackPublications.values()])
    .map((publication) => publication.track)
    .filter((track) => track?.getRTCStatsReport);
  const reports = await Promise.allSettled(tracks.map((track) => track.getRTCStatsReport()));
  const all = new Map();
  for (const report of reports) {
    if (report.status === "fulfilled") report.value?.forEach((entry) => all.set(entry.id, entry));
  }
  return all;
}
