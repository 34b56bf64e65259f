/** The page to try voice with: one person of the demo guild, on one device. */
import { FluxerVoice, sentences, VoiceError } from "../voice/fluxer-voice.js";
import * as channelList from "./channels.js";
import * as controls from "./controls.js";
import { $, choices, say } from "./dom.js";
import * as focus from "./focus.js";
import { note, notice } from "./log.js";
import * as moderation from "./moderation.js";
import * as quality from "./quality.js";
import * as stage from "./stage.js";

const POLL = 2000; // milliseconds; your own gateway would tell instead
const POLL_HIDDEN = 10_000;

/** @type {NodeListOf<HTMLButtonElement>} */
const faces = document.querySelectorAll(".face");
/** @type {FluxerVoice} */
let voice;
/** What the service said at sign-in, and what has been seen since. */
const house = {
  me: "", guild: "", people: [], channels: [], states: [], regions: [], may: {},
  get mayModerate() {
    return this.may.mute || this.may.deafen || this.may.move;
  },
  name: (id) => house.people.find((person) => person.id === id)?.name ?? `User ${id}`,
  /** Whether the menu of this person is of any use to us. */
  mayModerateThem: (id) => Boolean(house.mayModerate) && id !== house.me
    && house.people.find((person) => person.id === id)?.role !== "owner",
  hue: (id) => Math.max(0, house.people.findIndex((person) => person.id === id)),
  channelName: (id) => house.channels.find((channel) => channel.id === id)?.name ?? "a channel",
  regionName: (id) => house.regions.find((region) => region.id === id)?.name ?? id,
  connectionId: () => voice.state.connectionId,
  /** A question whether the page is still whose it is now: a late answer may be another's. */
  watch: () => {
    const mine = voice;
    return () => mine === voice;
  },
  sentence: sentences.ofError,
  ask: (method, path, body) => voice.ask(method, path, body),
  join, refresh,
  moderate: (state) => moderation.open(state, house),
};

// Signing in

let isSigningIn = false;

async function signIn(userId) {
  if (isSigningIn) return;
  isSigningIn = true;
  try {
    await enter(userId);
  } finally {
    isSigningIn = false;
  }
}

async function enter(userId) {
  welcome("");
  let session;
  try {
    const answer = await fetch("/demo/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user_id: userId }),
      signal: AbortSignal.timeout(10_000),
    });
    session = await answer.json();
    if (!answer.ok) throw new VoiceError(session.code, session.message);
  } catch (error) {
    const known = error instanceof VoiceError ? error : new VoiceError("NETWORK", "");
    return welcome(sentences.ofError(known));
  }
  Object.assign(house, {
    me: session.user.id, guild: session.guild.id, people: session.people,
    channels: session.channels, may: session.may, states: [],
  });
  say($("guild"), session.guild.name);
  say($("me"), `${session.user.name}, ${session.user.role}`);
  begin(session.token);
  $("welcome").hidden = true;
  $("house").hidden = false;
  $("channels").querySelector("button")?.focus();
  return undefined;
}

function welcome(sentence) {
  $("welcome-notice").hidden = !sentence;
  say($("welcome-notice"), sentence);
}

/** The page is the next person's at once; the voice is closed behind it. */
async function signOut(sentence = "") {
  const mine = voice;
  if (!mine) return;
  voice = null;
  clearTimeout(polling);
  $("moderation").close();
  $("house").hidden = true;
  $("welcome").hidden = false;
  $("lines").replaceChildren();
  for (const region of $("notices").children) region.replaceChildren();
  welcome(sentence);
  faces[0]?.focus();
  await mine.close();
}

function begin(token) {
  heading = null;
  const mine = voice = new FluxerVoice({ token });
  Object.assign(window, { fluxerVoice: voice }); // to play with in the console
  // What is still heard of a voice that was signed out is not for the next person.
  const on = (name, listener) => mine.on(name, (detail) => mine === voice && listener(detail));
  on("state", onState);
  on("people", draw);
  on("wishes", () => (controls.draw(voice), drawState(voice.state), draw()));
  on("rights", onRights);
  on("figures", (figures) => voice.state.at === "in" && quality.showFigures(figures));
  on("step", (step) => (quality.showStep(step), draw()));
  on("advice", (advice) => quality.showAdvice(advice, house.may.region ? changeRegion : null));
  on("picture", (picture) => (stage.show(picture), draw()));
  mine.on("pictureEnded", (picture) => (stage.hide(picture), draw()));
  on("trouble", ({ error }) => notice("trouble", sentences.ofError(error), { bad: true }));
  on("playback", ({ allowed }) =>
    notice("playback", allowed ? "" : "The browser waits for a click before it plays sound.",
      { action: { text: "Play sound", do: () => voice.startAudio() } }));
  note("Signed in.");
  draw();
  controls.draw(voice);
  drawState(voice.state);
  poll();
}

