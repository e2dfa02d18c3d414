/** A session as far as tests need one: nine participants and a facilitator, `id-9`. */
import type { Alert, Floor, FormatInfo, Own, Piece } from '../src/wire/messages';
import { EMPTY, step, type SessionState } from '../src/session/state';
import { person } from './fakes';

export const FORMATS: FormatInfo[] = [
  { name: 'open', title: 'Open floor', kind: 'open' },
  { name: 'circle', title: 'Circle', kind: 'circle' },
  { name: 'queue', title: 'Queue', kind: 'queue' },
];

export function session(selfId = 'id-0'): SessionState {
  const people = Array.from({ length: 10 }, (_, slot) =>
    person(slot, slot === 9 ? { role: 'facilitator' } : {}),
  );
  const joined = step(EMPTY, { name: 'joined', payload: { id: selfId, formats: FORMATS } }, 0);
  return step(joined, { name: 'here', payload: people }, 0);
}

export function floor(change: Partial<Floor> = {}): Floor {
  return {
    phase: 'work',
    format: 'open',
    kind: 'open',
    holder: null,
    turn_left_ms: null,
    turn_runs: true,
    queue: [],
    queue_order: 'first_come',
    piece: null,
    presenter: null,
    paused: false,
    all_muted: false,
    attended: true,
    ...change,
  };
}

export function piece(waiting: string[], change: Partial<Piece> = {}): Piece {
  return { round: 1, rounds: 1, waiting, resting: false, ...change };
}

export function own(change: Partial<Own> = {}): Own {
  return {
    holding: false,
    hand_raised: false,
    place: null,
    muted: null,
    muted_left_ms: null,
    text: '',
    rating: null,
    help: 'none',
    ...change,
  };
}

export function alert(change: Partial<Alert> = {}): Alert {
  return {
    change: 'raised',
    id: 1,
    kind: 'help_asked',
    severity: 'urgent',
    about: 'id-1',
    about_name: 'Person 1',
    about_person: null,
    text: 'Asked for help.',
    evidence: {},
    count: 1,
    raised_at: 1,
    rises: 0,
    acknowledged_by: null,
    acknowledged_at: null,
    ...change,
  };
}
