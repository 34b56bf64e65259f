/** The channels on the side, and who is in them. */
import { $, h, icon, keep, say } from "./dom.js";

/**
 * @param {object} seen
 * @param {any[]} seen.channels
 * @param {any[]} seen.states as the service lists them
 * @param {any[]} seen.people of one's own room: what is heard there is newer than the list
 * @param {string | null} seen.here the channel one is in
 * @param {any} house
 */
export function draw({ channels, states, people, here }, house) {
  keep($("channels"), channels, (channel) => channel.id, (channel) => make(channel, house), (item, channel) => {
    const inside = states.filter((state) => state.channel_id === channel.id);
    const count = new Set(inside.map((state) => state.user_id)).size;
    const button = item.querySelector(".channel");
    button.setAttribute("aria-current", String(channel.id === here));
    const limit = channel.user_limit ? `/${channel.user_limit}` : "";
    say(item.querySelector(".count"), count || limit ? `${count}${limit}` : "");
    say(item.querySelector(".unseen"), count || limit ? " inside" : " nobody inside");
    keep(item.querySelector("ul"), inside, (state) => state.connection_id,
      (state) => makePerson(state, house), (line, state) => updatePerson(line, state, people, house));
  });
}

function make(channel, house) {
  const button = h("button", { type: "button", className: "channel" }, icon("sound"),
    h("span", { textContent: channel.name }), h("span", { className: "count" }),
    h("span", { className: "unseen" }));
  button.onclick = () => house.join(channel.id);
  return h("li", {}, button, h("ul", { ariaLabel: `In ${channel.name}` }));
}

function makePerson(state, house) {
  const name = house.name(state.user_id);
  const avatar = h("span", { className: "avatar small", textContent: name.slice(0, 1) });
  avatar.dataset.hue = house.hue(state.user_id);
  avatar.setAttribute("aria-hidden", "true");
  const line = h("li", {}, avatar, h("span", { className: "who" }),
    h("span", { className: "unseen talk" }), h("span", { className: "signs" }));
  if (house.mayModerateThem(state.user_id)) {
    const label = `Moderate ${name}`;
    const more = h("button", { type: "button", className: "more", ariaLabel: label, title: label }, icon("more"));
    more.onclick = () => house.moderate(line.state);
    line.append(more);
  }
  return line;
}

function updatePerson(line, state, people, house) {
  line.state = state;
  const heard = people.find((person) => person.connectionId === state.connection_id);
  const isSpeaking = Boolean(heard?.isSpeaking && heard.microphone);
  line.classList.toggle("speaking", isSpeaking);
  say(line.querySelector(".talk"), isSpeaking ? ", speaking" : ""); // for who comes by: no region says it aloud
  const who = line.querySelector(".who");
  const isMe = state.user_id === house.me && state.connection_id === house.connectionId();
  say(who, house.name(state.user_id) + (isMe ? " (you)" : "") + (state.joined_at ? "" : ", on the way"));
  who.classList.toggle("waiting", !state.joined_at);
  const isMuted = state.mute || state.suppress || (heard ? !heard.microphone : state.self_mute);
  const signs = [
    ...(isMuted ? [["mic-off", state.mute ? "muted by a moderator" : "muted"]] : []),
    ...(state.self_deaf || state.deaf ? [["ear-off", state.deaf ? "deafened by a moderator" : "deafened"]] : []),
  ];
  keep(line.querySelector(".signs"), signs, ([, label]) => label, ([name, label]) =>
    h("span", { role: "img", ariaLabel: label, title: label }, icon(name)), () => {});
}
