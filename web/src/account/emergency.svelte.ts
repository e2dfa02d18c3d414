/** An administrator's emergency access to one group, and whom they can reach by it. */
import { sentenceOf } from '../api';
import type { EmergencyAccess, ReachedPerson } from '../api/accounts';
import { ApiError } from '../api/client';

export const LEAST_REASON = 10;
export const MOST_REASON = 1000;

export interface EmergencyEdges {
  access: () => Promise<EmergencyAccess>;
  take: (reason: string) => Promise<unknown>;
  people: () => Promise<{ seconds_left: number; people: ReachedPerson[] }>;
  end: () => Promise<unknown>;
  /** In ms. */
  now: () => number;
}

/** What is wrong with a reason; empty if nothing is. */
export function reasonProblem(reason: string): string {
  const { length } = reason.trim();
  if (length < LEAST_REASON) return 'Please write in a sentence why you need to see this.';
  if (length > MOST_REASON) return `Please say it in at most ${MOST_REASON} characters.`;
  return '';
}

export class Emergency {
  /** null: not known yet. */
  groupName = $state<string | null>(null);
  people = $state.raw<ReachedPerson[] | null>(null);
  /** How much longer it lasts, in ms; null: there is no access. */
  left = $state<number | null>(null);
  /** The access that there was is over. */
  isOver = $state(false);
  busy = $state(false);
  problem = $state('');
  readonly #edges: EmergencyEdges;
  #until = 0;

  constructor(edges: EmergencyEdges) {
    this.#edges = edges;
  }

  /** Who has access already is led straight to the people. */
  begin(): Promise<void> {
    return this.#run(async () => {
      await this.#lookUp();
      if (this.left !== null) await this.#see();
    });
  }

  take(reason: string): Promise<void> {
    return this.#run(async () => {
      this.problem = reasonProblem(reason);
      if (this.problem !== '') return;
      await this.#edges.take(reason.trim());
      await this.#lookUp();
      await this.#see();
    });
  }

  /** Each look is put on record. */
  look(): Promise<void> {
    return this.#run(() => this.#see());
  }

  end(): Promise<void> {
    return this.#run(async () => {
      await this.#edges.end();
      this.#forget();
    });
  }

  /** To be called as time goes by: what was seen goes with the access. */
  tick(): void {
    if (this.left === null) return;
    this.left = Math.max(0, this.#until - this.#edges.now());
    if (this.left === 0) this.#forget();
  }

  async #lookUp(): Promise<void> {
    const { group_name, seconds_left } = await this.#edges.access();
    this.groupName = group_name;
    this.#lasts(seconds_left);
  }

  async #see(): Promise<void> {
    try {
      const seen = await this.#edges.people();
      this.#lasts(seen.seconds_left);
      this.people = seen.people;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'no_grant') throw error;
      this.#forget();
    }
  }

  #lasts(seconds: number | null): void {
    this.left = seconds === null ? null : seconds * 1000;
    this.#until = this.#edges.now() + (this.left ?? 0);
    if (seconds !== null) this.isOver = false;
  }

  #forget(): void {
    this.people = null;
    this.left = null;
    this.isOver = true;
  }

  async #run(what: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = '';
    try {
      await what();
    } catch (error) {
      this.problem = sentenceOf(error);
    } finally {
      this.busy = false;
    }
  }
}
