// Devices that answer late, or go away: what the person wished meanwhile holds. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { GUILD, House, LOUNGE, quiet } from "./house.js";

const lounge = { guildId: GUILD, channelId: LOUNGE };

let house;
let voice;
let allow; // what the person answers to the browser's question for the camera
let deny;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  house = new House();
  const asked = new Promise((resolve, reject) => {
    allow = resolve;
    deny = () => (reject(new DOMException("no", "NotAllowedError")), quiet());
  });
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

for (const [name, end] of [
  ["left", () => voice.leave()],
  ["thought better of it", () => voice.setCamera(false)],
]) {
  test(`a camera that is denied after one has ${name} is no trouble any more`, async () => {
    const troubles = [];
    voice.on("trouble", (trouble) => troubles.push(trouble));
    await voice.join(lounge);
    const first = voice.setCamera(true);
    await quiet();
    await end();
    await deny();
    await first;
    assert.deepEqual(troubles, []);
  });
}

test("whoever does not answer the browser's question holds up nobody who has thought better of it", async () => {
  await voice.join(lounge);
  const first = voice.setCamera(true);
  await quiet();
  await voice.setCamera(false);
  await first;
  const again = voice.setCamera(true);
  await quiet();
  allow();
  await again;
  assert.equal(house.captured.length, 1);
  assert.ok(house.room.published.has("camera"));
});

test("nor is a mute, or a deafen, held up by the question for the microphone", async () => {
  const { getUserMedia } = house.devices;
  let answer;
  house.devices.getUserMedia = async (wanted) => {
    await new Promise((resolve) => { answer = resolve; });
    return getUserMedia(wanted);
  };
  await voice.join(lounge);
  for (const silence of [() => voice.setMicrophone(false), () => voice.setDeafened(true)]) {
    voice.setMicrophone(true);
    await quiet();
    await silence();
  }
  answer();
  await quiet();
  assert.deepEqual(house.captured.map((track) => track.readyState), ["ended"]);
});

