/** What WebRTC's statistics say, as the figures that people understand. Pure. */

/**
 * @typedef {object} Figures
 * @property {number | null} rtt milliseconds to the server and back
 * @property {number | null} loss the part of what we sent that was lost, 0 to 1
 * @property {number | null} lossIn the part of what was sent to us
 * @property {number} up bits per second
 * @property {number} down bits per second
 * @property {number | null} height of the best picture we send, in lines
 * @property {number | null} fps of it
 * @property {string} limitedBy what keeps the picture down: none, bandwidth, cpu, other
 */

/**
 * The figures since the reading before. A stream that was not in it counts from now on.
 *
 * @param {Map<string, any>} before entries by id
 * @param {Map<string, any>} now
 * @returns {Figures}
 */
export function measure(before, now) {
  const all = [...now.values()];
  const since = (entry, key) => {
    const old = before.get(entry.id);
    return old?.[key] === undefined ? 0 : Math.max(0, (entry[key] ?? 0) - old[key]);
  };
  const of = (type) => all.filter((entry) => entry.type === type);
  const rate = (entries, key) =>
    Math.round(sum(entries, (entry) => {
      const seconds = since(entry, "timestamp") / 1000;
      return seconds > 0 ? (since(entry, key) * 8) / seconds : 0;
    }));
  const sent = of("outbound-rtp");
  const received = of("inbound-rtp");
  const pair = of("candidate-pair").find((entry) => entry.nominated && entry.currentRoundTripTime >= 0);
  const pictures = sent.filter((entry) => entry.kind === "video" && entry.framesPerSecond > 0);
  const best = pictures.sort((a, b) => (b.frameHeight ?? 0) - (a.frameHeight ?? 0))[0];
  const lostIn = sum(received, (entry) => since(entry, "packetsLost"));
  const cameIn = sum(received, (entry) => since(entry, "packetsReceived"));
  return {
    rtt: pair ? Math.round(pair.currentRoundTripTime * 1000) : worst(of("remote-inbound-rtp"), "roundTripTime", 1000),
    loss: lossOf(of("remote-inbound-rtp"), before),
    lossIn: lostIn + cameIn > 0 ? lostIn / (lostIn + cameIn) : null,
    up: rate(sent, "bytesSent"),
    down: rate(received, "bytesReceived"),
    height: best?.frameHeight ?? null,
    fps: best ? Math.round(best.framesPerSecond) : null,
    limitedBy: pictures.map((entry) => entry.qualityLimitationReason).find((why) => why && why !== "none") ?? "none",
  };
}

/** The worst stream's: of the reports that came since the last reading; null without any. */
function lossOf(reports, before) {
  const fresh = reports.filter((entry) => before.get(entry.id)?.timestamp !== entry.timestamp);
  const told = fresh.filter((entry) => entry.fractionLost !== undefined);
  return told.length ? Math.max(...told.map((entry) => entry.fractionLost)) : null;
}

function worst(entries, key, scale) {
  const told = entries.map((entry) => entry[key]).filter((value) => value !== undefined);
  return told.length ? Math.round(Math.max(...told) * scale) : null;
}

const sum = (entries, value) => entries.reduce((total, entry) => total + value(entry), 0);
