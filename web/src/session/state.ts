/**
 * What this page knows of the session, as a value: each event makes the next one out of it.
 * Knows no clock and no DOM; `now` is the page's steady clock in ms.
 */
import type { SessionEvent } from '../wire/events';
import type {
  Alert,
  Floor,
  FormatInfo,
  Own,
  OwnShare,
  Participant,
  People,
  ShownDocument,
} from '../wire/messages';
import { countdown, type Countdown } from './countdown';

export type Role = Participant['role'];
export type GateReason = NonNullable<Own['muted']>;

export interface Toast {
  id: number;
  kind: 'nudge' | 'turn' | 'word';
  text: string;
  stayMs: number;
}

export interface SessionState {
  selfId: string | null;
  formats: FormatInfo[];
  /** Of everyone seen so far, so that words of someone who left keep their name. */
  names: Readonly<Record<string, string>>;
  here: Participant[];
  floor: Floor | null;
  /** The text that a facilitator has put on everyone's screen. */
  shown: ShownDocument | null;
  /** This person has folded it away, for themselves alone. */
  shownFolded: boolean;
  turn: Countdown | null;
  /** In one's own turn: it ends soon. */
  endingSoon: boolean;
  own: Own | null;
  muted: Countdown | null;
  share: OwnShare | null;
  help: { state: 'none' | 'asked' | 'seen'; text: string };
  invitation: string | null;
  people: People | null;
  peopleAt: number;
  /** The most pressing first. */
  alerts: Alert[];
  toasts: Toast[];
  lastId: number;
}

export const EMPTY: SessionState = {
  selfId: null,
  formats: [],
  names: {},
  here: [],
  floor: null,
  shown: null,
  shownFolded: false,
  turn: null,
  endingSoon: false,
  own: null,
  muted: null,
  share: null,
  help: { state: 'none', text: '' },
  invitation: null,
  people: null,
  peopleAt: 0,
  alerts: [],
  toasts: [],
  lastId: 0,
};

/** What comes from the page itself rather than from the moderation. */
export type LocalEvent =
  | { name: 'joined'; payload: { id: string; formats: FormatInfo[] } }
  | { name: 'here'; payload: Participant[] }
  | { name: 'word'; payload: { text: string } }
  | { name: 'toast_over'; payload: { id: number } }
  | { name: 'invitation_over'; payload: null }
  | { name: 'fold_shown'; payload: { folded: boolean } };

export type AnyEvent = SessionEvent | LocalEvent;

const NUDGE_STAYS_MS = 10_000;
const WORD_STAYS_MS = 7_000;
/** More at once than these cannot be read; the oldest gives way. */
const MOST_TOASTS = 3;
/** A page that stays open for days should not grow for ever. */
const MOST_SETTLED_ALERTS = 30;

export function step(state: SessionState, event: AnyEvent, now: number): SessionState {
  switch (event.name) {
    case 'joined':
      return joined(state, event.payload);
    case 'here':
      return here(state, event.payload);
    case 'floor':
      return floorCame(state, event.payload, now);
    case 'shown_text':
      return shownCame(state, event.payload.shown);
    case 'fold_shown':
      return { ...state, shownFolded: event.payload.folded };
    case 'own':
      return ownCame(state, event.payload, now);
    case 'your_turn':
      return toast({ ...state, endingSoon: false, invitation: null }, event.payload.text, 'turn');
    case 'turn_ending_soon':
      return toast({ ...state, endingSoon: true }, event.payload.text, 'turn');
    case 'turn_ended':
      return toast({ ...state, endingSoon: false }, event.payload.text, 'turn');
    case 'nudge':
      return toast(state, event.payload.text, 'nudge');
    case 'muted': {
      const { reason, left_ms, text } = event.payload;
      const own = state.own ?? NOTHING_OWN;
      return {
        ...state,
        own: { ...own, muted: reason, muted_left_ms: left_ms, text },
        muted: countdown(left_ms, now),
      };
    }
    case 'unmuted':
      return toast(heard(state), event.payload.text);
    case 'invited':
      return { ...state, invitation: event.payload.text };
    case 'invitation_over':
      return { ...state, invitation: null };
    case 'own_share':
      return { ...state, share: event.payload };
    case 'help_received':
      return { ...state, help: { state: 'asked', text: event.payload.text } };
    case 'help_seen':
      return toast({ ...state, help: { state: 'seen', text: event.payload.text } }, event.payload.text);
    case 'people':
      return { ...state, people: event.payload, peopleAt: now };
    case 'alert':
      return { ...state, alerts: withAlert(state.alerts, event.payload) };
    case 'word':
      return toast(state, event.payload.text);
    case 'toast_over':
      return { ...state, toasts: state.toasts.filter((one) => one.id !== event.payload.id) };
  }
}

