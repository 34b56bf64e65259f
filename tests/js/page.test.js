// The page around it: it goes away, is online again, and makes another one. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { GUILD, House, LOUNGE, quiet } from "./house.js";

const lounge = { guildId: GUILD, channelId: LOUNGE };

let page;
let house;
let voice;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  house = new House();
  voice = house.voice();
});

afterEach(async () => {
  await voice.close();
  delete globalThis.addEventListener;
  mock.timers.reset();
});

const happens = (name) => page.dispatchEvent(new Event(name));

test("a page that goes away leaves, before it is gone, with a request that outlives it", async () => {
  await voice.join(lounge);
  await voice.setMicrophone(true);
  happens("pagehide");
  const last = house.requests.at(-1); // asked already
  assert.deepEqual(last.body, { channel_id: null, connection_id: "conn_1" });
  assert.equal(last.keepalive, true);
  assert.equal(house.captured[0].readyState, "ended");
  await quiet();
  assert.equal(voice.state.at, "out");
});

test("a page that goes away waits for nobody who gives a token: it has had one", async () => {
  let token = "a-token";
  let give;
  voice = house.voice({ token: () => token ?? new Promise((resolve) => { give = resolve; }) });
  await voice.join(lounge);
  await quiet();
  token = null;
  happens("pagehide");
  const last = house.requests.at(-1);
  give?.("another");
  assert.deepEqual(last.body, { channel_id: null, connection_id: "conn_1" });
  assert.deepEqual([last.authorization, last.keepalive], ["Bearer a-token", true]);
});

test("who leaves with a token that is over by now has another one asked for", async () => {
  const given = [];
  voice = house.voice({ token: (refused) => given.push(refused) && (refused ? "fresh" : "stale") });
  await voice.join(lounge);
  await quiet();
  house.answers = { "@me": ({ authorization }) =>
    authorization === "Bearer stale" ? { status: 401, code: "UNAUTHORIZED", message: "" } : undefined };
  const before = given.length;
  await voice.leave();
  assert.deepEqual(given.slice(before), [true]);
  assert.equal(house.requests.at(-1).authorization, "Bearer fresh");
});

test("a page that goes away uses no token that was refused", async () => {
  let give;
  voice = house.voice({ token: (refused) => (refused ? new Promise((resolve) => { give = resolve; }) : "stale") });
  await voice.join(lounge);
  await quiet();
  house.answers = { "/voice/regions": { status: 401, code: "UNAUTHORIZED", message: "" } };
  voice.regions().catch(() => {});
  await quiet();
  const before = house.requests.length;
  happens("pagehide");
  assert.equal(house.requests.length, before);
  give?.("fresh");
});

test("a page that is online again waits no longer, unless the service has asked for it", async () => {
  const busy = { status: 503, code: "SERVICE_UNAVAILABLE", message: "", retry_after: 7 };
  house.answers = { "/voice/token": () => Promise.reject(new TypeError("no network")) };
  const joined = voice.join(lounge);
  await quiet();
  house.answers = { "/voice/token": busy };
  happens("online");
  await quiet();
  assert.equal(house.asked("/voice/token").length, 2);
  house.answers = {};
  happens("online");
  await quiet();
  assert.equal(house.asked("/voice/token").length, 2);
  mock.timers.tick(7000);
  await joined;
});

test("one that is closed has left, and hears of the page no more", async () => {
  await voice.join(lounge);
  await voice.close();
  assert.equal(voice.state.at, "out");
  assert.deepEqual(house.requests.at(-1).body, { channel_id: null, connection_id: "conn_1" });
  await voice.join(lounge);
  happens("pagehide");
  assert.equal(voice.state.at, "in");
});

test("a browser that waits for a click is told of, and plays after one", async () => {
  const told = [];
  voice.on("playback", ({ allowed }) => told.push(allowed));
  assert.equal(voice.startAudio(), undefined); // nowhere
  await voice.join(lounge);
  assert.deepEqual(told, []);
  house.room.plays(false);
  assert.deepEqual(told, [false]);
  await voice.startAudio();
  assert.deepEqual(told, [false, true]);
});

test("what a room that was left says of sound is old news", async () => {
  await voice.join(lounge);
  const [old] = house.rooms;
  await voice.join(lounge);
  const told = [];
  voice.on("playback", ({ allowed }) => told.push(allowed));
  old.plays(false);
  await voice.startAudio();
  assert.deepEqual([told, old.canPlaybackAudio], [[true], false]);
});
