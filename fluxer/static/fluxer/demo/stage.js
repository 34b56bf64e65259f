/** The people in one's own channel: a tile each, and one for each screen that is shared. */
import { $, h, icon, keep, say } from "./dom.js";

const BARS = { excellent: 3, good: 3, poor: 2, lost: 1 };
const pictures = new Map();

/** @param {any} picture of FluxerVoice */
export function show(picture) {
  pictures.set(`${picture.identity}:${picture.source}`, picture);
}

export function hide(picture) {
  const key = `${picture.identity}:${picture.source}`;
  if (pictures.get(key) === picture) pictures.delete(key);
  picture.detach();
}

/**
 * @param {any[]} people of FluxerVoice
 * @param {{hue: (userId: string) => number, mayModerateThem: (userId: string) => boolean,
 *   moderate: (person: any) => void}} house
 */
export function draw(people, house) {
  const tiles = people.flatMap((person) => [
    { person, source: "camera" },
    ...(pictures.has(`${person.identity}:screen`) ? [{ person, source: "screen" }] : []),
  ]);
  keep($("tiles"), tiles, ({ person, source }) => `${person.identity}:${source}`,
    (tile) => make(tile, house), update);
}

function make({ person, source }, house) {
  const avatar = h("span", { className: "avatar", textContent: person.name.slice(0, 1) });
  avatar.dataset.hue = house.hue(person.userId);
  avatar.setAttribute("aria-hidden", "true");
  const bars = h("span", { className: "bars", role: "img" }, h("i"), h("i"), h("i"));
  const caption = h("span", { className: "caption" }, h("span", { className: "name" }),
    h("span", { className: "unseen talk" }), bars);
  if (house.mayModerateThem(person.userId) && source === "camera") {
    const label = `Moderate ${person.name}`;
    const more = h("button", { type: "button", className: "more", ariaLabel: label, title: label }, icon("more"));
    more.onclick = () => house.moderate(person);
    caption.append(more);
  }
  return h("li", {}, avatar, caption);
}

function update(tile, { person, source }) {
  const isScreen = source === "screen";
  const isSpeaking = person.isSpeaking && person.microphone && !isScreen;
  tile.className = ["tile", source, person.isMe ? "me" : "", isSpeaking ? "speaking" : ""].join(" ");
  say(tile.querySelector(".talk"), isSpeaking ? ", speaking" : "");
  const who = person.isMe ? `${person.name} (you)` : person.name;
  say(tile.querySelector(".name"), isScreen ? `${who}: screen` : who);
  attach(tile, pictures.get(`${person.identity}:${source}`), who);
  const caption = tile.querySelector(".caption");
  const off = caption.querySelector(".off");
  if (person.microphone || isScreen) off?.remove();
  else if (!off) {
    const sign = h("span", { className: "off", role: "img", ariaLabel: "muted", title: "muted" }, icon("mic-off"));
    caption.querySelector(".name").after(sign);
  }
  const bars = caption.querySelector(".bars");
  bars.dataset.bars = BARS[person.quality] ?? 0;
  bars.setAttribute("aria-label", `connection ${person.quality}`);
  bars.hidden = isScreen;
}

function attach(tile, picture, who) {
  const video = tile.querySelector("video");
  if (video?.picture === picture) return;
  video?.remove();
  if (!picture) return;
  const made = h("video", { autoplay: true, muted: true, playsInline: true, ariaLabel: `Video of ${who}` });
  made.picture = picture;
  tile.prepend(made);
  picture.attach(made);
}
