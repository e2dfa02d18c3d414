/** The page's steady clock, for what counts down while it is on screen. */
import { createSubscriber } from 'svelte/reactivity';

// Finer than the seconds shown, so that no second is skipped.
const EVERY_MS = 250;

class Clock {
  readonly #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, EVERY_MS);
    return () => clearInterval(timer);
  });

  get now(): number {
    this.#subscribe();
    return performance.now();
  }
}

export const clock = new Clock();
