// The way in and back in, event by event: no clock, no network, no chance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { START, step } from "../../fluxer/static/fluxer/voice/journey.js";
import { JOIN_LIMIT } from "../../fluxer/static/fluxer/voice/turns.js";

const LOUNGE = { guildId: "10", channelId: "100" };
const FULL = { code: "VOICE_CHANNEL_FULL", message: "Voice channel is full", passes: false };
const BUSY = { code: "SERVICE_UNAVAILABLE", message: "Busy", passes: true, retryAfter: 7 };
const NO_SERVER = { code: "FEATURE_TEMPORARILY_DISABLED", message: "Off", passes: true, retryAfter: 5 };
const DEAD = { code: "CONNECT", message: "no answer", passes: true };

/** A journey that events happen to; it keeps the orders of the last one. */
class Traveller {
  constructor() {
    this.journey = START;
    this.now = 1_000_000;
    this.orders = [];
  }

  /** What an event brings; it comes from the run that is under way. */
  on(type, more = {}) {
    const event = { type, now: this.now, ...more };
    const stepped = step(this.journey, event, { random: () => 0 });
    this.journey = stepped.journey;
    this.orders = stepped.orders;
    return this;
  }

  answer(type, more = {}) {
    return this.on(type, { run: this.journey.run, ...more });
  }

  after(ms) {
    this.now += ms;
    return this;
  }

  get wants() {
    return this.orders.map((order) => order.type);
  }

  in(connectionId = "conn_1") {
    return this.on("join", { place: LOUNGE })
      .answer("granted", { grant: { connection_id: connectionId } })
      .answer("connected")
      .after(60_000);
  }
}

describe("joining", () => {
  test("asks for a token, connects, and is in", () => {
    const alice = new Traveller().on("join", { place: LOUNGE });
    assert.deepEqual(alice.wants, ["close", "token"]);
    assert.equal(alice.orders[1].connectionId, null);

    alice.answer("granted", { grant: { connection_id: "conn_1", endpoint: "ws://a" } });
    assert.deepEqual(alice.wants, ["connect"]);
    assert.equal(alice.answer("connected").journey.at, "in");
  });

  test("a full channel ends it at once and says so", () => {
    const alice = new Traveller().on("join", { place: LOUNGE }).answer("failed", { stage: "token", error: FULL });
    assert.equal(alice.journey.at, "ended");
    assert.equal(alice.journey.why, "refused");
    assert.equal(alice.journey.error.code, "VOICE_CHANNEL_FULL");
    assert.deepEqual(alice.wants, ["close"]);
  });

  test("no voice server at all is said at once, and waited for as the service said", () => {
    const alice = new Traveller().on("join", { place: LOUNGE }).answer("failed", { stage: "token", error: NO_SERVER });
    assert.equal(alice.journey.at, "joining");
    assert.equal(alice.journey.error.code, "FEATURE_TEMPORARILY_DISABLED");
    assert.equal(alice.journey.retryAt, alice.now + 5000);
    assert.deepEqual(alice.orders, [{ type: "wait", ms: 5000, run: 1 }]);
  });

  test("who is told to wait for longer than a join waits is told at once that it is in vain", () => {
    const patient = { ...BUSY, retryAfter: 31 };
    const alice = new Traveller().on("join", { place: LOUNGE }).answer("failed", { stage: "token", error: patient });
    assert.equal(alice.journey.why, "gave_up");
    assert.deepEqual(alice.wants, ["tellLeft", "close"]);
  });

  test("a busy service is asked again when it said so, and no sooner", () => {
    const alice = new Traveller().on("join", { place: LOUNGE }).answer("failed", { stage: "token", error: BUSY });
    assert.deepEqual(alice.orders, [{ type: "wait", ms: 7000, run: 1 }]);
    assert.deepEqual(alice.after(7000).answer("waited").wants, ["token"]);
  });

  test("a first join is given up sooner than a return", () => {
    const alice = new Traveller().on("join", { place: LOUNGE });
    let waited = 0;
    while (alice.journey.at === "joining") {
      alice.answer("failed", { stage: "token", error: { ...DEAD, code: "NETWORK" } });
      if (alice.journey.at !== "joining") break;
      waited += alice.orders[0].ms;
      alice.after(alice.orders[0].ms).answer("waited");
    }
    assert.equal(alice.journey.why, "gave_up");
    assert.ok(waited <= JOIN_LIMIT);
  });

  test("what comes of an earlier join is old news", () => {
    const alice = new Traveller().on("join", { place: LOUNGE });
    const old = alice.journey.run;
    alice.on("join", { place: { ...LOUNGE, channelId: "200" } });
    alice.on("granted", { run: old, grant: { connection_id: "conn_old" } });
    assert.deepEqual(alice.wants, []);
    assert.equal(alice.journey.connectionId, null);
  });

  test("where the person is goes along for as long as they are in, and no longer", () => {
    const alice = new Traveller().on("join", { place: LOUNGE, position: true });
    assert.deepEqual(alice.wants, ["close", "locate"]);
    const found = { latitude: "45.46", longitude: "9.19" };
    assert.deepEqual(alice.answer("located", { found }).orders[0].place, { ...LOUNGE, ...found });
    alice.answer("granted", { grant: { connection_id: "conn_1" } }).answer("connected").after(60_000);
    alice.answer("dropped").answer("gone", { reason: "region_changed" });
    assert.deepEqual(alice.orders[0].place, { ...LOUNGE, ...found });
    alice.answer("failed", { stage: "token", error: FULL });
    assert.equal(alice.journey.at, "ended");
    assert.doesNotMatch(JSON.stringify(alice.journey), /45\.46|9\.19/);
  });

  test("what the person takes to say where they are is none of the time to join", () => {
    const alice = new Traveller().on("join", { place: LOUNGE, position: true }).after(14_000);
    alice.answer("located", { found: {} }).after(20_000);
    assert.deepEqual(alice.answer("failed", { stage: "token", error: BUSY }).wants, ["wait"]);
  });

  test("leaving tells the service which connection", () => {
    const alice = new Traveller().in().on("leave");
    assert.equal(alice.journey.at, "out");
    assert.deepEqual(alice.wants, ["tellLeft", "close"]);
    assert.equal(alice.orders[0].connectionId, "conn_1");
    assert.deepEqual(alice.on("leave").wants, []);
  });
});

