import assert from "node:assert/strict";
import { test } from "node:test";

import { nextDelay } from "../../fluxer/static/fluxer/voice/backoff.js";

const none = () => 0;
const all = () => 1;

test("waits grow to their limit", () => {
  const waits = [0, 1, 2, 3, 4, 9].map((attempt) => nextDelay({ attempt, elapsed: 0 }, {}, none));
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 4000]);
});

test("chance shortens a wait by half at most", () => {
  assert.equal(nextDelay({ attempt: 3, elapsed: 0 }, {}, all), 1000);
});

test("Retry-After is never undercut, and not met by everybody in the same moment", () => {
  assert.equal(nextDelay({ attempt: 0, elapsed: 0, retryAfter: 9 }, {}, none), 9000);
  assert.equal(nextDelay({ attempt: 0, elapsed: 0, retryAfter: 9 }, {}, all), 9250);
});

test("a Retry-After beyond the limit is the end, not a shorter wait", () => {
  assert.equal(nextDelay({ attempt: 0, elapsed: 0, retryAfter: 600 }, {}, none), null);
});

test("it ends", () => {
  assert.equal(nextDelay({ attempt: 0, elapsed: 179_900 }, {}, none), null);
});
