// Where the person is: only if they say so, and only roughly.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { locate } from "../../fluxer/static/fluxer/voice/position.js";
import { GUILD, House, LOUNGE, MUSIC, quiet } from "./house.js";

let answer;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const geolocation = { getCurrentPosition: (found, refused) => (answer = { found, refused }) };
  Object.defineProperty(globalThis, "navigator", { value: { geolocation }, configurable: true });
});

afterEach(() => mock.timers.reset());

test("to two decimals, as the service takes it", async () => {
  assert.deepEqual(await locate({ latitude: 45.46421, longitude: -9.18951 }), { latitude: "45.46", longitude: "-9.19" });
  const asked = locate(true);
  answer.found({ coords: { latitude: 0, longitude: 179.999 } });
  assert.deepEqual(await asked, { latitude: "0.00", longitude: "180.00" });
});

test("nobody is asked who did not want to be", async () => {
  answer = null;
  assert.deepEqual(await locate(null), {});
  assert.equal(answer, null);
});

test("a no is no trouble", async () => {
  const asked = locate(true);
  answer.refused();
  assert.deepEqual(await asked, {});
});

test("a question that nobody answers is a no after a while", async () => {
  let said;
  locate(true).then((position) => (said = position));
  mock.timers.tick(14_999);
  await quiet();
  assert.equal(said, undefined);
  mock.timers.tick(1);
  await quiet();
  assert.deepEqual(said, {});
});

describe("joining with it", () => {
  const music = { guildId: GUILD, channelId: MUSIC, position: true };
  const milan = { coords: { latitude: 45.46421, longitude: 9.18951 } };
  let house;
  let voice;

  beforeEach(async () => {
    house = new House();
    voice = house.voice();
    await voice.join({ guildId: GUILD, channelId: LOUNGE });
  });

  afterEach(() => voice.leave());

  test("one is there when one is in that channel, and not before", async () => {
    let isThere = false;
    voice.join(music).then(() => (isThere = true));
    house.room.say("Reconnecting");
    house.room.say("Reconnected");
    await quiet();
    assert.equal(isThere, false);
    answer.found(milan);
    await quiet();
    assert.equal(isThere, true);
    assert.equal(voice.state.channelId, MUSIC);
    const { latitude, longitude } = house.asked("/voice/token").at(-1).body;
    assert.deepEqual([latitude, longitude], ["45.46", "9.19"]);
  });

  test("an answer that comes after leaving leads nowhere", async () => {
    const joined = voice.join(music);
    await voice.leave();
    await assert.rejects(joined, { code: "LEFT" });
    answer.found(milan);
    await quiet();
    assert.equal(house.asked("/voice/token").length, 1);
    assert.equal(voice.state.at, "out");
  });
});
