// What is asked of the service, with a token that somebody gives. The clock is ours.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { Flags } from "../../fluxer/static/fluxer/voice/flags.js";
import { sentences, VoiceError } from "../../fluxer/static/fluxer/voice/fluxer-voice.js";
import { GUILD, House, LOUNGE, quiet } from "./house.js";

const lounge = { guildId: GUILD, channelId: LOUNGE };

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] }));
afterEach(() => mock.timers.reset());

async function after(ms) {
  mock.timers.tick(ms);
  await quiet();
}

describe("who gives the token", () => {
  let house;
  let give;
  let voice;

  beforeEach(() => {
    house = new House();
    voice = house.voice({ token: (refused) => give(refused) });
  });

  afterEach(async () => {
    give = () => "a-token";
    await voice.leave();
  });

  test("and throws is asked again later", async () => {
    give = () => {
      throw new Error("no sign-in just now");
    };
    const joined = voice.join(lounge);
    await quiet();
    assert.equal(voice.state.error.code, "NO_TOKEN");
    assert.equal(house.requests.length, 0);
    give = async () => "a-token";
    await after(250);
    await joined;
    assert.equal(house.requests[0].authorization, "Bearer a-token");
  });

  test("and throws is told of as any other failure", async () => {
    give = () => Promise.reject(new Error("no sign-in just now"));
    await assert.rejects(voice.regions(), { name: "VoiceError", code: "NO_TOKEN" });
  });

  test("and never answers is not waited for longer than ten seconds", async () => {
    give = () => new Promise(() => {});
    const regions = voice.regions();
    let isOver = false;
    regions.catch(() => (isOver = true));
    await quiet();
    await after(9_999);
    assert.equal(isOver, false);
    await after(1);
    await assert.rejects(regions, { code: "NO_TOKEN" });
  });

  test("can say that the session is over", async () => {
    give = () => {
      throw new VoiceError("UNAUTHORIZED", "Signed out");
    };
    await assert.rejects(voice.join(lounge), { code: "UNAUTHORIZED" });
    assert.equal(voice.state.why, "session_expired");
  });
});

describe("an answer that is not the service's own", () => {
  const page = async () => {
    throw new SyntaxError("<html>");
  };

  for (const [name, status, json] of [
    ["a proxy's page", 502, page], ["no JSON of ours", 503, async () => null], ["no words", 504, async () => ({ message: "" })],
  ]) {
    test(`but ${name} is said in a sentence, while it is waited for and when it is given up`, async () => {
      const answer = { ok: false, status, statusText: "", headers: new Headers(), json };
      const voice = new House().voice({ fetch: async () => answer });
      const failure = voice.join(lounge).catch((error) => error);
      await quiet();
      const sentence = "Something is wrong with the voice service at the moment.";
      assert.equal(sentences.ofError(voice.state.error), sentence);
      for (let passed = 0; passed < 30; passed += 1) await after(1000);
      assert.deepEqual([voice.state.why, sentences.ofEnd(voice.state)], ["gave_up", sentence]);
      const { code, message } = await failure;
      assert.deepEqual([code, message], ["INTERNAL_ERROR", `The voice service answers with ${status} only.`]);
    });
  }

  test("but says when to ask again is asked again then", async () => {
    const house = new House();
    let asked = 0;
    const headers = new Headers({ "Retry-After": "7" });
    const busy = { ok: false, status: 503, statusText: "", headers, json: page };
    const voice = house.voice({ fetch: (...request) => (asked++ === 0 ? busy : house.fetch(...request)) });
    const joined = voice.join(lounge);
    await quiet();
    await after(6_999);
    assert.equal(asked, 1);
    await after(1);
    await joined;
    await voice.leave();
  });

  test("nothing that goes wrong is told with no words", () => {
    assert.notEqual(sentences.ofError(new VoiceError("SOMETHING_NEW", "")), "");
  });
});

describe("what one does with one's own microphone", () => {
  const muted = { self_mute: true };
  const heard = { self_mute: false };
  let said;
  let answers; // to come, in their order
  let flags;

  beforeEach(() => {
    said = [];
    answers = [];
    flags = new Flags((what) => {
      said.push(what);
      const error = answers.shift();
      return error ? Promise.reject(error) : Promise.resolve();
    });
  });

  test("a refusal does not swallow what was wanted meanwhile", async () => {
    answers = [new VoiceError("INVALID_FORM_BODY", "", { status: 400 })];
    flags.tell(muted, "conn_1");
    flags.tell(heard, "conn_1");
    await quiet();
    assert.deepEqual(said, [muted, heard]);
  });

  test("nothing new is said before the service wants to hear again", async () => {
    answers = [new VoiceError("RATE_LIMITED", "", { status: 429, retryAfter: 8 })];
    flags.tell(muted, "conn_1");
    await quiet();
    flags.tell(heard, "conn_1");
    await after(7_999);
    assert.deepEqual(said, [muted]);
    await after(1);
    assert.deepEqual(said, [muted, heard]);
  });

  test("who has left says nothing any more", async () => {
    answers = [new VoiceError("NETWORK", "")];
    flags.tell(muted, "conn_1");
    await quiet();
    flags.forget();
    await after(60_000);
    assert.deepEqual(said, [muted]);
  });
});