// What happens

const LOGGED = {
  joining: (state) => `Asking for a seat in ${house.channelName(state.channelId)}.`,
  in: (state) => `In ${house.channelName(state.channelId)}, on ${state.serverId} in ${state.regionId}.`,
  away: () => "Lost the voice server; LiveKit reconnects.",
  recovering: (state) => {
    if (state.cause === "failed_over") return sentences.ofCause(state.cause); // told already where to
    return state.cause ? `${sentences.ofCause(state.cause)} Asking the service where to go.` : going(state);
  },
  ended: (state) => `Out: ${sentences.ofEnd(state)}`,
  out: () => "Left.",
};
let logged = "";

/** Of one's own will. */
const going = (state) => `Going to ${house.channelName(state.channelId)}.`;

function onState(state) {
  const line = LOGGED[state.at](state);
  if (line !== logged) note(line, { bad: state.at === "ended" });
  logged = line;
  if (state.cause === "moved") notice("moved", `You were moved to ${house.channelName(state.channelId)}.`);
  if (["joining", "out"].includes(state.at)) notice("moved", "");
  if (state.why === "session_expired") {
    signOut(sentences.ofEnd(state));
    return;
  }
  drawState(state);
  controls.draw(voice);
  draw();
  if (["in", "ended", "out"].includes(state.at)) {
    heading = null;
    refresh();
  }
  if (state.at === "in") loadRegions();
}

function drawState(state) {
  const { microphone, deafened } = voice.wishes;
  const unheard = deafened ? " You are deafened: nobody hears you." : " You are muted.";
  const name = house.channelName(state.channelId);
  say($("place"), ["out", "ended"].includes(state.at) ? "Nowhere yet" : name);
  const said = {
    out: "Choose a channel to talk.",
    joining: `Joining ${name}…`,
    in: `You are in, on ${house.regionName(state.regionId)}.${microphone && !deafened ? "" : unheard}`,
    away: "The connection was lost. Reconnecting…",
    recovering: sentences.ofCause(state.cause) || going(state),
    ended: "You are not in a channel.",
  };
  say($("status"), said[state.at]);
  const isWaiting = ["joining", "recovering"].includes(state.at) && state.error;
  const waiting = isWaiting ? `${sentences.ofError(state.error)} Trying again…` : "";
  notice("waiting", waiting, { action: { text: "Stop trying", do: () => voice.leave() } });
  $("region-box").hidden = !house.may.region || !["in", "away", "recovering"].includes(state.at);
  if (state.at !== "in") $("link").hidden = true;
  const ended = state.at === "ended" ? sentences.ofEnd(state) : "";
  const again = { text: "Join again", do: () => join(state.channelId) };
  notice("ended", ended, { bad: true, action: again });
  if (state.at !== "in") for (const kind of ["advice", "rights"]) notice(kind, "");
  // There is no camera that gave way.
  if (!voice.wishes.camera || ["joining", "out", "ended"].includes(state.at)) notice("step", "");
}

function onRights(may) {
  const lost = [
    ...(may.canSpeak ? [] : ["speak"]), ...(may.canHear ? [] : ["listen"]),
  ].join(" or ");
  notice("rights", lost && voice.state.at === "in" ? `You may not ${lost} here just now.` : "");
  controls.draw(voice);
}

// What one does

let heading = null; // the channel one is on the way to

async function join(channelId) {
  if (heading === channelId) return;
  for (const kind of ["trouble", "ended", "moved"]) notice(kind, "");
  const { at, channelId: here } = voice.state;
  if (at === "in" && here === channelId) return;
  heading = channelId;
  try {
    if (at === "in") await voice.moveTo(channelId);
    else {
      const region = $("preference").value || null;
      await voice.join({ guildId: house.guild, channelId, region, position: $("position").checked || null });
    }
  } catch (error) {
    if (at === "in" && voice?.state.at === "in") notice("trouble", sentences.ofError(error), { bad: true });
    if (!["SUPERSEDED", "LEFT"].includes(error.code)) note(`${error.code}: ${error.message}`, { bad: true });
  } finally {
    if (heading === channelId) heading = null;
  }
}