test("who has not allowed the microphone yet is not said to be heard", async () => {
  const { getUserMedia } = house.devices;
  let answer;
  house.devices.getUserMedia = async (wanted) => {
    await new Promise((resolve) => { answer = resolve; });
    return getUserMedia(wanted);
  };
  const said = () => house.asked("PATCH").map(({ body }) => body.self_mute);
  voice.setMicrophone(true);
  await voice.join(lounge);
  await quiet();
  assert.deepEqual(said(), [true]);
  answer();
  await quiet();
  assert.deepEqual(said(), [true, false]);
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

for (const [kind, set] of [["microphone", "setMicrophone"], ["camera", "setCamera"]]) {
  test(`a ${kind} that goes away is wanted no more, and told; the others are told, too`, async () => {
    const troubles = [];
    voice.on("trouble", (trouble) => troubles.push([trouble.kind, trouble.error.code, trouble.error.message]));
    allow();
    await voice.join(lounge);
    await voice[set](true);
    await quiet();
    house.captured[0].end();
    await quiet();
    assert.equal(voice.wishes[kind], false);
    assert.deepEqual(troubles, [[kind, `${kind.toUpperCase()}_GONE`, `Your ${kind} went away.`]]);
    const { self_mute, self_video } = house.asked("PATCH").at(-1).body;
    assert.deepEqual([self_mute, self_video], [true, false]);
  });
}

test("an open question for the camera holds no word about the microphone up, and is no camera", async () => {
  await voice.join(lounge);
  voice.setCamera(true);
  await quiet();
  await voice.setMicrophone(true);
  await voice.setMicrophone(false);
  await quiet();
  const said = house.asked("PATCH").map(({ body }) => [body.self_mute, body.self_video]);
  assert.deepEqual(said, [[true, false], [false, false], [true, false]]);
  allow();
  await quiet();
  assert.equal(house.asked("PATCH").at(-1).body.self_video, true);
});

describe("while LiveKit looks for its server, and what is sent may still arrive", () => {
  const camera = () => house.room.published.get("camera")?.track;

  beforeEach(async () => {
    await voice.join(lounge);
    await voice.setMicrophone(true);
    allow();
    await voice.setCamera(true);
    house.room.state = "signalReconnecting";
    house.room.say("SignalReconnecting");
  });

  async function found() {
    house.room.state = "connected";
    house.room.say("Reconnected");
    await quiet();
  }

  test("a mute and a deafen silence at once", async () => {
    const [track] = house.captured;
    for (const silence of [(is) => voice.setMicrophone(!is), (is) => voice.setDeafened(is)]) {
      await silence(true);
      assert.equal(track.enabled, false);
      await silence(false);
      assert.equal(track.enabled, true);
    }
    await voice.setMicrophone(false);
    await found();
    assert.equal(microphone().isMuted, true);
  });

  test("a camera that is switched off is off at once", async () => {
    await voice.setCamera(false);
    assert.equal(house.captured[1].readyState, "ended");
    await found();
    assert.equal(camera(), undefined);
  });

  test("and one that is switched on again is seen again", async () => {
    await voice.setCamera(false);
    await voice.setCamera(true);
    await found();
    assert.equal(camera().mediaStreamTrack.readyState, "live");
  });
});

describe("the screen", () => {
  let choose; // what to share
  const source = () => house.room.published.has("screen_share");

  beforeEach(async () => {
    const { getDisplayMedia } = house.devices;
    house.devices.getDisplayMedia = (wanted) => new Promise((resolve) => {
      choose = () => (resolve(getDisplayMedia(wanted)), quiet());
    });
    await voice.join(lounge);
  });

  test("is shared with its sound, and let go of with the browser's own button", async () => {
    const troubles = [];
    voice.on("trouble", (trouble) => troubles.push(trouble));
    voice.setScreenShare(true);
    await choose();
    assert.ok(source());
    assert.ok(house.room.published.has("screen_share_audio"));
    house.captured[0].end();
    await quiet();
    assert.equal(voice.wishes.screen, false);
    assert.ok(!source());
    assert.deepEqual(house.captured.map((track) => track.readyState), ["ended", "ended"]);
    assert.deepEqual(troubles, []);
  });

  test("is asked for once, however often one clicks", async () => {
    let asked = 0;
    const { getDisplayMedia } = house.devices;
    house.devices.getDisplayMedia = (wanted) => ((asked += 1), getDisplayMedia(wanted));
    const both = [voice.setScreenShare(true), voice.setScreenShare(true)];
    await choose();
    await Promise.all(both);
    assert.equal(asked, 1);
    assert.ok(source());
  });

  test("is not shared by one who has thought better of it before choosing", async () => {
    const shared = voice.setScreenShare(true);
    voice.setScreenShare(false);
    await choose();
    await shared;
    assert.equal(voice.wishes.screen, false);
    assert.ok(!source());
    assert.deepEqual(house.captured.map((track) => track.readyState), ["ended", "ended"]);
  });

  test("is seen and not heard while one is deafened, and heard again afterwards", async () => {
    const sound = () => house.room.published.get("screen_share_audio")?.track.mediaStreamTrack;
    voice.setScreenShare(true);
    await choose();
    const [, audio] = house.captured;
    voice.setDeafened(true);
    assert.equal(audio.enabled, false); // at once, whatever LiveKit is doing
    await quiet();
    assert.ok(source());
    assert.equal(sound(), undefined);
    await voice.setMicrophone(true);
    assert.equal(sound(), undefined);
    voice.setDeafened(false);
    await quiet();
    assert.deepEqual([sound(), audio.enabled, audio.readyState], [audio, true, "live"]);
  });

  test("is shared without a sound by one who is deafened, and heard when they are no more", async () => {
    await voice.setDeafened(true);
    voice.setScreenShare(true);
    await choose();
    assert.ok(source());
    assert.ok(!house.room.published.has("screen_share_audio"));
    voice.setDeafened(false);
    await quiet();
    assert.ok(house.room.published.has("screen_share_audio"));
    assert.deepEqual(house.captured.map(({ enabled }) => enabled), [true, true]);
  });

  test("is not captured for one who is nowhere", async () => {
    await voice.leave();
    await assert.rejects(voice.setScreenShare(true), { code: "USER_NOT_IN_VOICE" });
    assert.equal(house.captured.length, 0);
    assert.equal(voice.wishes.screen, false);
  });

  for (const [name, devices, sentence] of [
    ["a browser that cannot", { getUserMedia() {} }, "This browser cannot share a screen."],
    ["a page that is not secure", null, "Screen sharing needs a secure page (https or localhost)."],
  ]) {
    test(`on ${name} is said to be impossible`, async () => {
      voice = house.voice({ devices });
      await voice.join(lounge);
      await assert.rejects(voice.setScreenShare(true), { code: "SCREEN_UNSUPPORTED", message: sentence });
      assert.equal(voice.wishes.screen, false);
    });
  }

  test("without the right is let go of, and said to be", async () => {
    voice.setScreenShare(true);
    await choose();
    const troubles = [];
    voice.on("trouble", ({ error }) => troubles.push(error.code));
    const me = house.room.localParticipant;
    me.permissions = { ...me.permissions, canPublishSources: [1, 2] };
    house.room.say("ParticipantPermissionsChanged", null, me);
    await quiet();
    assert.deepEqual(troubles, ["SCREEN_FORBIDDEN"]);
    assert.equal(voice.wishes.screen, false);
    assert.ok(!source());
    assert.equal(house.captured[0].readyState, "ended");
  });
});

describe("how one's own is sent", () => {
  const both = async (options) => {
    voice = house.voice(options);
    allow();
    await voice.join(lounge);
    await voice.setMicrophone(true);
    await voice.setCamera(true);
    return ["microphone", "camera"].map((source) => house.room.published.get(source).how);
  };

  test("is LiveKit's to say, and its own options are heard", async () => {
    const usual = await both();
    assert.deepEqual(usual, [{}, {}]);
    const [microphone, camera] = await both({ room: { publishDefaults: { dtx: false, simulcast: false } } });
    assert.deepEqual([microphone.dtx, camera.simulcast], [false, false]);
  });
});

describe("what is asked of the devices", () => {
  const everything = async () => {
    await voice.join(lounge);
    await voice.setMicrophone(true);
    allow();
    await voice.setCamera(true);
    await voice.setScreenShare(true);
    return house.wanted;
  };

  test("a voice without echo and noise, 720 lines, and a screen with its sound", async () => {
    const [microphone, camera, screen] = await everything();
    assert.deepEqual(microphone.audio, { echoCancellation: true, noiseSuppression: true, autoGainControl: true });
    assert.deepEqual([camera.video.width, camera.video.height], [{ ideal: 1280 }, { ideal: 720 }]);
    assert.equal(screen.audio, true);
    const { audioCaptureDefaults, videoCaptureDefaults } = house.room.options;
    assert.deepEqual(audioCaptureDefaults, microphone.audio);
    assert.equal(videoCaptureDefaults.resolution.height, 720);
  });

  for (const name of ["echoCancellation", "noiseSuppression", "autoGainControl"]) {
    test(`${name} can be had otherwise, and the rest stays`, async () => {
      voice = house.voice({ capture: { audio: { [name]: false } } });
      const [{ audio }] = await everything();
      const ours = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      assert.deepEqual(audio, { ...ours, [name]: false });
      assert.deepEqual(house.room.options.audioCaptureDefaults, audio);
    });
  }

  test("what LiveKit's own options say of them, and over that what `capture` says", async () => {
    const room = {
      audioCaptureDefaults: { deviceId: "headset", noiseSuppression: false },
      videoCaptureDefaults: { facingMode: "environment", resolution: { width: 640, height: 360, frameRate: 24 } },
    };
    voice = house.voice({ room, capture: { audio: { autoGainControl: false }, video: { height: { ideal: 480 } } } });
    const [microphone, camera] = await everything();
    assert.deepEqual(microphone.audio, {
      echoCancellation: true, noiseSuppression: false, autoGainControl: false, deviceId: "headset",
    });
    assert.deepEqual(camera.video, {
      width: 640, height: { ideal: 480 }, frameRate: 24, facingMode: "environment",
    });
  });

  test("other lines, another screen, and another room", async () => {
    const capture = { video: { height: { ideal: 480 } }, screen: { audio: false } };
    voice = house.voice({ capture, room: { adaptiveStream: false } });
    const [, camera, screen] = await everything();
    assert.deepEqual([camera.video.width, camera.video.height], [{ ideal: 1280 }, { ideal: 480 }]);
    assert.equal(screen.audio, false);
    assert.equal(house.room.options.adaptiveStream, false);
    assert.equal(house.room.options.dynacast, true);
  });
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
