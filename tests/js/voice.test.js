// FluxerVoice between a service and a LiveKit that say what a test wants. The clock is ours.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { GUILD, House, LOUNGE, MUSIC, quiet } from "./house.js";

const lounge = { guildId: GUILD, channelId: LOUNGE };
const gone = (reason) => ({ status: 404, code: "UNKNOWN_VOICE_STATE", message: "", reason });

let house;
let voice;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  house = new House();
  voice = house.voice();
});

afterEach(async () => {
  await voice.leave();
  mock.timers.reset();
});

async function after(ms) {
  mock.timers.tick(ms);
  await quiet();
}

describe("while LiveKit looks for its server", () => {
  beforeEach(async () => {
    await voice.join(lounge);
    house.hold("/voice/token");
    house.room.say("Reconnecting");
    await after(8000);
    assert.equal(house.held.length, 1); // nobody answers
  });

  test("a question that hangs holds up nobody who comes back", async () => {
    house.answers = { "@me": { channel_id: LOUNGE, connection_id: "conn_1" } };
    house.room.say("Disconnected");
    await quiet();
    assert.equal(voice.state.at, "in");
  });

  test("nor who is in again, and goes elsewhere", async () => {
    house.room.say("Reconnected");
    house.answers = { "@me": { channel_id: MUSIC, connection_id: "conn_2" } };
    await voice.moveTo(MUSIC);
    assert.deepEqual([voice.state.at, voice.state.channelId], ["in", MUSIC]);
  });
});

describe("joining", () => {
  test("a token, a room, and nothing is published by itself", async () => {
    await voice.join(lounge);
    assert.equal(voice.state.at, "in");
    assert.deepEqual(house.states, ["joining", "joining", "in"]);
    assert.equal(house.room.token, "token_1");
    assert.equal(house.room.options.adaptiveStream, true);
    assert.equal(house.room.options.dynacast, true);
    assert.equal(house.captured.length, 0);
  });

  test("a server that says nothing is not waited for as long as LiveKit would", async () => {
    await voice.join(lounge);
    assert.deepEqual(house.room.connectOptions, { maxRetries: 0, websocketTimeout: 5000 });
    voice = house.voice({ connect: { websocketTimeout: 9000 } });
    await voice.join(lounge);
    assert.equal(house.room.connectOptions.websocketTimeout, 9000);
  });

  test("never two at once: the second choice wins, and the first is told", async () => {
    const first = voice.join(lounge);
    const second = voice.join({ ...lounge, channelId: MUSIC });
    await assert.rejects(first, { code: "SUPERSEDED" });
    await second;
    assert.equal(voice.state.channelId, MUSIC);
    assert.equal(house.rooms.filter((room) => room.state === "connected").length, 1);
  });

  test("Retry-After is waited for, to the second", async () => {
    house.answers = { "/voice/token": { status: 503, code: "SERVICE_UNAVAILABLE", message: "", retry_after: 7 } };
    const joined = voice.join(lounge);
    await quiet();
    await after(6999);
    assert.equal(house.asked("/voice/token").length, 1);
    house.answers = {};
    await after(1);
    await joined;
    assert.equal(house.asked("/voice/token").length, 2);
  });

  for (const [status, code] of [[429, "RATE_LIMITED"], [503, "FEATURE_TEMPORARILY_DISABLED"]]) {
    test(`${code} is told while it is waited for, and has an end`, async () => {
      house.answers = { "/voice/token": { status, code, message: "", retry_after: 8 } };
      const told = [];
      voice.on("state", ({ at, error, retryAt }) => told.push([at, error?.code, retryAt && retryAt - Date.now()]));
      const joined = voice.join(lounge);
      const failure = joined.catch((error) => error);
      await quiet();
      assert.deepEqual(told.at(-1), ["joining", code, 8000]);
      for (let times = 0; times < 3; times += 1) await after(8000);
      assert.equal(house.asked("/voice/token").length, 4);
      assert.equal(voice.state.at, "ended");
      assert.equal(voice.state.why, "gave_up");
      assert.equal((await failure).code, code);
      await after(600_000);
      assert.equal(house.asked("/voice/token").length, 4);
    });

    test(`who leaves does not wait for ${code} any more`, async () => {
      house.answers = { "/voice/token": { status, code, message: "", retry_after: 8 } };
      const joined = voice.join(lounge);
      await quiet();
      await voice.leave();
      await assert.rejects(joined, { code: "LEFT" });
      house.answers = {};
      await after(600_000);
      assert.equal(house.asked("/voice/token").length, 1);
      assert.equal(voice.state.at, "out");
    });
  }

  test("with a patience of one's own, it has an end when that says", async () => {
    voice = house.voice({ patience: { limit: 5000 } });
    house.answers = { "/voice/token": { status: 503, code: "SERVICE_UNAVAILABLE", message: "" } };
    const failure = voice.join(lounge).catch((error) => error);
    await quiet();
    for (let passed = 0; passed < 5; passed += 1) await after(1000);
    assert.equal(voice.state.why, "gave_up");
    assert.equal((await failure).code, "SERVICE_UNAVAILABLE");
  });

  test("a refusal is the service's own error", async () => {
    house.answers = { "/voice/token": { status: 400, code: "VOICE_CHANNEL_FULL", message: "Voice channel is full" } };
    await assert.rejects(voice.join(lounge), { code: "VOICE_CHANNEL_FULL", status: 400 });
    assert.equal(voice.state.why, "refused");
  });

  test("a LiveKit that cannot even make a room is said to be in the way", async () => {
    house.livekit.Room = class {
      constructor() {
        throw new TypeError("not like that");
      }
    };
    const failure = voice.join(lounge).catch((error) => error);
    await quiet();
    for (let times = 0; times < 20; times += 1) await after(4000);
    assert.equal((await failure).code, "CONNECT");
  });

  test("an expired token is asked for once more", async () => {
    const given = [];
    voice = house.voice({ token: (refused) => given.push(refused) && (refused ? "fresh" : "stale") });
    house.answers = { "/voice/token": ({ authorization }) =>
      authorization === "Bearer stale" ? { status: 401, code: "UNAUTHORIZED", message: "" } : undefined };
    await voice.join(lounge);
    assert.deepEqual(given.slice(0, 2), [false, true]);
  });
});

