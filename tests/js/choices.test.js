// Many choices in a row, and answers that take their time: the last choice holds, here and at the
// service, and no seat is left behind. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { GUILD, House, LOUNGE, MUSIC, quiet } from "./house.js";

const STUDIO = "300";
const lounge = { guildId: GUILD, channelId: LOUNGE };
const music = { guildId: GUILD, channelId: MUSIC };
const TOKEN = "/voice/token";

let house;
let voice;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  house = new House();
  voice = house.voice();
});

afterEach(async () => {
  house.answers = {};
  for (const { answer } of house.held ?? []) await answer();
  await voice.leave();
  mock.timers.reset();
});

/** What the service was asked that takes, moves or gives back a seat. */
const seats = () => house.requests
  .filter(({ method, body }) => method === "POST" || body?.channel_id !== undefined)
  .map(({ path, body }) => {
    if (path.endsWith(TOKEN)) return `token ${path.split("/")[2]}`;
    return body.channel_id === null ? `leave ${body.connection_id}` : `move ${body.connection_id} ${body.channel_id}`;
  });
const connected = () => house.rooms.filter((room) => room.state === "connected").length;
const code = (promise) => promise.then(() => "there", (error) => error.code);

/** What nobody caught. */
function failures() {
  const uncaught = [];
  const caught = (error) => uncaught.push(error.message);
  process.on("unhandledRejection", caught);
  return { uncaught, over: () => process.off("unhandledRejection", caught) };
}

describe("another channel while a token is on its way", () => {
  test("the first seat is given back before another one is asked for", async () => {
    house.hold(TOKEN);
    const first = code(voice.join(lounge));
    await quiet();
    const second = code(voice.join(music));
    await quiet();
    assert.deepEqual(seats(), ["token 100"]);
    await house.held[0].answer();
    assert.deepEqual(seats(), ["token 100", "leave conn_1", "token 200"]);
    await house.held[1].answer();
    assert.deepEqual([await first, await second], ["SUPERSEDED", "there"]);
    assert.equal(voice.state.connectionId, "conn_2");
    assert.equal(connected(), 1);
  });

  test("of many clicks only the first and the last ask for anything", async () => {
    house.hold(TOKEN);
    code(voice.join(lounge));
    await quiet();
    for (const channelId of [MUSIC, LOUNGE, STUDIO]) code(voice.join({ ...lounge, channelId }));
    await quiet();
    await house.held[0].answer();
    await house.held[1].answer();
    assert.deepEqual(seats(), ["token 100", "leave conn_1", "token 300"]);
    assert.equal(voice.state.channelId, STUDIO);
  });

  test("a refusal of the first is no refusal of the second", async () => {
    house.hold(TOKEN);
    code(voice.join(lounge));
    await quiet();
    const second = code(voice.join(music));
    await quiet();
    await house.held[0].answer({ status: 400, code: "VOICE_CHANNEL_FULL", message: "" });
    await house.held[1].answer();
    assert.equal(await second, "there");
  });

  test("a first that is never answered holds the second up for ten seconds", async () => {
    house.hold(TOKEN);
    code(voice.join(lounge));
    await quiet();
    const second = code(voice.join(music));
    await quiet();
    mock.timers.tick(9_999);
    await quiet();
    assert.deepEqual(seats(), ["token 100"]);
    mock.timers.tick(1);
    await quiet();
    await house.held[1].answer();
    assert.equal(await second, "there");
  });

  test("the seat of a room that was being entered is given back, too", async () => {
    let enter;
    const connect = house.livekit.Room.prototype.connect;
    house.livekit.Room.prototype.connect = async function (...to) {
      if (house.rooms.length === 1) await new Promise((resolve) => { enter = resolve; });
      return connect.apply(this, to);
    };
    const first = code(voice.join(lounge));
    await quiet();
    const second = code(voice.join(music));
    assert.equal(await second, "there");
    enter();
    assert.equal(await first, "SUPERSEDED");
    await quiet();
    assert.deepEqual(seats(), ["token 100", "leave conn_1", "token 200"]);
    assert.equal(voice.state.channelId, MUSIC);
    assert.equal(voice.room, house.rooms[1]);
  });
});

