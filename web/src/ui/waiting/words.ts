/** Words about the waiting room. */
import type { Question } from '../../e2ee/view';
import type { WaitingPerson } from '../../wire/messages';

/** What someone can be told who is not let in now. They are never left without a word. */
export const NOT_NOW = [
  'We are in the middle of something just now. Please come back in about ten minutes.',
  'We are not starting yet. Please wait a little and ask again.',
  'We cannot have you with us today. We will be in touch with you soon.',
] as const;

/** The answers to whether somebody belongs in the encrypted call; see `Question.where`. */
export const DOOR_ANSWERS: Record<Question['where'], { yes: string; no: string | null }> = {
  outside: { yes: 'Let in', no: 'Keep out' },
  inside: { yes: 'They belong here', no: 'Take out' },
  kept_out: { yes: 'Let in after all', no: null },
};

export const LONGEST_WORD = 300;

export const howManyWait = (people: number): string =>
  people === 1 ? '1 person is waiting' : `${people} people are waiting`;

/** How long someone has waited, no finer than anyone needs. */
export function waited(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'just came';
  return `waiting for ${minutes} min`;
}

const KINDS: Record<WaitingPerson['kind'], string> = {
  member: '',
  guest: 'Guest',
  make_up: 'From another group',
};

export const kindWords = (kind: WaitingPerson['kind']): string => KINDS[kind];
