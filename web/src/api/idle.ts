/**
 * Automatic logoff where nobody is there: after a time without a touch or a key, in any tab.
 *
 * The server ends a login by itself when it is not used. This page says so before, tells the
 * server of people who are there but ask for nothing, and takes what is private off the screen.
 */
import type { Store } from '../call/memory';

/** Where tabs keep when someone last was there; not there: nobody is signed in. */
export const USED_KEY = 'holdspace:used';
const WARN_MS = 60_000;
/** The server notes the use of a login once a minute at most. */
const NOTED_EVERY_MS = 61_000;

export interface IdleEdges {
  /** Wall clock in ms, as tabs share it, and as it goes on while a computer sleeps. */
  now: () => number;
  /** Of all tabs. */
  store: Store;
  /** How many ms are left; null: enough. */
  warn: (leftMs: number | null) => void;
  /** Nobody is there any more. */
  end: () => void;
  /** Tell the server that someone is. */
  keepAlive: () => void;
}

export class IdleWatch {
  readonly #edges: IdleEdges;
  readonly #idleMs: number;
  #used: number;
  #noted: number;
  #isOver = false;

  constructor(idleAfterS: number, edges: IdleEdges) {
    this.#edges = edges;
    this.#idleMs = idleAfterS * 1000;
    this.#used = edges.now();
    // Whether the server noted the question that began this is not known.
    this.#noted = this.#used - 1;
    this.#note();
  }

  /** Someone touched or typed something. */
  used(): void {
    if (this.#isOver) return;
    // What was missed while this page slept counts first.
    this.check();
    if (this.#over()) return;
    this.#used = this.#edges.now();
    this.#note();
    this.#edges.warn(null);
  }

  /** The server answered. */
  answered(): void {
    const now = this.#edges.now();
    if (now - this.#noted >= NOTED_EVERY_MS) this.#noted = now;
  }

  /** To be called each second or so. */
  check(): void {
    if (this.#isOver) return;
    const now = this.#edges.now();
    this.#used = Math.max(this.#used, Math.min(lastUse(this.#edges.store), now));
    const left = this.#used + this.#idleMs - now;
    if (left <= 0) {
      this.stop();
      this.#edges.end();
      return;
    }
    this.#edges.warn(left <= WARN_MS ? left : null);
    if (this.#used > this.#noted && now - this.#noted >= NOTED_EVERY_MS) {
      this.#noted = now;
      this.#edges.keepAlive();
    }
  }

  stop(): void {
    this.#isOver = true;
    this.#edges.warn(null);
  }

  #note(): void {
    noteUse(this.#edges.store, this.#used);
  }

  #over(): boolean {
    return this.#isOver;
  }
}

function noteUse(store: Store, now: number): void {
  store.setItem(USED_KEY, String(now));
}

const IN_SESSION_EVERY_MS = 20_000;

/** A live session is use, also for the tabs next to it; until the answer is called. */
export function keepSignedIn(store: Store, now: () => number = () => Date.now()): () => void {
  const note = () => {
    if (mayBeSignedIn(store)) noteUse(store, now());
  };
  note();
  const timer = setInterval(note, IN_SESSION_EVERY_MS);
  return () => {
    clearInterval(timer);
    note();
  };
}

function lastUse(store: Store): number {
  return Number(store.getItem(USED_KEY) ?? 0) || 0;
}

/** Whether someone may be signed in with this browser; it need not be so. */
export function mayBeSignedIn(store: Store): boolean {
  return store.getItem(USED_KEY) !== null;
}

export function forgetUse(store: Store): void {
  store.removeItem(USED_KEY);
}
