/** Tells the service what one does with one's own microphone, ears, camera and screen. */

const AGAIN = 2000; // milliseconds

export class Flags {
  #send;
  #wanted = null;
  #told = "";
  #isSending = false;
  #timer;

  /** @param {(flags: Record<string, boolean>, connectionId: string) => Promise<any>} send */
  constructor(send) {
    this.#send = send;
  }

  /** The last ones win; nothing is sent twice. @param {object} flags @param {string} connectionId */
  async tell(flags, connectionId) {
    this.#wanted = { flags, connectionId };
    if (this.#isSending) return;
    this.#isSending = true;
    clearTimeout(this.#timer);
    try {
      while (this.#wanted && JSON.stringify(this.#wanted) !== this.#told) {
        const { flags: now, connectionId: id } = this.#wanted;
        const said = JSON.stringify(this.#wanted);
        await this.#send(now, id);
        this.#told = said;
      }
    } catch (error) {
      // Only a courtesy to others: what really is on, they hear and see. But it should come true.
      if (error.passes && this.#wanted) this.#later(Math.max(AGAIN, error.retryAfter * 1000));
    } finally {
      this.#isSending = false;
    }
  }

  /** Not in voice any more. */
  forget() {
    this.#wanted = null;
    this.#told = "";
    clearTimeout(this.#timer);
  }

  #later(ms) {
    this.#timer = setTimeout(() => {
      if (this.#wanted) this.tell(this.#wanted.flags, this.#wanted.connectionId);
    }, ms);
  }
}
