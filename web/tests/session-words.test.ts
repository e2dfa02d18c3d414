import { describe, expect, it } from 'vitest';
import type { Alert, Floor } from '../src/wire/messages';
import { ago, clockFace, countdown, msLeft, spokenTime } from '../src/session/countdown';
import { moved } from '../src/session/order';
import { spoken } from '../src/session/spoken';
import { step, type AnyEvent, type SessionState } from '../src/session/state';
import { evenness, evidenceWords, holderLine, placeWords, roundWords } from '../src/session/words';
import { fits } from '../src/wire/events';
import { alert, floor, own, piece, session } from './session-fakes';

describe('time', () => {
  it('counts down and stops at nothing', () => {
    const time = countdown(90_500, 1_000);
    if (time === null) throw new Error('no countdown');
    expect(clockFace(msLeft(time, 1_000))).toBe('1:31');
    expect(clockFace(msLeft(time, 2_000))).toBe('1:30');
    expect(clockFace(msLeft(time, 200_000))).toBe('0:00');
    expect(countdown(null, 1_000)).toBeNull();
  });

  it('is said in words', () => {
    expect(spokenTime(8_000)).toBe('8 seconds');
    expect(spokenTime(1_000)).toBe('1 second');
    expect(spokenTime(120_000)).toBe('2 minutes');
    expect([ago(10_000), ago(130_000), ago(3_700_000), ago(7_300_000)]).toEqual([
      'just now',
      '2 min ago',
      '1 hour ago',
      '2 hours ago',
    ]);
  });
});

describe('whose turn it is', () => {
  const line = (change: Partial<Floor>) => holderLine(session(), floor(change));

  it.each<[Partial<Floor>, string]>([
    [{ kind: 'open' }, 'Everyone can speak'],
    [{ kind: 'circle', holder: 'id-1', piece: piece([]) }, 'Person 1 has the talking piece'],
    [{ kind: 'circle', holder: 'id-0', piece: piece([]) }, 'You have the talking piece'],
    [
      { kind: 'circle', piece: piece([], { resting: true }) },
      'The round is over: the talking piece rests',
    ],
    [{ kind: 'queue', holder: 'id-1' }, 'Person 1 has the floor'],
    [{ kind: 'queue' }, 'The floor is free: raise your hand to speak'],
    [{ kind: 'presentation', holder: 'id-1', presenter: 'id-1' }, 'Person 1 is presenting'],
    [{ kind: 'presentation', holder: 'id-2', presenter: 'id-1' }, 'Person 2 is asking'],
    [{ phase: 'ended' }, 'This session has ended.'],
  ])('%o', (change, words) => expect(line(change)).toBe(words));

  it('names rounds only where there are several', () => {
    expect(roundWords(floor({ piece: piece([]) }))).toBeNull();
    expect(roundWords(floor({ piece: piece([], { round: 2, rounds: 2 }) }))).toBe('Round 2 of 2');
  });

  it('has a word for every place', () => {
    expect([1, 2, 3, 16].map(placeWords)).toEqual(['next', 'second', 'third', 'sixteenth']);
  });
});

describe('evidence', () => {
  const said = (kind: Alert['kind'], evidence: Alert['evidence']) =>
    evidenceWords(alert({ kind, evidence }));

  it('is told in sentences', () => {
    expect(said('help_asked', { rating: 8, phase: 'check_in' })).toEqual([
      'Rated their distress 8 of 10.',
      'Phase: check-in.',
    ]);
    expect(said('help_asked', { rating: null, phase: 'work' })).toEqual(['Phase: work.']);
    expect(said('not_heard', { quiet_s: 600 })).toEqual(['Quiet for 10 minutes.']);
    expect(said('dominating', { share: 0.52, fair_share: 0.2, recent_talk_s: 300 })).toEqual([
      '52 % of the talk lately; an even share would be 20 %.',
      'Talked for 5 minutes.',
    ]);
    expect(
      said('left_abruptly', { in_own_turn: true, after_mute: false, rating: null, network_lost: true }),
    ).toEqual(['In the middle of their own turn.', 'Their connection was lost.']);
    expect(said('repeated_interruptions', { times: 3, what: 'Ben came in.' })).toEqual([
      '3 times lately.',
      'Ben came in.',
    ]);
  });

  it('leaves out what it does not know', () => {
    expect(said('nobody_facilitating', { people: 'many', phase: 'dream' })).toEqual([]);
  });
});

