// Devices that answer late, or go away: what the person wished meanwhile holds. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { GUILD, House, LOUNGE, quiet } from "./house.js";

const lounge = { guildId: GUILD, channelId: LOUNGE };

let house;
let voice;
let allow; // what the person answers to the browser's question for the camera

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  house = new House();
  const asked = new Promise((resolve) => { allow = resolve; });
  const capture = house.devices.getUserMedia;
  house.devices.getUserMedia = async (wanted) => {
    if (wanted.video) await asked;
    return capture(wanted);
  };
  voice = house.voice();
});

afterEach(async () => {
  allow();
  await voice.leave();
  mock.timers.reset();
});

const microphone = () => house.room.published.get("microphone")?.track;

test("the browser's question for the camera holds no mute up, nor what deafen mutes", async () => {
  await voice.join(lounge);
  await voice.setMicrophone(true);
  voice.setCamera(true);
  await quiet();
  voice.setMicrophone(false);
  await quiet();
  assert.equal(microphone().isMuted, true);
  voice.setMicrophone(true);
  await quiet();
  assert.equal(microphone().isMuted, false);
  voice.setDeafened(true);
  await quiet();
  assert.equal(microphone().isMuted, true);
});

test("a camera that is allowed after one has left is switched off at once", async () => {
  const troubles = [];
  voice.on("trouble", (trouble) => troubles.push(trouble));
  await voice.join(lounge);
  voice.setCamera(true).catch(() => {});
  await quiet();
  await voice.leave();
  allow();
  await quiet();
  assert.deepEqual(house.captured.map((track) => track.readyState), ["ended"]);
  assert.deepEqual(troubles, []);
});

test("a microphone that was unplugged is taken anew", async () => {
  await voice.join(lounge);
  await voice.setMicrophone(true);
  const dead = microphone().mediaStreamTrack;
  dead.stop();
  await voice.setMicrophone(false);
  await voice.setMicrophone(true);
  assert.equal(microphone().mediaStreamTrack.readyState, "live");
  assert.notEqual(microphone().mediaStreamTrack, dead);
});

test("deafened while one enters, one hears nobody inside", async () => {
  let enter;
  const { Room } = house.livekit;
  const connect = Room.prototype.connect;
  Room.prototype.connect = async function (...to) {
    await new Promise((resolve) => { enter = resolve; });
    return connect.apply(this, to);
  };
  const joined = voice.join(lounge);
  await quiet();
  voice.setDeafened(true);
  const element = { muted: false, remove() {} };
  const track = { kind: "audio", attach: () => element, detach: () => [] };
  house.room.say("TrackSubscribed", track, {}, { identity: "user_2_conn_y" });
  enter();
  await joined;
  await quiet();
  assert.equal(element.muted, true);
});