describe("coming back", () => {
  beforeEach(async () => {
    await voice.join(lounge);
    await voice.setMicrophone(true);
    await after(60_000);
  });

  test("moved: in the other room with the same microphone, captured once", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: MUSIC, connection_id: "conn_moved" } };
    house.room.drop();
    await quiet();
    assert.equal(voice.state.at, "in");
    assert.equal(voice.state.channelId, MUSIC);
    assert.equal(house.asked("/voice/token").at(-1).body.connection_id, "conn_moved");
    assert.equal(house.captured.length, 1);
    assert.equal(house.room.published.get("microphone").track.mediaStreamTrack, house.captured[0]);
  });

  test("another region: joins again, as a new connection", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": gone("region_changed") };
    house.room.drop();
    await quiet();
    assert.equal(voice.state.at, "in");
    assert.equal(house.asked("/voice/token").at(-1).body.connection_id, undefined);
  });

  test("put out: told, out, and the microphone is off", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": gone("disconnected") };
    house.room.drop();
    await quiet();
    assert.equal(voice.state.why, "disconnected");
    assert.equal(house.captured[0].readyState, "ended");
    const asked = house.requests.length;
    await after(600_000);
    assert.equal(house.requests.length, asked);
  });

  test("put out: who joins again is heard as before, and seen only if they say so", async () => {
    await voice.setCamera(true);
    house.answers = { "GET /guilds/10/voice-states/@me": gone("disconnected") };
    house.room.drop();
    await quiet();
    const { microphone, camera, screen } = voice.wishes;
    assert.deepEqual({ microphone, camera, screen }, { microphone: true, camera: false, screen: false });
    await voice.join(lounge);
    await quiet();
    assert.deepEqual([...house.room.published.keys()], ["microphone"]);
  });

  test("an expired session is told as such, and nothing is asked any more", async () => {
    house.answers = { "@me": { status: 401, code: "UNAUTHORIZED", message: "" } };
    house.room.drop();
    await quiet();
    assert.equal(voice.state.why, "session_expired");
    assert.equal(house.captured[0].readyState, "ended");
    const asked = house.requests.length;
    await after(600_000);
    assert.equal(house.requests.length, asked);
  });

  test("a server that does not answer: again and again, until another one is given", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: LOUNGE, connection_id: "conn_1" } };
    house.refuses = () => true;
    house.room.drop();
    await quiet();
    for (let times = 0; times < 3; times += 1) await after(4000);
    assert.equal(voice.state.at, "recovering");
    house.refuses = () => false;
    await after(4000);
    assert.equal(voice.state.at, "in");
    assert.ok(house.asked("/voice/token").every(({ body }) => [undefined, "conn_1"].includes(body.connection_id)));
  });

  test("what an old room still says is old news", async () => {
    const old = house.room;
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: MUSIC, connection_id: "conn_moved" } };
    old.drop();
    await quiet();
    old.drop();
    await quiet();
    assert.equal(voice.state.at, "in");
    assert.equal(house.asked("/voice/token").length, 2);
  });
});

