/** The session in words: phases, formats, whose turn it is, and what an alert rests on. */
import type { Alert, Floor, People, PersonView, ShownDocument } from '../wire/messages';
import { spokenTime } from './countdown';
import { nameOf, type GateReason, type SessionState } from './state';

export const PHASES: Record<Floor['phase'], string> = {
  lobby: 'Lobby',
  check_in: 'Check-in',
  work: 'Work',
  check_out: 'Check-out',
  ended: 'Ended',
};

const PLACES = [
  'next',
  'second',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
  'eighth',
  'ninth',
  'tenth',
  'eleventh',
  'twelfth',
  'thirteenth',
  'fourteenth',
  'fifteenth',
  'sixteenth',
];

/** One's place in a line: next, second, third. */
export const placeWords = (place: number): string => PLACES[place - 1] ?? `number ${place}`;

export function formatTitle(state: SessionState, floor: Floor): string {
  return state.formats.find((one) => one.name === floor.format)?.title ?? floor.format;
}

/** What the texts that can be shown are called within a sentence. */
export const TEXTS: Record<ShownDocument['kind'], string> = {
  guidelines: 'group’s guidelines',
  confidentiality: 'confidentiality agreement',
  telehealth_consent: 'consent to meeting online',
  part2_notice: 'notice about substance use records',
};

/** Whose turn it is, as one short line. */
export function holderLine(state: SessionState, floor: Floor): string {
  const { holder, kind, presenter } = floor;
  const mine = holder !== null && holder === state.selfId;
  const who = holder === null ? '' : nameOf(state, holder);
  if (floor.phase === 'ended') return 'This session has ended.';
  switch (kind) {
    case 'open':
      return 'Everyone can speak';
    case 'circle':
      if (holder !== null) return `${mine ? 'You have' : `${who} has`} the talking piece`;
      return floor.piece?.resting === true
        ? 'The round is over: the talking piece rests'
        : 'The talking piece waits';
    case 'queue':
      if (holder !== null) return `${mine ? 'You have' : `${who} has`} the floor`;
      return 'The floor is free: raise your hand to speak';
    case 'presentation':
      if (holder === null) return 'Nobody is presenting yet';
      if (holder === presenter) return `${mine ? 'You are' : `${who} is`} presenting`;
      return `${mine ? 'You are' : `${who} is`} asking`;
  }
}

/** One's own place, where there is one. */
export function ownPlace(state: SessionState): string | null {
  const { own, floor, selfId } = state;
  if (own === null || floor === null || own.holding) return null;
  if (floor.kind === 'circle' && own.place !== null)
    return own.place === 1
      ? 'The talking piece comes to you next'
      : `You are ${placeWords(own.place)} to get the talking piece`;
  if (!own.hand_raised) return null;
  const place = selfId === null ? 0 : floor.queue.indexOf(selfId) + 1;
  return place > 0 ? `You are ${placeWords(place)}` : 'Your hand is raised';
}

export function roundWords(floor: Floor): string | null {
  const { piece } = floor;
  if (piece === null || (piece.rounds <= 1 && piece.round <= 1) || piece.round < 1) return null;
  return `Round ${piece.round} of ${piece.rounds}`;
}

export const SEVERITY_WORDS: Record<Alert['severity'], string> = {
  urgent: 'Urgent',
  attention: 'Needs attention',
  info: 'For your information',
};

/** Someone's gate in two or three words, beside their name. */
export const GATE_WORDS: Record<GateReason, string> = {
  not_your_turn: 'Not their turn',
  paused: 'Quiet moment',
  all_muted: 'All are muted',
  short_mute: 'Muted for a moment',
  held_mute: 'Muted until lifted',
  facilitator_mute: 'Muted',
};

/** Gates that stand for a mute of this one person, to be lifted for this one person. */
export const isPersonalMute = (gate: GateReason | null): boolean =>
  gate === 'short_mute' || gate === 'held_mute' || gate === 'facilitator_mute';

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

const seconds = (value: unknown): string | null =>
  typeof value === 'number' ? spokenTime(value * 1000) : null;

function phaseEvidence(value: unknown): string | null {
  if (typeof value !== 'string' || !(value in PHASES)) return null;
  return `Phase: ${PHASES[value as Floor['phase']].toLowerCase()}.`;
}

const rated = (value: unknown): string | null =>
  typeof value === 'number' ? `Rated their distress ${value} of 10.` : null;

/** What an alert rests on, in sentences. */
export function evidenceWords({ kind, evidence }: Alert): string[] {
  const said: (string | null)[] = [];
  switch (kind) {
    case 'help_asked':
      said.push(rated(evidence.rating), phaseEvidence(evidence.phase));
      break;
    case 'distress_high':
      said.push(rated(evidence.rating));
      break;
    case 'repeated_interruptions':
      if (typeof evidence.times === 'number') said.push(`${evidence.times} times lately.`);
      if (evidence.muted_until_lifted === true) said.push('Now muted until you lift it.');
      if (typeof evidence.what === 'string') said.push(evidence.what);
      break;
    case 'not_heard': {
      const quiet = seconds(evidence.quiet_s);
      if (quiet !== null) said.push(`Quiet for ${quiet}.`);
      break;
    }
    case 'dominating': {
      const { share, fair_share: fair } = evidence;
      if (typeof share === 'number')
        said.push(
          `${percent(share)} of the talk lately` +
            (typeof fair === 'number' ? `; an even share would be ${percent(fair)}.` : '.'),
        );
      const talked = seconds(evidence.recent_talk_s);
      if (talked !== null) said.push(`Talked for ${talked}.`);
      break;
    }
    case 'left_abruptly':
      if (evidence.in_own_turn === true) said.push('In the middle of their own turn.');
      if (evidence.after_mute === true) said.push('Soon after being muted.');
      said.push(rated(evidence.rating));
      if (evidence.network_lost === true) said.push('Their connection was lost.');
      break;
    case 'nobody_facilitating':
      if (typeof evidence.people === 'number')
        said.push(evidence.people === 1 ? 'One person is here.' : `${evidence.people} people are here.`);
      said.push(phaseEvidence(evidence.phase));
  }
  return said.filter((one) => one !== null && one !== '') as string[];
}

/** Whether help may have to be sent to the one whom an alert is about. */
export const mayNeedHelp = ({ kind }: Alert): boolean =>
  kind === 'help_asked' || kind === 'distress_high' || kind === 'left_abruptly';

/** How evenly talk is shared, from its Gini coefficient. */
export function evenness(gini: number): string {
  if (gini < 0.2) return 'Talk is shared evenly';
  if (gini < 0.35) return 'Talk is shared fairly evenly';
  if (gini < 0.55) return 'Talk is shared unevenly';
  return 'Talk is shared very unevenly';
}

export function talkOf(people: People, period: 'session' | 'recent'): PersonView[] {
  return people.people.filter((one) => one.role === 'participant' && one[period].talk_s > 0);
}

/** A count with its noun: 1 turn, 2 turns. */
export const counted = (count: number, one: string): string =>
  `${count} ${one}${count === 1 ? '' : 's'}`;

/** One's own rating in words. */
export const DISTRESS_ENDS = { low: 'calm', high: 'the worst I can imagine' } as const;