it('calls an even talk even and an uneven one uneven', () => {
  expect([0.1, 0.3, 0.5, 0.8].map(evenness)).toEqual([
    'Talk is shared evenly',
    'Talk is shared fairly evenly',
    'Talk is shared unevenly',
    'Talk is shared very unevenly',
  ]);
});

describe('what is spoken', () => {
  const start = (selfId = 'id-0') =>
    step(session(selfId), { name: 'floor', payload: floor() }, 0);
  const hear = (event: AnyEvent, before: SessionState = start()) =>
    spoken(before, step(before, event, 0), event);
  const toFloor = (change: Partial<Floor>): AnyEvent => ({ name: 'floor', payload: floor(change) });

  it('is the change of format and of holder', () => {
    expect(
      hear(toFloor({ format: 'circle', kind: 'circle', holder: 'id-1', piece: piece([]) })),
    ).toEqual(['Work, Circle.', 'Person 1 has the talking piece.']);
    expect(hear(toFloor({ turn_left_ms: 5_000 }))).toEqual([]);
  });

  it('leaves one’s own turn to its own words', () => {
    const queue = { format: 'queue', kind: 'queue' } as const;
    const before = step(start(), toFloor(queue), 0);
    expect(hear(toFloor({ ...queue, holder: 'id-0' }), before)).toEqual([]);
    expect(
      hear({ name: 'your_turn', payload: { left_ms: 1_000, text: 'It is your turn.' } }, before),
    ).toEqual(['It is your turn.']);
  });

  it('tells a pause once, and a mute of one’s own with its time', () => {
    expect(hear(toFloor({ paused: true }))).toEqual([
      'Paused. We are taking a quiet moment together.',
    ]);
    expect(
      hear({ name: 'muted', payload: { reason: 'paused', left_ms: null, text: 'Quiet.' } }),
    ).toEqual([]);
    expect(
      hear({ name: 'muted', payload: { reason: 'short_mute', left_ms: 8_000, text: 'Why.' } }),
    ).toEqual(['Why.', 'About 8 seconds.']);
  });

  it('tells facilitators of hands and alerts, participants of neither', () => {
    const hand = toFloor({ queue: ['id-1'] });
    expect(hear(hand, start('id-9'))).toEqual(['Person 1 raised a hand.']);
    expect(hear(hand)).toEqual([]);
    expect(hear({ name: 'alert', payload: alert() }, start('id-9'))).toEqual([
      'Urgent, Person 1: Asked for help.',
    ]);
    expect(
      hear({ name: 'alert', payload: alert({ change: 'changed', count: 2 }) }, start('id-9')),
    ).toEqual([]);
  });

  it('says that one is next', () => {
    const before = step(start(), { name: 'own', payload: own({ hand_raised: true, place: 2 }) }, 0);
    expect(hear({ name: 'own', payload: own({ hand_raised: true, place: 1 }) }, before)).toEqual([
      'You are next.',
    ]);
  });
});

it('moves one and keeps the others in order', () => {
  expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'c', 'a']);
  expect(moved(['a', 'b', 'c'], 2, 1)).toEqual(['a', 'c', 'b']);
  expect(moved(['a'], 3, 0)).toEqual(['a']);
});

describe('events from the wire', () => {
  it('fit if they hold what the page builds on', () => {
    expect(fits('floor', floor({ piece: piece(['id-1']) }))).toBe(true);
    expect(fits('own', own())).toBe(true);
    expect(fits('alert', alert())).toBe(true);
    expect(fits('unmuted', { text: 'You can be heard again.' })).toBe(true);
  });

  it('do not fit otherwise', () => {
    expect(fits('floor', { ...floor(), queue: [1] })).toBe(false);
    expect(fits('floor', { ...floor(), piece: {} })).toBe(false);
    expect(fits('people', { people: [{ id: 'x' }], gini: 0, suggested: [] })).toBe(false);
    expect(fits('nudge', null)).toBe(false);
    expect(fits('nudge', { text: 7 })).toBe(false);
  });
});
