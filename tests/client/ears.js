// Listens as a person would: what of the others' voices arrives, by WebRTC's own count of energy.
(() => {
  const LOUD = 0.001; // energy per second; the tone has fifty times that, comfort noise has none
  const known = new Map();
  const ears = { heardAt: performance.now(), longest: 0, heard: {}, frames: {} };
  window.ears = ears;
  ears.touches = 0;
  ears.film = []; // [when, whose, height, frames decoded since the entry before]
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, ({ isTrusted }) => (ears.touches += isTrusted), true);
  }
  ears.reset = () => {
    Object.assign(ears, { heardAt: performance.now(), longest: 0, heard: {}, frames: {} });
  };
  /** Only what is heard and seen from now on counts; the longest silence is kept. */
  ears.again = () => Object.assign(ears, { heard: {}, frames: {} });
  /** Milliseconds of the longest silence since the last reset, the one now included. */
  ears.silence = () => Math.round(Math.max(ears.longest, performance.now() - ears.heardAt));

  async function listen() {
    const room = window.fluxerVoice?.room;
    for (const one of room?.remoteParticipants.values() ?? []) {
      const who = one.identity.split("_")[1];
      for (const { track } of one.trackPublications.values()) {
        const report = await track?.getRTCStatsReport?.();
        report?.forEach((entry) => {
          if (entry.type !== "inbound-rtp") return;
          const id = `${room.localParticipant.sid}/${track.sid}/${entry.id}`;
          const before = known.get(id) ?? {};
          known.set(id, entry);
          const since = (key) => (entry[key] ?? 0) - (before[key] ?? 0);
          const frames = since("framesDecoded");
          if (frames > 0) {
            ears.frames[who] = (ears.frames[who] ?? 0) + frames;
            ears.film.push([Date.now(), who, entry.frameHeight, frames]);
          }
          const seconds = since("totalSamplesDuration");
          if (seconds <= 0 || since("totalAudioEnergy") / seconds < LOUD) return;
          const now = performance.now();
          ears.longest = Math.max(ears.longest, now - ears.heardAt);
          ears.heardAt = now;
          ears.heard[who] = (ears.heard[who] ?? 0) + seconds;
        });
      }
    }
    setTimeout(listen, 100);
  }
  listen();
})();