const NOTHING_OWN: Own = {
  holding: false,
  hand_raised: false,
  place: null,
  muted: null,
  muted_left_ms: null,
  text: '',
  rating: null,
  help: 'none',
};

/**
 * A new connection is told everything anew. What is replaced as a whole stays on screen until
 * then, so that nothing flickers; what comes piece by piece begins empty.
 */
function joined(state: SessionState, { id, formats }: { id: string; formats: FormatInfo[] }) {
  // Another id is another visit: nothing of the former one's is ours.
  const before = state.selfId === null || state.selfId === id ? state : EMPTY;
  return {
    ...before,
    selfId: id,
    formats,
    endingSoon: false,
    invitation: null,
    alerts: [],
    toasts: [],
  };
}

function here(state: SessionState, people: Participant[]): SessionState {
  const names = { ...state.names };
  for (const one of people) names[one.id] = one.name;
  return { ...state, here: people, names };
}

function floorCame(state: SessionState, floor: Floor, now: number): SessionState {
  const sameTurn = floor.holder === state.floor?.holder;
  return {
    ...state,
    floor,
    turn: countdown(floor.turn_left_ms, now, floor.turn_runs),
    endingSoon: state.endingSoon && sameTurn,
  };
}

/** Told again, as after a lost connection, a text stays folded; another one opens. */
function shownCame(state: SessionState, shown: ShownDocument | null): SessionState {
  return { ...state, shown, shownFolded: state.shownFolded && isSameText(state.shown, shown) };
}

export function isSameText(one: ShownDocument | null, other: ShownDocument | null): boolean {
  return one?.kind === other?.kind && one?.text === other?.text;
}

function ownCame(state: SessionState, own: Own, now: number): SessionState {
  const answered = own.holding || (own.hand_raised && state.own?.hand_raised !== true);
  return {
    ...state,
    own,
    help: helpAs(own.help, state.help),
    muted: own.muted === null ? null : countdown(own.muted_left_ms, now),
    endingSoon: state.endingSoon && own.holding,
    invitation: answered ? null : state.invitation,
  };
}

/** After a reload only the server still knows that one has asked. */
function helpAs(told: Own['help'], known: SessionState['help']): SessionState['help'] {
  if (told === known.state) return known;
  return { state: told, text: HELP_WORDS[told] };
}

const HELP_WORDS: Record<Own['help'], string> = {
  none: '',
  asked: 'You have asked for help. The facilitators were told.',
  seen: 'A facilitator has seen that you asked for help.',
};

function heard(state: SessionState): SessionState {
  if (state.own === null) return state;
  return { ...state, own: { ...state.own, muted: null, muted_left_ms: null, text: '' }, muted: null };
}

function toast(state: SessionState, text: string, kind: Toast['kind'] = 'word'): SessionState {
  if (text === '') return state;
  const id = state.lastId + 1;
  const stayMs = kind === 'nudge' ? NUDGE_STAYS_MS : WORD_STAYS_MS;
  // The news of one's turn replaces the news before it.
  const others = state.toasts.filter(
    (one) => one.text !== text && (kind !== 'turn' || one.kind !== 'turn'),
  );
  const toasts = [...others, { id, kind, text, stayMs }].slice(-MOST_TOASTS);
  return { ...state, toasts, lastId: id };
}

const SEVERITIES: Alert['severity'][] = ['urgent', 'attention', 'info'];

export const isOpen = (alert: Alert): boolean => alert.acknowledged_by === null;

function withAlert(alerts: Alert[], alert: Alert): Alert[] {
  const others = alerts.filter((one) => one.id !== alert.id);
  if (alert.change === 'withdrawn') return others;
  const rank = (one: Alert) => SEVERITIES.indexOf(one.severity);
  const open = [...others, alert].filter(isOpen);
  const settled = [...others, alert].filter((one) => !isOpen(one));
  // By severity, then the newest first; their times do not change, so nothing jumps about.
  open.sort((a, b) => rank(a) - rank(b) || b.raised_at - a.raised_at || b.id - a.id);
  settled.sort((a, b) => (b.acknowledged_at ?? 0) - (a.acknowledged_at ?? 0));
  return [...open, ...settled.slice(0, MOST_SETTLED_ALERTS)];
}

export function openAlerts(state: SessionState): Alert[] {
  return state.alerts.filter(isOpen);
}

export function roleOf(state: SessionState): Role | null {
  return state.here.find((one) => one.id === state.selfId)?.role ?? null;
}

export function nameOf(state: SessionState, id: string): string {
  return state.names[id] ?? 'Someone';
}
