/** What the service is doing, for who wants to look over its shoulder. */
import { $, h } from "./dom.js";

const LONGEST = 200;

/** @param {string} text @param {{bad?: boolean}} [how] */
export function note(text, { bad = false } = {}) {
  const lines = $("lines");
  const now = new Date();
  const time = h("time", { dateTime: now.toISOString(), textContent: now.toLocaleTimeString() });
  lines.append(h("li", { className: bad ? "bad" : "" }, time, text));
  while (lines.childElementCount > LONGEST) lines.firstElementChild.remove();
  $("log").scrollTop = $("log").scrollHeight;
}

/**
 * A bar above the stage, at most one of each kind; no text: none. One that says the same stays, and
 * with it the focus; its button does what it did. The regions it goes into are always there: a
 * screen reader says what is put into one that it knows.
 */
export function notice(kind, text, { bad = false, action = null } = {}) {
  const old = $("notices").querySelector(`[data-kind="${kind}"]`);
  if (!text) return old?.remove();
  const said = JSON.stringify([text, bad, action?.text]);
  if (old?.dataset.said === said) return undefined;
  const bar = h("p", { className: `notice${bad ? " bad" : ""}` });
  Object.assign(bar.dataset, { kind, said });
  bar.append(h("span", { textContent: text }));
  if (action) bar.append(h("button", { type: "button", textContent: action.text, onclick: action.do }));
  old?.remove();
  $(bad ? "alarms" : "news").append(bar);
  return undefined;
}
