/** The focus is never lost: when what has it goes away, the heading of the stage has it. */
import { $ } from "./dom.js";

let last = null;

/** From now on, for as long as there is a page. */
export function watch() {
  document.addEventListener("focusin", ({ target }) => (last = target));
  const observer = new MutationObserver(find);
  const seen = { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "disabled"] };
  observer.observe($("house"), seen);
  $("moderation").addEventListener("close", find); // the browser gives the focus back, if it can
}

function find() {
  if (!last || canHaveIt(last) || $("moderation").open) return;
  last = null;
  const { activeElement: now } = document;
  // A browser may leave it for a moment with what has gone.
  if (now === document.body || !now || !canHaveIt(now)) $("place").focus();
}

const canHaveIt = (element) => element.isConnected && !element.disabled && element.checkVisibility();
