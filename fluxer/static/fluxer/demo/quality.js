/** How one's own link does, and what was done about it. */
import { $, say } from "./dom.js";
import { note, notice } from "./log.js";

/** @param {any} figures of FluxerVoice */
export function showFigures({ quality, rtt, loss, up, down, height, fps }) {
  const link = $("link");
  const kbit = (bits) => `${Math.round(bits / 1000)} kbit/s`;
  const parts = [
    rtt === null ? null : `${rtt} ms`, loss ? `${Math.round(loss * 100)} % lost` : null,
    `↑ ${kbit(up)}`, `↓ ${kbit(down)}`, height ? `${height}p at ${fps}` : null,
  ];
  say(link, parts.filter(Boolean).join(" · "));
  link.className = `chip ${{ excellent: "good", good: "good", poor: "poor", lost: "poor" }[quality] ?? ""}`;
  link.title = `Your connection is ${quality}`;
  link.hidden = false;
}

const RUNGS = {
  full: "Your camera is back at full quality.",
  medium: "Your connection is weak: your camera sends a smaller picture.",
  low: "Your connection is weak: your camera sends a small picture.",
  slow: "Your connection is weak: your camera sends a small picture with few frames.",
  off: "Your connection is very weak: your camera is paused so that your voice gets through.",
};

const READ = 10_000; // milliseconds that good news stays
let read;

/** The camera gave way, or came back. */
export function showStep({ direction, rung }) {
  clearTimeout(read);
  if (rung.name === "full") read = setTimeout(() => notice("step", ""), READ);
  note(`Camera ${direction}: ${rung.name}.`, { bad: direction === "down" });
  notice("step", direction === "up" && rung.name !== "full" ? `Your connection is better: ${RUNGS[rung.name].split(": ")[1]}` : RUNGS[rung.name]);
}

/**
 * The region to propose: the nearest, where that is known, or the only one. The list goes by name,
 * and its first may be at the other end of the world.
 *
 * @param {any[]} regions other than one's own
 */
export const proposal = (regions) =>
  regions.find((region) => region.optimal) ?? (regions.length === 1 ? regions[0] : null);

/** Another region may be better: `change` goes there; null: one may not. */
export function showAdvice({ regions }, change) {
  const one = proposal(regions);
  const what = change ? "Another region may be better." : `Ask a moderator to try ${one?.name ?? "another region"}.`;
  const action = change && one ? { text: `Try ${one.name}`, do: () => change(one.id) } : null;
  notice("advice", `Your connection stays weak. ${what}`, { action });
}
