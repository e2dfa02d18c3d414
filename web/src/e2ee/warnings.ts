/** What people are told of the encryption, for as long as it holds: warnings and questions. */
import type { Participant } from '../wire/messages';
import type { Admissions } from './admissions';
import type { EpochState } from './group';
import { Comparison } from './membership';
import type { EncryptionView, Question, Warning } from './view';
import type { Trouble } from './worker-messages';

const SHOWN_MS = 30_000;

export class Warnings {
  /** What happened once. */
  readonly #happened = new Map<string, { warning: Warning; until: number }>();
  /** By m-line, when frames of an unknown epoch were first noticed there. */
  readonly #lagging = new Map<string, number>();
  readonly #comparison = new Comparison();

  add(warning: Warning, now: number): void {
    this.#happened.set(warning.key, { warning, until: now + SHOWN_MS });
  }

  /** Frames of an unknown epoch came. Answers whether that is new on this m-line. */
  lags(mid: string, now: number): boolean {
    if (this.#lagging.has(mid)) return false;
    this.#lagging.set(mid, now);
    return true;
  }

  /** What did not open before has its reason in the connection that was lost. */
  reconnected(): void {
    this.#lagging.clear();
  }

  reset(): void {
    this.#happened.clear();
    this.#lagging.clear();
    this.#comparison.reset();
  }

  /** `state` and `listed`, the roster, are null where they would not be up to date. */
  look(
    state: EpochState | null,
    listed: readonly Participant[] | null,
    admissions: Admissions,
    now: number,
  ): Pick<EncryptionView, 'warnings' | 'questions'> {
    for (const [key, { until }] of this.#happened) if (until <= now) this.#happened.delete(key);
    for (const [mid, since] of this.#lagging)
      if (since + SHOWN_MS <= now) this.#lagging.delete(mid);
    const warnings = [...this.#happened.values()].map(({ warning }) => warning);
    if (state === null || listed === null) return { warnings, questions: [] };
    const self = state.members.find(({ leaf }) => leaf === state.ownLeaf);
    const questions: Question[] =
      self?.role === 'facilitator'
        ? admissions.look(state.members, listed, self.id, now)
        : [];
    const asked = new Set(questions.map(({ id }) => `waiting:${id}`));
    const compared = this.#comparison.look(state.members, listed, now, admissions);
    warnings.push(...compared.filter(({ key }) => !asked.has(key)));
    return { warnings, questions };
  }
}

// --- In words -----------------------------------------------------------------------------------

/** Frames that came on an m-line, in the place of `name`, could not be opened. */
export function ofFrames({ mid, kind }: Trouble, name: string): Warning {
  const text = {
    wrong_sender:
      `Sound or video came in ${name}’s place that is not from ${name}. It is not played. ` +
      'If it goes on, tell the facilitator.',
    forged:
      `Sound or video from ${name} was changed on its way. It is not played. ` +
      'If it goes on, tell the facilitator.',
    no_key:
      `You cannot hear or see ${name}, since your page was cut off from the others’ keys. ` +
      'If it goes on, leave and join again, and tell the facilitator.',
  }[kind];
  return { key: `frames:${mid}`, text };
}

/** Someone came in while no facilitator was there to let them in. */
export function ofUnattended({ id, name }: { id: string; name: string }): Warning {
  return {
    key: `unattended:${id}`,
    text:
      `${name} came into the encrypted call while no facilitator was in it to let them in. ` +
      'If you did not expect them, do not share what they should not hear.',
  };
}

/** The MLS library cannot add them. */
export function ofNotAddable(id: string, name = 'Someone'): Warning {
  return {
    key: `not-let-in:${id}`,
    text: `${name} could not be let in to the encrypted call. Please ask them to join again.`,
  };
}

export function ofNotSecured(inSession: boolean): Warning {
  return {
    key: 'not-secured',
    text:
      'Your connection could not be secured so far, so nobody can hear or see you. ' +
      (inSession ? 'A facilitator may still have to let you in. ' : '') +
      'If it stays so, please leave and join again.',
  };
}

export const OF_A_FAULT: Warning = {
  key: 'internal',
  text: 'Something went wrong with the encryption. Please join again.',
};
