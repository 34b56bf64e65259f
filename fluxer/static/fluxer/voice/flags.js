/** Tells the service what one does with one's own microphone, ears, camera and screen. */

const AGAIN = 2000; // milliseconds

export class Flags {
  #send;
  #wanted = null;
  #told = "";
  #isSending = false;
  #timer = null;

  /** @param {(flags: Record<string, boolean>, connectionId: string) => Promise<any>} send */
  constructor(send) {
    this.#send = send;
  }

  /** The last ones win; nothing is sent twice. @param {object} flags @param {string} connectionId */
  async tell(flags, connectionId) {
    this.#wanted = { flags, connectionId };
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#wanted && !this.#timer && JSON.stringify(this.#wanted) !== this.#told) await this.#say();
    this.#isSending = false;
  }

  /** Not in voice any more. */
  forget() {
    this.#wanted = null;
    this.#told = "";
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #say() {
    const { flags, connectionId } = this.#wanted;
    const said = JSON.stringify(this.#wanted);
    try {
      await this.#send(flags, connectionId);
      this.#told = said;
    } catch (error) {
      // Only a courtesy to others: what really is on, they hear and see. But it should come true.
      if (error.passes && this.#wanted) this.#later(Math.max(AGAIN, error.retryAfter * 1000));
      else this.#told = said; // no use in saying that again
    }
  }

  #later(ms) {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#wanted) this.tell(this.#wanted.flags, this.#wanted.connectionId);
    }, ms);
  }
}
