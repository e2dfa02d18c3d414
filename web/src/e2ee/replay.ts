/** Which counters of one KID have come already (RFC 9605, section 9.3). */

/** How far a frame may be behind the newest one. */
export const REPLAY_WINDOW = 128;

const MASK = (1n << BigInt(REPLAY_WINDOW)) - 1n;

export class ReplayWindow {
  #highest = -1n;
  /** Bit n: the counter n below the highest has come. */
  #seen = 0n;

  /** Whether this counter has come, or is too old to tell. */
  has(counter: bigint): boolean {
    const behind = this.#highest - counter;
    if (behind < 0n) return false;
    return behind >= BigInt(REPLAY_WINDOW) || ((this.#seen >> behind) & 1n) === 1n;
  }

  /** Takes note of a counter, once its frame is known to be authentic; false if it `has` it. */
  add(counter: bigint): boolean {
    if (this.has(counter)) return false;
    const ahead = counter - this.#highest;
    if (ahead > 0n) {
      this.#seen = ahead >= BigInt(REPLAY_WINDOW) ? 1n : ((this.#seen << ahead) | 1n) & MASK;
      this.#highest = counter;
    } else this.#seen |= 1n << -ahead;
    return true;
  }
}