describe("a gateway", () => {
  const update = (reason, id) => ({ type: "VOICE_SERVER_UPDATE", data: { connection_id: id, reason } });

  beforeEach(() => voice.join(lounge));

  test("that tells of a dead server: there at once, and told why", async () => {
    const causes = new Set();
    voice.on("state", ({ cause }) => causes.add(cause));
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: LOUNGE, connection_id: "conn_1" } };
    voice.told(update("failed_over", "conn_1"));
    await quiet();
    assert.deepEqual([...causes], ["failed_over", null]);
    assert.deepEqual(house.asked("/voice/token").at(-1).body.connection_id, "conn_1");
    assert.deepEqual(house.rooms.map(({ state }) => state), ["disconnected", "connected"]);
  });

  test("that hands on what the stream has, as text, is understood as well", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: LOUNGE, connection_id: "conn_1" } };
    const { type, data } = update("failed_over", "conn_other");
    voice.told({ type, at: "", data: JSON.stringify(data) });
    await quiet();
    assert.equal(house.rooms.length, 1);
    voice.told({ type, at: "", data: JSON.stringify({ ...data, connection_id: "conn_1" }) });
    await quiet();
    assert.deepEqual(house.rooms.map(({ state }) => state), ["disconnected", "connected"]);
  });

  test("that tells of anything else: nothing happens", async () => {
    voice.told({ type: "CHANNEL_UPDATE", data: JSON.stringify({ connection_id: "conn_1" }) });
    await quiet();
    assert.equal(house.asked("GET /guilds/10/voice-states/@me").length, 0);
  });

  test("that tells of another device: nothing happens, and nothing is said of it", async () => {
    house.answers = { "GET /guilds/10/voice-states/@me": { channel_id: LOUNGE, connection_id: "conn_1" } };
    const said = house.states.length;
    voice.told(update("moved", "conn_other"));
    voice.told(update("failed_over", "conn_other"));
    await quiet();
    assert.equal(house.states.length, said);
    assert.equal(house.rooms.length, 1);
  });
});