describe("coming back", () => {
  test("LiveKit tries first; nobody else is asked if it is back soon", () => {
    const alice = new Traveller().in().answer("reconnecting");
    assert.equal(alice.journey.at, "away");
    assert.deepEqual(alice.wants, ["wait"]);
    assert.equal(alice.answer("reconnected").journey.at, "in");
    assert.deepEqual(alice.after(8000).answer("waited").wants, []);
  });

  describe("while LiveKit tries for longer", () => {
    const grant = (endpoint) => ({ grant: { connection_id: "conn_1", endpoint } });
    const away = () => new Traveller().on("join", { place: LOUNGE })
      .answer("granted", grant("ws://a")).answer("connected").after(60_000).answer("reconnecting");

    test("the service is asked whether the server is still the one", () => {
      const alice = away();
      assert.deepEqual(alice.orders, [{ type: "wait", ms: 8000, run: 1 }]);
      alice.after(8000).answer("waited");
      assert.deepEqual(alice.orders, [{ type: "look", place: LOUNGE, connectionId: "conn_1", run: 1 }]);
    });

    test("and that is disturbed by nothing while it is, however often one asks", () => {
      const alice = away();
      for (let times = 0; times < 3; times += 1) {
        alice.after(8000).answer("waited").answer("granted", grant("ws://a"));
        assert.equal(alice.journey.at, "away");
        assert.deepEqual(alice.wants, ["wait"]);
      }
      assert.equal(alice.answer("reconnected").journey.at, "in");
    });

    test("another server is gone to at once, and what LiveKit still finds is old news", () => {
      const alice = away().after(8000).answer("waited").answer("granted", grant("ws://b"));
      assert.deepEqual([alice.journey.at, alice.journey.cause], ["recovering", "failed_over"]);
      assert.deepEqual(alice.orders, [{ type: "connect", ...grant("ws://b"), run: 2 }]);
      assert.equal(alice.on("reconnected").journey.at, "recovering");
      assert.equal(alice.answer("connected").journey.at, "in");
    });

    test("an answer that finds one back in leads nowhere, unless the room has gone elsewhere", () => {
      const back = () => away().after(8000).answer("waited").answer("reconnected");
      const alice = back();
      const before = alice.journey;
      assert.deepEqual(alice.answer("granted", grant("ws://a")).wants, []);
      assert.equal(alice.journey, before);
      assert.deepEqual(back().answer("granted", grant("ws://b")).wants, ["connect"]);
    });

    test("a service that does not answer is asked again, when it said so; one that refuses is not", () => {
      const alice = away().after(8000).answer("waited").answer("failed", { stage: "look", error: { ...BUSY, retryAfter: 12 } });
      assert.deepEqual(alice.orders, [{ type: "wait", ms: 12_000, run: 1 }]);
      alice.after(12_000).answer("waited").answer("failed", { stage: "look", error: FULL });
      assert.deepEqual([alice.journey.at, alice.wants], ["away", []]);
    });

    test("a connection that is over, or elsewhere by now, is asked for", () => {
      const missing = { code: "VOICE_CONNECTION_NOT_FOUND", message: "", passes: false, retryAfter: 0 };
      const alice = away().after(8000).answer("waited").answer("failed", { stage: "look", error: missing });
      assert.deepEqual([alice.journey.at, alice.wants], ["away", ["ask"]]);
      alice.answer("found", { state: { channel_id: "200", connection_id: "conn_2" } });
      assert.deepEqual([alice.journey.at, alice.journey.cause, alice.wants], ["recovering", "moved", ["token"]]);
    });

    test("a region that is closed by now is only a preference; a session that is over ends nobody's stay", () => {
      const closed = { code: "UNKNOWN_VOICE_REGION", message: "", passes: false, retryAfter: 0 };
      const alice = away().after(8000).answer("waited").answer("failed", { stage: "look", error: closed });
      assert.deepEqual([alice.journey.place.region, alice.wants], [null, ["wait"]]);
      const over = { code: "UNAUTHORIZED", message: "", passes: true, retryAfter: 0 };
      alice.after(8000).answer("waited").answer("failed", { stage: "look", error: over });
      assert.deepEqual([alice.journey.at, alice.wants], ["away", []]);
    });
  });

  test("when LiveKit has let go, the service is asked where the connection is", () => {
    const alice = new Traveller().in().answer("dropped");
    assert.equal(alice.journey.at, "recovering");
    assert.deepEqual(alice.orders, [{ type: "ask", place: LOUNGE, connectionId: "conn_1", run: 2 }]);
  });

  test("moved: a token there, for the connection that replaced it", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("found", { state: { channel_id: "200", connection_id: "conn_2" } });
    assert.equal(alice.journey.cause, "moved");
    assert.deepEqual(alice.orders[0], {
      type: "token", place: { ...LOUNGE, channelId: "200" }, connectionId: "conn_2", run: 2,
    });
  });

  test("still there, as when its server died: another token for the same connection", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("found", { state: { channel_id: "100", connection_id: "conn_1" } });
    assert.equal(alice.orders[0].connectionId, "conn_1");
    assert.equal(alice.journey.cause, "dropped");
  });

  for (const reason of ["region_changed", "lost", "expired"]) {
    test(`${reason}: joins anew`, () => {
      const alice = new Traveller().in().answer("dropped").answer("gone", { reason });
      assert.deepEqual(alice.orders[0], { type: "token", place: LOUNGE, connectionId: null, run: 2 });
      assert.equal(alice.journey.cause, reason);
    });
  }

  for (const reason of ["left", "disconnected", "no_access", "replaced", "channel_deleted"]) {
    test(`${reason}: stays out, and says why`, () => {
      const alice = new Traveller().in().answer("dropped").answer("gone", { reason });
      assert.equal(alice.journey.at, "ended");
      assert.equal(alice.journey.why, reason);
      assert.deepEqual(alice.wants, ["close"]);
    });
  }

  test("what nobody remembers any more is not joined again", () => {
    const alice = new Traveller().in().answer("dropped").answer("gone", { reason: undefined });
    assert.equal(alice.journey.why, "unknown");
  });

  test("another client with the same token ends it: they would throw each other out for ever", () => {
    assert.equal(new Traveller().in().answer("dropped", { taken: true }).journey.why, "replaced");
  });

  test("no server for the moment is waited for, with growing waits", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("found", { state: { channel_id: "100", connection_id: "conn_1" } });
    const waits = [];
    for (let tries = 0; tries < 6; tries += 1) {
      alice.answer("failed", { stage: "connect", error: DEAD });
      waits.push(alice.orders[0].ms);
      alice.after(alice.orders[0].ms).answer("waited");
      assert.deepEqual(alice.wants, ["ask"]);
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 4000]);
  });

  /** Fails again and again; the milliseconds until it is given up. */
  function untilTheEnd(alice) {
    const began = alice.now;
    for (let tries = 0; alice.journey.at !== "ended"; tries += 1) {
      assert.ok(tries < 200, "it never ends");
      alice.answer("failed", { stage: "ask", error: DEAD });
      if (alice.orders[0].type === "wait") alice.after(alice.orders[0].ms).answer("waited");
    }
    return alice.now - began;
  }

  test("it is given up after its time, with the last error", () => {
    const alice = new Traveller().in().answer("dropped");
    const tried = untilTheEnd(alice);
    assert.ok(tried > 170_000 && tried <= 180_000, `${tried}`);
    assert.equal(alice.journey.why, "gave_up");
    assert.equal(alice.journey.error.code, "CONNECT");
    assert.equal(alice.orders.find(({ type }) => type === "tellLeft").connectionId, "conn_1");
  });

  test("a machine that slept has its whole time before it, in a wait or in a request", () => {
    const inAWait = new Traveller().in().answer("dropped").answer("failed", { stage: "ask", error: DEAD });
    inAWait.after(8 * 3_600_000).answer("waited");
    const inARequest = new Traveller().in().answer("dropped").after(8 * 3_600_000);
    for (const alice of [inAWait, inARequest]) assert.ok(untilTheEnd(alice) > 170_000);
  });

  test("a region that is not to be had any more is only a preference to one who comes back", () => {
    const gone = { stage: "token", error: { code: "UNKNOWN_VOICE_REGION", passes: false } };
    const alice = new Traveller().on("join", { place: { ...LOUNGE, region: "eu" } });
    alice.answer("granted", { grant: { connection_id: "conn_1" } }).answer("connected").after(60_000);
    alice.answer("dropped").answer("gone", { reason: "region_changed" }).answer("failed", gone);
    assert.deepEqual(alice.wants, ["token"]);
    assert.equal(alice.orders[0].place.region, null);
    assert.equal(alice.answer("failed", gone).journey.why, "refused");
    const bob = new Traveller().on("join", { place: { ...LOUNGE, region: "eu" } });
    assert.equal(bob.answer("failed", gone).journey.why, "refused");
  });

  test("an expired session is no reason to try again", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("failed", { stage: "ask", error: { code: "UNAUTHORIZED", passes: false } });
    assert.equal(alice.journey.why, "session_expired");
  });

  test("a lost permission ends it as no access", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("failed", { stage: "token", error: { code: "MISSING_PERMISSIONS", passes: false } });
    assert.equal(alice.journey.why, "no_access");
  });

  test("a connection that ended on the way is asked about again", () => {
    const alice = new Traveller().in().answer("dropped");
    alice.answer("failed", { stage: "token", error: { code: "VOICE_CONNECTION_NOT_FOUND", passes: false } });
    assert.deepEqual(alice.answer("waited").wants, ["ask"]);
  });

  test("a room that throws us out again and again is not hammered", () => {
    const alice = new Traveller().in();
    const waits = [];
    for (let times = 0; times < 5; times += 1) {
      alice.answer("dropped");
      waits.push(alice.orders[0].type === "wait" ? alice.orders[0].ms : 0);
      if (alice.orders[0].type === "wait") alice.answer("waited");
      alice.answer("gone", { reason: "lost" }).answer("granted", { grant: { connection_id: "conn_9" } });
      alice.answer("connected").after(100);
    }
    assert.deepEqual(waits, [0, 0, 250, 500, 1000]);
  });

  test("a room that always throws us out at once is given up, too", () => {
    const alice = new Traveller().in();
    const began = alice.now;
    for (let times = 0; alice.answer("dropped").journey.at !== "ended"; times += 1) {
      assert.ok(times < 200, "it never ends");
      if (alice.wants[0] === "wait") alice.after(alice.orders[0].ms).answer("waited");
      alice.answer("gone", { reason: "lost" }).answer("granted", { grant: { connection_id: "conn_9" } });
      alice.answer("connected").after(100);
    }
    assert.equal(alice.journey.why, "gave_up");
    assert.ok(alice.now - began > 170_000 && alice.now - began < 185_000);
  });

  test("who was thrown out once, and stayed in since, has all the time again", () => {
    const alice = new Traveller().in();
    for (const stay of [100, 60_000]) {
      alice.answer("dropped").answer("found", { state: { channel_id: "100", connection_id: "conn_1" } });
      alice.answer("granted", { grant: { connection_id: "conn_1" } }).answer("connected").after(stay);
    }
    assert.ok(untilTheEnd(alice.answer("dropped")) > 170_000);
  });

  test("when the network is back, nobody waits for the clock", () => {
    const alice = new Traveller().in().answer("dropped").answer("failed", { stage: "ask", error: DEAD });
    assert.deepEqual(alice.on("online").wants, ["ask"]);
    assert.deepEqual(alice.on("online").wants, []);
  });

  test("but the service, which asked for patience, has it", () => {
    const alice = new Traveller().in().answer("dropped").answer("failed", { stage: "ask", error: BUSY });
    assert.deepEqual(alice.on("online").wants, []);
    assert.equal(alice.journey.retryAt, alice.now + 7000);
    assert.deepEqual(alice.after(7000).answer("waited").wants, ["ask"]);
  });
});

