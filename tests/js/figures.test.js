import assert from "node:assert/strict";
import { test } from "node:test";

import { measure } from "../../fluxer/static/fluxer/voice/figures.js";

const entries = (...all) => new Map(all.map((entry) => [entry.id, entry]));

test("bits per second, loss and round trip between two readings", () => {
  const before = entries(
    { id: "out", type: "outbound-rtp", kind: "audio", timestamp: 0, bytesSent: 1000 },
    { id: "in", type: "inbound-rtp", timestamp: 0, bytesReceived: 0, packetsReceived: 0, packetsLost: 0 },
    { id: "far", type: "remote-inbound-rtp", timestamp: 0, fractionLost: 0.5 },
  );
  const now = entries(
    { id: "out", type: "outbound-rtp", kind: "audio", timestamp: 2000, bytesSent: 11_000 },
    { id: "in", type: "inbound-rtp", timestamp: 2000, bytesReceived: 5000, packetsReceived: 90, packetsLost: 10 },
    { id: "far", type: "remote-inbound-rtp", timestamp: 1500, fractionLost: 0.02 },
    { id: "pair", type: "candidate-pair", nominated: true, currentRoundTripTime: 0.042 },
  );
  const figures = measure(before, now);

  assert.equal(figures.up, 40_000);
  assert.equal(figures.down, 20_000);
  assert.equal(figures.lossIn, 0.1);
  assert.equal(figures.loss, 0.02);
  assert.equal(figures.rtt, 42);
});

test("an old report of the other side is no news", () => {
  const far = { id: "far", type: "remote-inbound-rtp", timestamp: 1500, fractionLost: 0.5 };
  assert.equal(measure(entries(far), entries({ ...far })).loss, null);
});

test("the best picture that is sent, and what keeps it down", () => {
  const layer = (id, frameHeight, qualityLimitationReason) => ({
    id, type: "outbound-rtp", kind: "video", timestamp: 1, frameHeight, framesPerSecond: 15.4,
    qualityLimitationReason,
  });
  const figures = measure(new Map(), entries(layer("q", 180, "none"), layer("h", 360, "bandwidth")));

  assert.equal(figures.height, 360);
  assert.equal(figures.fps, 15);
  assert.equal(figures.limitedBy, "bandwidth");
});

test("nothing is known at first, and nothing is made up", () => {
  const figures = measure(new Map(), new Map());
  assert.deepEqual([figures.rtt, figures.loss, figures.lossIn, figures.height, figures.up], [null, null, null, null, 0]);
});

test("a counter that starts again is no negative figure", () => {
  const before = entries({ id: "out", type: "outbound-rtp", timestamp: 0, bytesSent: 9000 });
  const now = entries({ id: "out", type: "outbound-rtp", timestamp: 2000, bytesSent: 10 });
  assert.equal(measure(before, now).up, 0);
});
