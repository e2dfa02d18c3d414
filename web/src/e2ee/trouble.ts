/** When frames that do not belong on an m-line are worth telling people about. */
import type { Trouble } from './worker-messages';

const FRAMES = 10;
const WITHIN_MS = 2_000;
const QUIET_MS = 10_000;

/** A few such frames come when people change places, and mean nothing. */
export class TroubleWatch {
  readonly #seen = new Map<string, number[]>();
  readonly #told = new Map<string, number>();

  /** Whether to tell now that there is trouble, after one more such frame, at `now` in ms. */
  add({ mid, kind }: Trouble, now: number): boolean {
    const key = `${mid} ${kind}`;
    const seen = [...(this.#seen.get(key) ?? []), now].filter((at) => at > now - WITHIN_MS);
    this.#seen.set(key, seen.slice(-FRAMES));
    if (seen.length < FRAMES || now < (this.#told.get(mid) ?? -Infinity) + QUIET_MS) return false;
    this.#told.set(mid, now);
    return true;
  }
}
