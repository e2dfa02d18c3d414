/** The session as the page's parts use it: its state, and what one can ask of it. */
import type { SessionEvent } from '../wire/events';
import type { FormatInfo, Participant } from '../wire/messages';
import type { SessionRequestName, SessionRequests } from '../wire/requests';
import { RequestFailed } from '../wire/socket';
import { spoken } from './spoken';
import { EMPTY, roleOf, step, type AnyEvent } from './state';

export interface SessionEdges {
  ask<Name extends SessionRequestName>(
    name: Name,
    payload: SessionRequests[Name]['payload'],
  ): Promise<void>;
  announce(text: string): void;
  /** A soft tone for something urgent. */
  tone(): void;
  /** The page's steady clock, in ms. */
  now(): number;
}

export class Session {
  state = $state.raw(EMPTY);
  readonly #edges: SessionEdges;

  constructor(edges: SessionEdges) {
    this.#edges = edges;
  }

  get facilitates(): boolean {
    return roleOf(this.state) === 'facilitator';
  }

  // --- What comes in -----------------------------------------------------------------------

  joined(id: string, formats: FormatInfo[]): void {
    this.#step({ name: 'joined', payload: { id, formats } });
  }

  roster(people: Participant[]): void {
    this.#step({ name: 'here', payload: people });
  }

  told(event: SessionEvent): void {
    this.#step(event);
    if (event.name === 'alert') {
      const { severity, change, acknowledged_by: seen } = event.payload;
      const rises = change === 'raised' || change === 'rose_again';
      if (severity === 'urgent' && rises && seen === null) this.#edges.tone();
    }
  }

  // --- What the person does ----------------------------------------------------------------

  /** Asks, and says gently why it did not work if so. Answers whether it did. */
  async ask<Name extends SessionRequestName>(
    name: Name,
    payload: SessionRequests[Name]['payload'],
  ): Promise<boolean> {
    try {
      await this.#edges.ask(name, payload);
      return true;
    } catch (error) {
      const refused = error instanceof RequestFailed && error.kind === 'refused';
      this.#step({
        name: 'word',
        payload: {
          text: refused ? error.message : 'That did not get through just now. Please try again.',
        },
      });
      return false;
    }
  }

  toggleHand(): void {
    const { own } = this.state;
    if (own?.holding === true) return;
    void (own?.hand_raised === true ? this.ask('cancel_request', {}) : this.ask('request_floor', {}));
  }

  dismissToast(id: number): void {
    this.#step({ name: 'toast_over', payload: { id } });
  }

  dismissInvitation(): void {
    this.#step({ name: 'invitation_over', payload: null });
  }

  foldShown(folded: boolean): void {
    this.#step({ name: 'fold_shown', payload: { folded } });
  }

  #step(event: AnyEvent): void {
    const before = this.state;
    this.state = step(before, event, this.#edges.now());
    for (const text of spoken(before, this.state, event)) this.#edges.announce(text);
  }
}