describe("moving", () => {
  const there = { channel_id: "200", connection_id: "conn_2" };

  test("of one's own will: a token there", () => {
    const alice = new Traveller().in().on("relocated", { state: there });
    assert.deepEqual(alice.wants, ["token"]);
    assert.equal(alice.orders[0].connectionId, "conn_2");
  });

  test("of one's own will is told as nobody else's doing, whoever tells of it first", () => {
    const heading = "200";
    const asked = new Traveller().in().on("relocated", { state: there, heading });
    const dropped = new Traveller().in().answer("dropped").answer("found", { state: there, heading });
    const told = new Traveller().in().on("told", { reason: "moved" });
    told.answer("found", { state: there, heading, reason: "moved" });
    for (const alice of [asked, dropped, told]) {
      assert.equal(alice.journey.cause, null);
      assert.deepEqual(alice.wants, ["token"]);
    }
    const elsewhere = new Traveller().in().on("told", { reason: "moved" });
    elsewhere.answer("found", { state: there, heading: "300", reason: "moved" });
    assert.equal(elsewhere.journey.cause, "moved");
  });

  test("the old room's end and the answer may come in any order: one token either way", () => {
    const alice = new Traveller().in().answer("dropped").answer("found", { state: there });
    assert.deepEqual(alice.wants, ["token"]);
    assert.deepEqual(alice.on("relocated", { state: there }).wants, []);
  });

  test("the answer to a move comes too late for one who has left", () => {
    assert.deepEqual(new Traveller().in().on("leave").on("relocated", { state: there }).wants, []);
  });
});

