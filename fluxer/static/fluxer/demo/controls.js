/** The buttons below the stage: microphone, ears, camera, screen, and the door. */
import { sentences } from "../voice/fluxer-voice.js";
import { $, say } from "./dom.js";
import { notice } from "./log.js";

const CONTROLS = {
  microphone: {
    do: (voice, is) => voice.setMicrophone(is), words: ["Unmute", "Mute"], icons: ["mic-off", "mic"],
  },
  deafen: {
    wish: "deafened", do: (voice, is) => voice.setDeafened(is), words: ["Deafen", "Undeafen"], icons: ["ear", "ear-off"],
  },
  camera: { do: (voice, is) => voice.setCamera(is), words: ["Camera", "Stop camera"], icons: ["camera", "camera"] },
  screen: { do: (voice, is) => voice.setScreenShare(is), words: ["Screen", "Stop screen"], icons: ["screen", "screen"] },
};

/** @param {() => any} voice whose buttons they are just now */
export function prepare(voice) {
  for (const id of Object.keys(CONTROLS)) $(id).onclick = () => press(id, voice());
  $("leave").onclick = () => voice().leave();
  $("screen").hidden = !canShareScreens(navigator.mediaDevices);
}

/** Phones cannot. A page that is not secure has no devices at all, and says so when one asks. */
const canShareScreens = (devices) => !devices || "getDisplayMedia" in devices;

async function press(id, voice) {
  const { wish = id, do: act } = CONTROLS[id];
  notice("trouble", "");
  try {
    await act(voice, !voice.wishes[wish]);
  } catch (error) {
    // A cancelled choice of what to share is no trouble.
    if (error.code !== "SCREEN_DENIED") notice("trouble", sentences.ofError(error), { bad: true });
  }
}

/** @param {any} voice null: signed out */
export function draw(voice) {
  if (!voice) return;
  const { at } = voice.state;
  const isIn = ["in", "away", "recovering"].includes(at);
  const may = voice.rights;
  for (const [id, { wish = id, words, icons }] of Object.entries(CONTROLS)) {
    const is = voice.wishes[wish];
    const button = $(id);
    button.classList.toggle("on", is);
    say(button.querySelector("span"), words[Number(is)]);
    button.querySelector("use").setAttribute("href", `#i-${icons[Number(is)]}`);
  }
  // Who is on may always mute: they would be heard again the moment that they may speak.
  $("microphone").disabled = at === "in" && !may.canSpeak && !voice.wishes.microphone;
  $("camera").disabled = !isIn || (at === "in" && !may.canVideo);
  $("screen").disabled = !isIn || (at === "in" && !may.canStream);
  $("leave").disabled = ["out", "ended"].includes(at);
}