async function changeRegion(id) {
  notice("advice", "");
  const asked = voice;
  const { channelId } = asked.state;
  try {
    await asked.ask("PATCH", `/channels/${channelId}`, { rtc_region: id || null });
    if (asked === voice) note(`Region of ${house.channelName(channelId)}: ${id || "automatic"}.`);
  } catch (error) {
    if (asked !== voice) return;
    const isForbidden = error.code === "MISSING_PERMISSIONS";
    const said = isForbidden ? "You do not have permission to change this channel's region." : sentences.ofError(error);
    notice("trouble", said, { bad: true });
    loadRegions();
  }
}

async function loadRegions() {
  const asked = voice;
  const { channelId } = asked.state;
  try {
    const [regions, channel] = await Promise.all([
      asked.regions({ guildId: house.guild }),
      channelId ? asked.ask("GET", `/channels/${channelId}`) : null,
    ]);
    if (asked !== voice) return;
    house.regions = regions;
    const options = [["", "Automatic"], ...regions.map((region) => [region.id, `${region.emoji} ${region.name}`.trim(), region.deprecated])];
    choices($("preference"), options, $("preference").value);
    choices($("region"), options, channel?.rtc_region ?? "");
    $("region").value = channel?.rtc_region ?? "";
    drawState(voice.state);
  } catch (error) {
    if (asked === voice) note(`The regions could not be read: ${sentences.ofError(error)}`, { bad: true });
  }
}

// What is seen

function draw() {
  if (!voice) return;
  const { at, channelId } = voice.state;
  const people = voice.people;
  const here = ["out", "ended"].includes(at) ? null : channelId;
  channelList.draw({ channels: house.channels, states: house.states, people, here }, house);
  stage.draw(people, {
    hue: house.hue,
    mayModerateThem: house.mayModerateThem,
    moderate: (person) => moderateByConnection(person.connectionId),
  });
  const others = people.filter((person) => !person.isMe);
  $("empty").hidden = others.length > 0 && at === "in";
  say($("empty-text"), empty(at, people.length));
}

function empty(at, count) {
  if (at === "in") return count ? "Nobody else is here yet. Open another window and be somebody else." : "";
  if (["joining", "away", "recovering"].includes(at)) return "One moment…";
  if (voice.wishes.microphone) return "Pick a channel. Your microphone will be on: you are heard as soon as you are in.";
  return "Pick a channel. You start muted: nobody hears you until you say so.";
}

function moderateByConnection(connectionId) {
  const state = house.states.find((one) => one.connection_id === connectionId);
  if (state) moderation.open(state, house);
}

let polling;

async function poll() {
  clearTimeout(polling);
  await refresh();
  clearTimeout(polling);
  if (voice) polling = setTimeout(poll, document.hidden ? POLL_HIDDEN : POLL);
}

async function refresh() {
  const asked = voice;
  if (!asked) return;
  try {
    const states = await asked.ask("GET", `/guilds/${house.guild}/voice-states`);
    if (asked !== voice) return;
    house.states = states;
    say($("stale"), "");
    draw();
  } catch (error) {
    if (asked !== voice) return;
    if (error.code === "UNAUTHORIZED") await signOut(sentences.ofError(error));
    else say($("stale"), `Who is where may be out of date: ${sentences.ofError(error)}`);
  }
}

for (const face of faces) face.onclick = () => signIn(face.dataset.user);
controls.prepare(() => voice);
$("sign-out").onclick = () => signOut();
$("change-region").onclick = () => changeRegion($("region").value); // a key moves the choice only
$("preference").closest("details").ontoggle = () => house.regions.length || loadRegions();
// The page may talk only to the voice servers that were there when it was loaded.
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective !== "connect-src") return;
  notice("reload", "This voice server is newer than this page. Load the page again to reach it.",
    { bad: true, action: { text: "Reload", do: () => location.reload() } });
});
document.addEventListener("visibilitychange", () => voice && !document.hidden && poll());
moderation.prepare(house);
focus.watch();