describe("a gateway that tells", () => {
  test("moved: we stay in until it is known where to", () => {
    const alice = new Traveller().in().on("told", { reason: "moved" });
    assert.equal(alice.journey.at, "in");
    assert.deepEqual(alice.wants, ["ask"]);
    alice.answer("found", { state: { channel_id: "200", connection_id: "conn_2" } });
    assert.deepEqual(alice.wants, ["token"]);
  });

  test("it was another device: nothing happens", () => {
    const alice = new Traveller().in();
    const before = alice.journey;
    alice.on("told", { reason: "moved" });
    assert.equal(alice.journey, before);
    alice.answer("found", { state: { channel_id: "100", connection_id: "conn_1" }, reason: "moved" });
    assert.deepEqual(alice.wants, []);
    assert.equal(alice.journey, before);
  });

  test("failed over: a token, for the same connection", () => {
    const alice = new Traveller().in().on("told", { reason: "failed_over" });
    assert.equal(alice.orders[0].reason, "failed_over");
    alice.answer("found", { state: { channel_id: "100", connection_id: "conn_1" }, reason: "failed_over" });
    assert.deepEqual(alice.wants, ["token"]);
    assert.equal(alice.journey.cause, "failed_over");
  });

  test("that it does not answer just now does not matter to one who is in", () => {
    const alice = new Traveller().in().on("told", { reason: "moved" });
    alice.answer("failed", { stage: "ask", error: BUSY });
    assert.equal(alice.journey.at, "in");
  });
});
