/** Who is signed in on this page, and until when. */
import type { Store } from '../call/memory';
import { ApiError, sentenceOf } from './client';
import { forgetUse, IdleWatch, mayBeSignedIn } from './idle';
import type { Me } from './me';

const CHECK_EVERY_MS = 1000;

export interface SignedInEdges {
  me: () => Promise<Me>;
  signOut: () => Promise<unknown>;
  now: () => number;
  store: Store;
}

/** How someone came to be signed out: nobody was there, the login ended, or they wished so. */
export type Ending = 'idle' | 'ended' | 'own';

export class SignedIn {
  /** Null: nobody is; undefined: it is not known yet. */
  me = $state.raw<Me | null | undefined>();
  /** Why it is not known. */
  problem = $state('');
  /** How the last login on this page ended. */
  ending: Ending | null = $state(null);
  /** With it, until nobody is taken to be there, in ms; null: long. */
  leftMs: number | null = $state(null);

  readonly #edges: SignedInEdges;
  #idle: IdleWatch | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(edges: SignedInEdges) {
    this.#edges = edges;
  }

  /** Asks the server who is signed in. */
  async refresh(): Promise<void> {
    try {
      this.is(await this.#edges.me());
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 404)) {
        if (this.me === undefined) this.me = null;
        forgetUse(this.#edges.store);
      } else if (this.me === undefined) {
        this.problem = sentenceOf(error);
      }
    }
  }

  /** For pages that are for everyone: asks only if there may be someone to find. */
  async lookUp(): Promise<void> {
    if (mayBeSignedIn(this.#edges.store)) await this.refresh();
    else this.me ??= null;
  }

  /** The server said who is signed in now. */
  is(me: Me): void {
    const isNew = this.me?.session.id !== me.session.id;
    this.me = me;
    this.problem = '';
    this.ending = null;
    if (isNew) this.#watch(me.session.idle_after_s);
  }

  /** The server says that the login has ended. */
  ended(): void {
    if (this.me) this.#over('ended');
  }

  async signOut(how: Ending = 'own'): Promise<void> {
    try {
      await this.#edges.signOut();
    } catch (error) {
      // Without the server the login ends by itself; who asked for it is told the truth.
      if (how === 'own') throw error;
    }
    this.#over(how);
  }

  /** The account is gone, and its login with it. */
  closed(): void {
    this.#over('own');
  }

  /** Someone touched or typed something. */
  used(): void {
    this.#idle?.used();
  }

  answered(): void {
    this.#idle?.answered();
  }

  /** After a sleep, or when another tab signed out. */
  check(): void {
    if (this.me && !mayBeSignedIn(this.#edges.store)) void this.refresh();
    this.#idle?.check();
  }

  #watch(idleAfterS: number): void {
    this.#idle?.stop();
    clearInterval(this.#timer);
    this.#idle = new IdleWatch(idleAfterS, {
      now: this.#edges.now,
      store: this.#edges.store,
      warn: (leftMs) => (this.leftMs = leftMs),
      end: () => void this.signOut('idle'),
      keepAlive: () => void this.refresh(),
    });
    this.#timer = setInterval(() => this.#idle?.check(), CHECK_EVERY_MS);
  }

  #over(how: Ending): void {
    this.#idle?.stop();
    this.#idle = null;
    clearInterval(this.#timer);
    forgetUse(this.#edges.store);
    this.leftMs = null;
    this.me = null;
    this.ending = how;
  }
}
