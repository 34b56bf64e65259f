// The camera on a poor link, with a clock of our own that goes in steps of two seconds.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { judge, next, RUNGS, TOP } from "../../fluxer/static/fluxer/voice/ladder.js";

class Link {
  constructor() {
    this.ladder = TOP;
    this.now = 0;
    this.steps = [];
    this.advice = [];
  }

  /** The link is like this for so many seconds. */
  is(link, seconds, { camera = true } = {}) {
    for (let passed = 0; passed < seconds; passed += 2) {
      this.now += 2000;
      const after = next(this.ladder, { now: this.now, link, camera });
      this.ladder = after.ladder;
      if (after.step) this.steps.push(`${this.now / 1000}:${after.step}:${RUNGS[after.ladder.rung].name}`);
      if (after.advise) this.advice.push(this.now / 1000);
    }
    return this;
  }
}

describe("what the figures say", () => {
  test("LiveKit's word counts", () => {
    assert.equal(judge({ quality: "lost" }), "poor");
    assert.equal(judge({ quality: "excellent" }), "good");
  });

  test("so do loss and the round trip", () => {
    assert.equal(judge({ quality: "good", loss: 0.2 }), "poor");
    assert.equal(judge({ quality: "good", rtt: 900 }), "poor");
    assert.equal(judge({ quality: "good", loss: 0.05, rtt: 40 }), "fair");
    assert.equal(judge({ quality: "good", loss: null, rtt: null }), "good");
  });

  test("what the ladder itself holds back keeps nobody down", () => {
    const [full, medium, low, slow, off] = RUNGS;
    for (const rung of [full, off]) assert.equal(judge({ quality: "poor" }, rung), "poor");
    for (const rung of [medium, low, slow]) {
      assert.equal(judge({ quality: "poor", loss: 0, rtt: 20 }, rung), "good");
      assert.equal(judge({ quality: "poor", loss: 0.2 }, rung), "poor");
      assert.equal(judge({ quality: "lost" }, rung), "poor");
      assert.equal(judge({ quality: "poor", limitedBy: "bandwidth" }, rung), "fair");
    }
  });
});

describe("down", () => {
  test("layers, then frames, then the picture; one rung at a time", () => {
    const link = new Link().is("poor", 30);
    assert.deepEqual(link.steps, ["6:down:medium", "10:down:low", "14:down:slow", "18:down:off"]);
  });

  test("one bad moment is no poor link", () => {
    const link = new Link();
    for (let times = 0; times < 10; times += 1) link.is("poor", 4).is("fair", 2);
    assert.deepEqual(link.steps, []);
  });

  test("the voice is on no rung", () => {
    for (const rung of RUNGS) assert.ok(!("microphone" in rung) && !("audio" in rung));
  });

  test("without a camera there is nothing to take away", () => {
    const link = new Link().is("poor", 20, { camera: false });
    assert.deepEqual(link.steps, []);
    assert.equal(link.ladder.rung, 0);
  });
});

describe("up", () => {
  test("rung by rung when it has been good for a while", () => {
    const link = new Link().is("poor", 10).is("good", 24);
    assert.deepEqual(link.steps, ["6:down:medium", "10:down:low", "22:up:medium", "32:up:full"]);
  });

  test("a fair link is a reason for neither", () => {
    const link = new Link().is("poor", 6).is("fair", 120);
    assert.deepEqual(link.steps, ["6:down:medium"]);
  });

  test("a climb that was too early makes the next one wait twice as long", () => {
    const link = new Link().is("poor", 6).is("good", 12).is("poor", 6).is("good", 22);
    assert.deepEqual(link.steps, ["6:down:medium", "18:up:full", "24:down:medium", "46:up:full"]);
  });

  test("the wait has a limit, and is forgotten at the top", () => {
    const link = new Link();
    for (let times = 0; times < 8; times += 1) link.is("poor", 6).is("good", 90);
    assert.ok(link.ladder.patience <= 80_000);
    assert.equal(link.is("good", 100).ladder.patience, 10_000);
  });
});

describe("advice", () => {
  test("another region is suggested once, when it stays poor", () => {
    assert.deepEqual(new Link().is("poor", 60).advice, [22]);
  });

  test("also to those who only talk", () => {
    assert.deepEqual(new Link().is("poor", 30, { camera: false }).advice, [22]);
  });

  test("and again only after a good while", () => {
    const link = new Link().is("poor", 30).is("fair", 10).is("poor", 30);
    assert.equal(link.advice.length, 1);
    assert.equal(link.is("good", 12).is("poor", 30).advice.length, 2);
  });
});
