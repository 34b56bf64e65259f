// A link that is measured while one is in, and what follows from it. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { proposal } from "../../fluxer/static/fluxer/demo/quality.js";
import { GUILD, House, LOUNGE, quiet } from "./house.js";

let house;
let voice;
let told;
let loss; // the part of what we send that does not arrive

beforeEach(async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  house = new House();
  house.answers = { "/rtc-regions": ["us-west", "eu-central"].map((id) => ({ id, is_accessible: true })) };
  voice = house.voice();
  told = { figures: [], step: [], advice: [] };
  for (const name of Object.keys(told)) voice.on(name, (detail) => told[name].push(detail));
  await voice.join({ guildId: GUILD, channelId: LOUNGE });
  await voice.setCamera(true);
  const me = house.room.localParticipant;
  me.metadata = JSON.stringify({ region_id: "us-west" });
  loss = 0;
  measurable("camera");
});

/** A track that has statistics. */
function measurable(source) {
  house.room.published.get(source).track.getRTCStatsReport = async () => {
    const timestamp = Date.now();
    return new Map([
      ["out", { id: "out", type: "outbound-rtp", bytesSent: timestamp, timestamp }],
      ["heard", { id: "heard", type: "remote-inbound-rtp", fractionLost: loss, timestamp }],
    ]);
  };
}

afterEach(async () => {
  await voice.leave();
  mock.timers.reset();
});

async function after(seconds) {
  for (let passed = 0; passed < seconds; passed += 1) {
    mock.timers.tick(1000);
    await quiet();
  }
}

test("is measured every two seconds, from the second time on, until one leaves", async () => {
  await after(3);
  assert.equal(told.figures.length, 0);
  await after(7);
  assert.equal(told.figures.length, 4);
  assert.equal(told.figures[0].up, 8000);
  await voice.leave();
  await after(10);
  assert.equal(told.figures.length, 4);
});

test("that is poor takes the camera down to nothing, and it comes back by itself; the voice stays", async () => {
  await voice.setMicrophone(true);
  measurable("microphone");
  loss = 0.3;
  await after(24);
  assert.deepEqual(told.step.map(({ rung }) => rung.name), ["medium", "low", "slow", "off"]);
  assert.deepEqual([...house.room.published.keys()], ["microphone"]);
  assert.equal(voice.wishes.camera, true);
  loss = 0;
  await after(16);
  assert.equal(told.step.at(-1).direction, "up");
  assert.deepEqual([...house.room.published.keys()], ["microphone", "camera"]);
});

test("that is good again brings back the camera of one who says nothing and is alone", async () => {
  loss = 0.3;
  await after(24);
  assert.equal(house.room.published.size, 0); // nothing is left to be measured
  await after(12);
  assert.deepEqual([...house.room.published.keys()], ["camera"]);
  measurable("camera");
  loss = 0;
  await after(40);
  assert.deepEqual(told.step.slice(4).map(({ rung }) => rung.name), ["slow", "low", "medium", "full"]);
});

test("that LiveKit calls poor brings back no camera, though nothing is left to be measured", async () => {
  loss = 0.3;
  await after(24);
  house.room.localParticipant.connectionQuality = "poor";
  await after(60);
  assert.equal(house.room.published.size, 0);
});

test("that stays poor is a reason to think of another region, once", async () => {
  await voice.setMicrophone(true);
  measurable("microphone");
  loss = 0.3;
  await after(20);
  assert.equal(told.advice.length, 0);
  await after(40);
  assert.deepEqual(told.advice.map(({ regionId, regions }) => [regionId, regions.map(({ id }) => id)]),
    [["us-west", ["eu-central"]]]);
});

test("that stays poor is a reason to ask which region is the nearest, if the person has said where they are", async () => {
  await voice.setMicrophone(true);
  measurable("microphone");
  loss = 0.3;
  await after(24);
  await voice.join({ guildId: GUILD, channelId: LOUNGE, position: { latitude: 45.4642, longitude: 9.1895 } });
  await quiet();
  measurable("microphone");
  await after(24);
  assert.deepEqual(house.asked("/rtc-regions").map(({ path }) => path.split("/rtc-regions")[1]),
    ["", "?latitude=45.46&longitude=9.19"]);
});

test("that stays poor makes the page propose the nearest region, or the only one; of others nobody knows", () => {
  const west = { id: "us-west" };
  const near = { id: "eu-central", optimal: true };
  assert.equal(proposal([west, near]), near);
  assert.equal(proposal([west]), west);
  assert.equal(proposal([west, { id: "asia" }]), null);
});

