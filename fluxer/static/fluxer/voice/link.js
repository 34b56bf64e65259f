/** How one's own link does: its figures, what of the camera it carries, and when to advise. */
import { judge, next, RUNGS, TOP, unadvised } from "./ladder.js";
import { Monitor } from "./monitor.js";

export class Link {
  #ladder = TOP;
  #monitor;
  #isCameraWanted;
  #tell;

  /**
   * @param {() => boolean} isCameraWanted
   * @param {(name: "figures" | "rung" | "step" | "advice", detail?: any) => void} tell `rung`: it is
   *   another one; `step`: because of the link; `advice`: it has been poor for long
   */
  constructor(isCameraWanted, tell) {
    this.#isCameraWanted = isCameraWanted;
    this.#tell = tell;
    this.#monitor = new Monitor((figures) => this.#measured(figures));
  }

  /** What it carries of the camera. */
  get rung() {
    return RUNGS[this.#ladder.rung];
  }

  /** Nothing is known of it yet. */
  forget() {
    this.#ladder = TOP;
  }

  /** There was nothing to advise. */
  adviseLater() {
    this.#ladder = unadvised(this.#ladder, Date.now());
  }

  /** @param {any} room LiveKit's */
  start(room) {
    this.#monitor.start(room);
  }

  stop() {
    this.#monitor.stop();
  }

  #measured(figures) {
    this.#tell("figures", figures);
    const before = this.rung;
    const seen = { now: Date.now(), link: judge(figures, before), camera: this.#isCameraWanted() };
    const { ladder, step, advise } = next(this.#ladder, seen);
    this.#ladder = ladder;
    if (this.rung !== before) this.#tell("rung");
    if (step) this.#tell("step", { direction: step, rung: this.rung });
    if (advise) this.#tell("advice");
  }
}