describe("leaving", () => {
  test("while one enters: the room is left, its seat given back, and what it says is old news", async () => {
    let enter;
    const connect = house.livekit.Room.prototype.connect;
    house.livekit.Room.prototype.connect = async function (...to) {
      await new Promise((resolve) => { enter = resolve; });
      return connect.apply(this, to);
    };
    const joined = code(voice.join(lounge));
    await quiet();
    await voice.leave();
    assert.equal(await joined, "LEFT");
    house.room.say("Disconnected");
    enter();
    await quiet();
    assert.equal(voice.state.at, "out");
    assert.equal(voice.room, null);
    assert.deepEqual(seats(), ["token 100", "leave conn_1"]);
  });

  test("from what arriving tells: out, and nothing is measured or asked of a room that is left", async () => {
    const { uncaught, over } = failures();
    voice.on("state", ({ at }) => at === "in" && voice.leave());
    await code(voice.join(lounge));
    await quiet();
    mock.timers.tick(10_000);
    await new Promise(setImmediate);
    over();
    assert.deepEqual(uncaught, []);
    assert.equal(voice.state.at, "out");
  });

  test("and joining from what leaving tells: the leave goes first all the same", async () => {
    await voice.join(lounge);
    house.hold("PATCH /guilds/10/voice-states/@me");
    const end = voice.on("people", () => (end(), code(voice.join(music))));
    voice.leave();
    await quiet();
    assert.deepEqual(seats(), ["token 100", "leave conn_1"]);
    await house.held.at(-1).answer();
    assert.deepEqual(seats(), ["token 100", "leave conn_1", "token 200"]);
    await quiet();
    assert.equal(voice.state.at, "in");
  });

  test("while a token is on its way: its seat is given back, and known to be when it resolves", async () => {
    house.hold(TOKEN);
    const joined = code(voice.join(lounge));
    await quiet();
    const left = voice.leave();
    assert.equal(await joined, "LEFT");
    await house.held[0].answer();
    await left;
    assert.deepEqual(seats(), ["token 100", "leave conn_1"]);
    assert.equal(house.rooms.length, 0);
  });

  test("and joining again at once: the leave cannot overtake the new seat", async () => {
    await voice.join(lounge);
    house.hold("PATCH /guilds/10/voice-states/@me");
    voice.leave();
    const again = code(voice.join(lounge));
    await quiet();
    assert.deepEqual(seats(), ["token 100", "leave conn_1"]);
    for (const { answer } of house.held) await answer();
    assert.equal(await again, "there");
    assert.deepEqual(seats(), ["token 100", "leave conn_1", "token 100"]);
  });

  test("twice: the second knows no more than the service does, either", async () => {
    await voice.join(lounge);
    house.hold("PATCH /guilds/10/voice-states/@me");
    const over = [];
    voice.leave().then(() => over.push("left"));
    voice.close().then(() => over.push("closed"));
    await quiet();
    assert.deepEqual(over, []);
    await house.held[0].answer();
    assert.deepEqual(over, ["left", "closed"]);
  });

  test("does not wait for what is joined afterwards", async () => {
    await voice.join(lounge);
    house.hold(TOKEN);
    const left = voice.leave();
    code(voice.join(music));
    await left;
    await quiet();
    assert.equal(house.held.length, 1);
  });

  test("a service that does not answer is not waited for longer than ten seconds", async () => {
    await voice.join(lounge);
    house.hold("PATCH /guilds/10/voice-states/@me");
    let isOver = false;
    voice.leave().then(() => (isOver = true));
    await quiet();
    mock.timers.tick(9_999);
    await quiet();
    assert.equal(isOver, false);
    mock.timers.tick(1);
    await quiet();
    assert.equal(isOver, true);
  });
});

