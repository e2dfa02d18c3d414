/** What screen readers should hear that nobody clicked for. */

const GATHER_MS = 400;

class Announcer {
  text = $state('');
  #waiting: string[] = [];

  /** Several things at once are read as one sentence after the other. */
  say(text: string): void {
    this.#waiting.push(text);
    if (this.#waiting.length > 1) return;
    setTimeout(() => {
      const next = this.#waiting.join(' ');
      this.#waiting = [];
      // The same words again would not change the region, and so would not be read.
      this.text = next === this.text ? `${next}\u00a0` : next;
    }, GATHER_MS);
  }
}

export const announcer = new Announcer();
