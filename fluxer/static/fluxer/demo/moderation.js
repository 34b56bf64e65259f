/** The moderator's menu of one person. */
import { $, choices, say } from "./dom.js";
import { note } from "./log.js";

let target = null;

/** What a refusal means to somebody who wanted something of another. */
const REFUSALS = {
  MISSING_PERMISSIONS: "You do not have permission to do this to them.",
  UNKNOWN_MEMBER: "They are not a member here any more.",
  USER_NOT_IN_VOICE: "They have left already.",
};

/**
 * @param {any} house
 */
export function prepare(house) {
  const dialog = $("moderation");
  const act = async (text, body) => {
    const whom = target; // by the time of the answer it may be another's menu
    const name = house.name(whom.user_id);
    const isOurs = house.watch();
    try {
      await house.ask("PATCH", `/guilds/${house.guild}/members/${whom.user_id}`, body);
      if (!isOurs()) return;
      note(`${text} ${name}.`);
      await house.refresh(); // the menu that is opened next says how it is then
      if (target === whom) dialog.close();
    } catch (error) {
      if (!isOurs()) return;
      const said = REFUSALS[error.code] ?? house.sentence(error);
      if (target === whom) show(said);
      else note(`${name}: ${said}`, { bad: true });
    }
  };
  $("do-mute").onclick = () => act(target.mute ? "Unmuted" : "Muted", { mute: !target.mute });
  $("do-deafen").onclick = () => act(target.deaf ? "Undeafened" : "Deafened", { deaf: !target.deaf });
  $("do-move").onclick = () =>
    act("Moved", { channel_id: $("move-to").value, connection_id: target.connection_id });
  $("do-disconnect").onclick = () =>
    act("Disconnected", { channel_id: null, connection_id: target.connection_id });
  $("do-close").onclick = () => dialog.close();
}

/** @param {any} state of the person, as the service lists it */
export function open(state, house) {
  target = state;
  show("");
  const name = house.name(state.user_id);
  say($("moderation-title"), name);
  const channel = house.channels.find((one) => one.id === state.channel_id);
  say($("moderation-place"), `In ${channel?.name ?? "a channel"}`);
  $("do-mute").hidden = !house.may.mute;
  say($("do-mute"), state.mute ? "Unmute for everybody" : "Mute for everybody");
  $("do-deafen").hidden = !house.may.deafen;
  say($("do-deafen"), state.deaf ? "Undeafen" : "Deafen");
  const others = house.channels.filter((one) => one.id !== state.channel_id);
  choices($("move-to"), others.map((one) => [one.id, one.name]), others[0]?.id ?? "");
  $("move-box").hidden = $("do-disconnect").hidden = !house.may.move;
  $("moderation").showModal();
}

function show(sentence) {
  $("moderation-notice").hidden = !sentence;
  say($("moderation-notice"), sentence);
}