describe("moving", () => {
  const MOVE = "PATCH /guilds/10/voice-states/@me";

  beforeEach(async () => {
    await voice.join(lounge);
    await quiet();
    house.hold(MOVE);
  });

  test("and leaving before the answer: the moved seat is given back", async () => {
    const moved = code(voice.moveTo(MUSIC));
    await quiet();
    const left = voice.leave();
    await house.held[0].answer({ channel_id: MUSIC, connection_id: "conn_moved" });
    for (const { answer } of house.held) await answer();
    await left;
    assert.equal(await moved, "SUPERSEDED");
    assert.ok(seats().includes("leave conn_moved"));
    assert.equal(voice.state.at, "out");
  });

  test("and joining elsewhere before the answer: the moved seat is given back first", async () => {
    const moved = code(voice.moveTo(MUSIC));
    await quiet();
    const joined = code(voice.join({ ...lounge, channelId: STUDIO }));
    await house.held[0].answer({ channel_id: MUSIC, connection_id: "conn_moved" });
    for (let next = 1; next < house.held.length; next += 1) await house.held[next].answer();
    await quiet();
    assert.deepEqual([await moved, await joined], ["SUPERSEDED", "there"]);
    assert.equal(voice.state.channelId, STUDIO);
    assert.equal(seats().at(-1), "token 300");
    assert.ok(seats().includes("leave conn_moved"));
  });

  test("twice: the second goes on from where the first has led", async () => {
    const first = code(voice.moveTo(MUSIC));
    const second = code(voice.moveTo(STUDIO));
    await quiet();
    await house.held[0].answer({ channel_id: MUSIC, connection_id: "conn_a" });
    await house.held[1].answer({ channel_id: STUDIO, connection_id: "conn_b" });
    assert.deepEqual([await first, await second], ["SUPERSEDED", "there"]);
    assert.deepEqual(seats().slice(1), ["move conn_1 200", "move conn_a 300", "token 300"]);
    assert.equal(voice.state.channelId, STUDIO);
  });

  test("is nobody else's doing, even if the old room ends before the answer", async () => {
    const causes = new Set();
    voice.on("state", ({ cause }) => causes.add(cause));
    const moved = code(voice.moveTo(MUSIC));
    await quiet();
    const there = { channel_id: MUSIC, connection_id: "conn_moved" };
    house.answers["GET /guilds/10/voice-states/@me"] = there;
    house.room.drop();
    await quiet();
    await house.held[0].answer(there);
    assert.equal(await moved, "there");
    assert.ok(!causes.has("moved"));
    assert.equal(house.asked(TOKEN).length, 2);
  });

  test("twice, the second time while one enters: nothing is published on the way", async () => {
    await voice.setMicrophone(true);
    house.answers = {};
    let enter;
    const connect = house.livekit.Room.prototype.connect;
    house.livekit.Room.prototype.connect = async function (...to) {
      if (house.rooms.length === 2) await new Promise((resolve) => { enter = resolve; });
      return connect.apply(this, to);
    };
    house.answers[MOVE] = { channel_id: MUSIC, connection_id: "conn_a" };
    const first = code(voice.moveTo(MUSIC));
    await quiet();
    house.hold(TOKEN);
    house.answers[MOVE] = { channel_id: STUDIO, connection_id: "conn_b" };
    const second = code(voice.moveTo(STUDIO));
    await quiet();
    enter();
    await quiet();
    assert.equal(house.rooms[1].published.size, 0);
    await house.held[0].answer();
    assert.deepEqual([await first, await second], ["SUPERSEDED", "there"]);
    await quiet();
    assert.equal(house.room.published.size, 1);
  });

  test("to a channel that is full: one stays, and a move there later is a moderator's", async () => {
    const moved = code(voice.moveTo(MUSIC));
    await quiet();
    await house.held[0].answer({ status: 400, code: "VOICE_CHANNEL_FULL", message: "" });
    assert.equal(await moved, "VOICE_CHANNEL_FULL");
    assert.equal(voice.state.at, "in");
    assert.equal(voice.state.channelId, LOUNGE);
    const causes = new Set();
    voice.on("state", ({ cause }) => causes.add(cause));
    house.answers["GET /guilds/10/voice-states/@me"] = { channel_id: MUSIC, connection_id: "conn_moved" };
    house.room.drop();
    await quiet();
    assert.ok(causes.has("moved"));
  });

  test("to where one is: there", async () => {
    const moved = code(voice.moveTo(LOUNGE));
    await quiet();
    await house.held[0].answer({ channel_id: LOUNGE, connection_id: "conn_1" });
    assert.equal(await moved, "there");
    assert.equal(house.rooms.length, 1);
  });

  test("who is nowhere is told so", async () => {
    house.answers = {};
    await voice.leave();
    assert.equal(await code(voice.moveTo(MUSIC)), "USER_NOT_IN_VOICE");
  });
});