for (const [name, nothing] of [
  ["there is no other region", [{ id: "us-west", is_accessible: true }]],
  ["the other one is not for them", [{ id: "eu-central", is_accessible: false }]],
  ["the regions cannot be had", { status: 503, code: "SERVICE_UNAVAILABLE", message: "" }],
]) {
  test(`that stays poor is no such reason while ${name}`, async () => {
    await voice.setMicrophone(true);
    measurable("microphone");
    const regions = house.answers["/rtc-regions"];
    house.answers["/rtc-regions"] = nothing;
    loss = 0.3;
    await after(60);
    assert.equal(told.advice.length, 0);
    assert.equal(house.asked("/rtc-regions").length, 2); // not with every reading
    house.answers["/rtc-regions"] = regions;
    await after(30);
    assert.equal(told.advice.length, 1);
  });
}

test("is none of their business any more who have left", async () => {
  await voice.setMicrophone(true);
  measurable("microphone");
  loss = 0.3;
  house.hold("/rtc-regions");
  await after(30);
  assert.equal(house.held.length, 1);
  await voice.leave();
  await house.held[0].answer([]);
  assert.equal(told.advice.length, 0);
});

describe("that is poor makes of the camera", () => {
  const camera = () => house.room.published.get("camera").track;
  const wanted = [0, 1, 2].map((quality) => ({ quality, enabled: true }));
  const steps = async (number) => {
    const before = told.step.length;
    for (let passed = 0; passed < 60 && told.step.length < before + number; passed += 1) await after(1);
    assert.equal(told.step.length, before + number);
  };

  test("fewer layers, whatever the others want to see", async () => {
    loss = 0.3;
    for (const layers of [[0, 1], [0]]) {
      await steps(1);
      assert.deepEqual(camera().layers, layers);
      await camera().setPublishingLayers(false, structuredClone(wanted));
      assert.deepEqual(camera().layers, layers);
    }
    loss = 0;
    await after(40);
    await camera().setPublishingLayers(false, structuredClone(wanted));
    assert.deepEqual(camera().layers, [0, 1, 2]);
  });

  test("no layer that nobody wants to see, whatever one does meanwhile", async () => {
    const paused = wanted.map(({ quality }) => ({ quality, enabled: false }));
    await camera().setPublishingLayers(false, paused);
    await voice.setMicrophone(true);
    await voice.setMicrophone(false);
    assert.deepEqual(camera().layers, []);
    loss = 0.3;
    await steps(1);
    assert.deepEqual(camera().layers, []);
  });

  test("no more layers when LiveKit has to start all over", async () => {
    loss = 0.3;
    await steps(2);
    await camera().setPublishingLayers(false, structuredClone(wanted));
    camera().republish();
    house.room.say("Reconnected");
    await quiet();
    assert.deepEqual(camera().layers, [0]);
  });

  test("fewer layers at the next chance when LiveKit could not switch them", async () => {
    await camera().setPublishingLayers(false, structuredClone(wanted));
    camera().fails = true;
    loss = 0.3;
    await steps(1);
    assert.deepEqual(camera().layers, [0, 1, 2]);
    camera().fails = false;
    await after(2);
    assert.deepEqual(camera().layers, [0, 1]);
  });

  test("as many layers again as they want to see when it is good, though they said so when it was not", async () => {
    loss = 0.3;
    await steps(2);
    const said = wanted.map(({ quality }) => ({ quality, enabled: quality < 2 }));
    await camera().setPublishingLayers(false, said);
    assert.deepEqual(camera().layers, [0]);
    assert.equal(said[1].enabled, true); // what is LiveKit's own is left as it is
    loss = 0;
    await steps(2);
    assert.deepEqual(camera().layers, [0, 1]);
  });

  for (const [frameRate, slow] of [
    [{ ideal: 60 }, { ideal: 60, max: 8 }],
    [{ min: 15, ideal: 30 }, { ideal: 30, max: 8 }],
    [{ exact: 30 }, { ideal: 30, max: 8 }],
    [{ max: 5 }, { ideal: 5, max: 5 }],
    [30, { ideal: 30, max: 8 }],
  ]) {
    test(`fewer frames than ${JSON.stringify(frameRate)}, and as many again when it is good`, async () => {
      await voice.leave();
      voice = house.voice({ capture: { video: { frameRate } } });
      await voice.join({ guildId: GUILD, channelId: LOUNGE });
      await voice.setCamera(true);
      measurable("camera");
      const track = camera().mediaStreamTrack;
      const own = house.wanted.at(-1).video;
      assert.deepEqual(track.constraints, own);
      loss = 0.3;
      await after(16);
      assert.deepEqual(track.constraints, { ...own, frameRate: slow });
      loss = 0;
      await after(16);
      assert.deepEqual(track.constraints, own);
    });
  }
});