describe("what one wants and may", () => {
  beforeEach(() => voice.join(lounge));

  test("all that one may is in the docs", async () => {
    const docs = await readFile(new URL("../../docs/client.md", import.meta.url), "utf8");
    const [line] = docs.match(/^\| `rights` \|.*$/m);
    assert.deepEqual(Object.keys(voice.rights).filter((name) => !line.includes(`\`${name}\``)), []);
  });

  test("a muted microphone stays captured, and is not published anew", async () => {
    await voice.setMicrophone(true);
    await voice.setMicrophone(false);
    assert.equal(house.room.published.get("microphone").track.isMuted, true);
    await voice.setMicrophone(true);
    assert.equal(house.captured.length, 1);
    assert.equal(house.room.published.get("microphone").track.isMuted, false);
  });

  test("deafened, one is not heard either; afterwards it is as before", async () => {
    await voice.setMicrophone(true);
    await voice.setDeafened(true);
    assert.equal(house.room.published.get("microphone").track.isMuted, true);
    await voice.setDeafened(false);
    assert.equal(house.room.published.get("microphone").track.isMuted, false);
  });

  test("a right that comes back brings back what was wanted", async () => {
    await voice.setMicrophone(true);
    const me = house.room.localParticipant;
    me.permissions = { ...me.permissions, canPublishSources: [1, 3] };
    house.room.published.delete("microphone"); // as LiveKit does
    house.room.say("ParticipantPermissionsChanged", null, me);
    await quiet();
    assert.equal(house.room.published.has("microphone"), false);
    assert.equal(voice.rights.canSpeak, false);

    me.permissions = { ...me.permissions, canPublishSources: [1, 2, 3] };
    house.room.say("ParticipantPermissionsChanged", null, me);
    await quiet();
    assert.equal(house.room.published.has("microphone"), true);
  });

  test("what LiveKit would not publish is tried again, until it does or one thinks better of it", async () => {
    const me = house.room.localParticipant;
    const { publishTrack } = me;
    let tried = 0;
    me.publishTrack = async () => {
      tried += 1;
      throw new Error("publication timed out");
    };
    await voice.setMicrophone(true);
    await after(2000);
    assert.equal(tried, 2);
    await voice.setMicrophone(false);
    await after(10_000);
    assert.equal(tried, 2);
    await voice.setMicrophone(true);
    me.publishTrack = publishTrack;
    await after(2000);
    assert.ok(house.room.published.has("microphone"));
    assert.equal(house.captured.length, 1);
  });

  test("what LiveKit never publishes is tried less and less often, told once, and wanted still", async () => {
    const me = house.room.localParticipant;
    const { publishTrack } = me;
    const tried = [];
    me.publishTrack = async () => {
      tried.push(Date.now());
      throw new Error("publication timed out");
    };
    const troubles = [];
    voice.on("trouble", ({ kind, error }) => troubles.push([tried.length, kind, error.code]));
    await voice.setMicrophone(true);
    for (let passed = 0; passed < 150; passed += 1) await after(1000);
    const waits = tried.slice(1).map((at, number) => (at - tried[number]) / 1000);
    assert.deepEqual(waits, [2, 4, 8, 16, 30, 30, 30, 30]);
    assert.deepEqual(troubles, [[3, "microphone", "MICROPHONE_UNPUBLISHED"]]);
    assert.equal(voice.wishes.microphone, true);
    me.publishTrack = publishTrack;
    await after(30_000);
    assert.ok(house.room.published.has("microphone"));
  });

  test("a device that is refused is said to be, and not wanted any more", async () => {
    house.devices.getUserMedia = async () => {
      throw Object.assign(new Error("no"), { name: "NotAllowedError" });
    };
    await assert.rejects(voice.setMicrophone(true), { code: "MICROPHONE_DENIED" });
    assert.equal(voice.wishes.microphone, false);
    assert.equal(voice.state.at, "in");
  });

  test("a camera that is switched off is off", async () => {
    await voice.setCamera(true);
    await voice.setCamera(false);
    assert.equal(house.captured[0].readyState, "ended");
    assert.equal(house.room.published.has("camera"), false);
  });

  test("the others are told, once each time, and the last word wins", async () => {
    await quiet();
    voice.setMicrophone(true);
    voice.setMicrophone(false);
    await voice.setMicrophone(true);
    await quiet();
    const flags = house.asked("PATCH").map(({ body }) => body.self_mute);
    assert.deepEqual(flags, [true, false]);
  });
});
