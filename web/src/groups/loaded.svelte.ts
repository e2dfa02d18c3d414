/** What a page asks the server for, and what it tells it to do. */
import { sentenceOf } from './api';

/** An answer that is awaited, came, or failed. Asked anew, the old one stays until the new is there. */
export class Loaded<T> {
  value = $state.raw<T | null>(null);
  problem = $state('');
  readonly #ask: () => Promise<T>;
  #turn = 0;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
    void this.reload();
  }

  async reload(): Promise<void> {
    const turn = ++this.#turn;
    try {
      const value = await this.#ask();
      // An answer that was overtaken by a later one would bring back what is past.
      if (turn !== this.#turn) return;
      this.value = value;
      this.problem = '';
    } catch (error) {
      if (turn === this.#turn) this.problem = sentenceOf(error);
    }
  }
}

/** Something to be done by a button: once at a time, with what went wrong in a sentence. */
export class Action {
  busy = $state(false);
  problem = $state('');

  /** Whether it was done. */
  async run(what: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = '';
    try {
      await what();
      return true;
    } catch (error) {
      this.problem = sentenceOf(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}

/** The wall clock, in ms since 1970, for what opens at a certain time. */
export class WallClock {
  now = $state(Date.now());

  constructor(everyMs = 1000) {
    $effect(() => {
      const timer = setInterval(() => (this.now = Date.now()), everyMs);
      return () => clearInterval(timer);
    });
  }
}
