import { describe, expect, test } from 'vitest';
import {
  hasEnded,
  patternProblem,
  planWords,
  readRule,
  ruleOf,
  weekdayOf,
  type Pattern,
} from '../src/groups/recurrence';
import { askAgainIn, readerLocale, sessionWhen, untilWords, wallClock } from '../src/groups/time';

const START = '2027-01-05T18:00:00'; // a Tuesday
const ZONE = 'Europe/Berlin';
const never = { kind: 'never' } as const;
const plan = { startsAt: START, zone: ZONE, minutes: 90 };

const PATTERNS: [Pattern, string | null, string][] = [
  [{ kind: 'once' }, null, 'Once, on 5 January 2027 at 18:00 (Berlin time), for 90 minutes.'],
  [
    { kind: 'weekly', every: 1, days: ['TU'], end: never },
    'FREQ=WEEKLY;BYDAY=TU',
    'Every week on Tuesday at 18:00 (Berlin time), for 90 minutes, from 5 January 2027 on.',
  ],
  [
    { kind: 'weekly', every: 2, days: ['TU', 'TH'], end: { kind: 'until', date: '2027-06-30' } },
    'FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=TU,TH;UNTIL=20270630',
    'Every other week on Tuesday and Thursday at 18:00 (Berlin time), for 90 minutes, from 5 January 2027 on, until 30 June 2027.',
  ],
  [
    { kind: 'monthly-weekday', every: 1, nth: -1, day: 'FR', end: { kind: 'count', count: 8 } },
    'FREQ=MONTHLY;BYDAY=-1FR;COUNT=8',
    'On the last Friday of every month at 18:00 (Berlin time), for 90 minutes, from 5 January 2027 on, 8 times.',
  ],
  [
    { kind: 'monthly-date', every: 3, date: 31, end: never },
    'FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=31',
    'On day 31 of every 3 months at 18:00 (Berlin time), for 90 minutes, from 5 January 2027 on. Months without this day are left out.',
  ],
];

test.each(PATTERNS)('%j', (pattern, rule, words) => {
  expect(ruleOf(pattern)).toBe(rule);
  expect(readRule(rule, START, ZONE)).toEqual(pattern);
  expect(planWords(plan, pattern, rule, 'en-GB')).toBe(words);
  expect(patternProblem(pattern, START)).toBeNull();
});

describe('rules that others wrote', () => {
  test('what is left out is that of the first session', () => {
    expect(readRule('FREQ=WEEKLY', START, ZONE)).toMatchObject({ days: ['TU'] });
    expect(readRule('FREQ=MONTHLY', START, ZONE)).toMatchObject({ kind: 'monthly-date', date: 5 });
  });

  test('an end in UTC is a day of the zone', () => {
    const rule = 'FREQ=WEEKLY;BYDAY=TU;UNTIL=20270131T233000Z';
    expect(readRule(rule, START, ZONE)).toMatchObject({ end: { kind: 'until', date: '2027-02-01' } });
  });

  test.each([
    'FREQ=DAILY',
    'FREQ=WEEKLY;BYDAY=XX',
    'FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU',
    'FREQ=MONTHLY;BYDAY=MO,TU',
    'FREQ=MONTHLY;BYDAY=5MO',
    'FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1',
    'FREQ=MONTHLY;BYMONTHDAY=-1',
    'FREQ=MONTHLY;BYMONTHDAY=1,15',
  ])('%s stays as it is', (rule) => {
    expect(readRule(rule, START, ZONE)).toBeNull();
    expect(planWords(plan, null, rule, 'en-GB')).toContain(rule);
  });
});

test('what a pattern lacks is said', () => {
  const weekly = { kind: 'weekly', every: 1, days: [], end: never } as const;
  expect(patternProblem({ ...weekly, days: [] }, START)).toMatch(/day of the week/);
  expect(patternProblem({ ...weekly, days: ['MO'], every: 0 }, START)).toMatch(/how often/);
  expect(patternProblem({ ...weekly, days: ['MO'], end: { kind: 'until', date: '2026-01-01' } }, START)).toMatch(/after/);
  expect(patternProblem({ ...weekly, days: ['MO'], end: { kind: 'until', date: '' } }, START)).toMatch(/last day/);
  expect(patternProblem({ kind: 'monthly-date', every: 1, date: 32, end: never }, START)).toMatch(/1 to 31/);
});

test('weekdays', () => {
  expect(weekdayOf(START)).toBe('TU');
  expect(weekdayOf('2027-01-03T00:00')).toBe('SU');
});

describe('times', () => {
  test('the time of the group where it differs', () => {
    const [starts, ends] = ['2027-01-05T17:00:00Z', '2027-01-05T18:30:00Z'];
    expect(sessionWhen(starts, ends, ZONE, ZONE, 'en-GB').theirs).toBeNull();
    expect(sessionWhen(starts, ends, ZONE, 'Europe/Paris', 'en-GB').theirs).toBeNull();
    const when = sessionWhen(starts, ends, ZONE, 'America/New_York', 'en-GB');
    expect(when.mine).toMatch(/Tuesday,? 5 January 2027.*12:00 to 13:30$/);
    expect(when.theirs).toMatch(/18:00 to 19:30 \(Berlin time\)$/);
  });

  test('an unknown zone breaks nothing', () => {
    expect(wallClock('2027-01-05T17:00:00Z', 'Mars/Base')).toBe('2027-01-05T17:00');
    expect(wallClock('2027-07-05T17:00:00Z', ZONE)).toBe('2027-07-05T19:00');
  });

  test('the words are English, whatever the browser', () => {
    expect(readerLocale(['de-DE', 'en-US'])).toBe('en-US');
    expect(readerLocale(['de-DE'])).toBe('en-GB');
  });

  test.each([
    [3 * 86_400_000 + 5, 'in 3 days'],
    [26 * 3_600_000, 'in 26 hours'],
    [90 * 60_000, 'in 1 hour and 30 minutes'],
    [60_500, 'in 1:01'],
    [-5, 'in 0:00'],
  ])('%i ms: %s', (ms, words) => {
    expect(untilWords(ms)).toBe(words);
  });

  test('the server is asked again when that is worth it', () => {
    const opening = { opensAt: '2027-01-05T17:50:00Z', closesAt: '2027-01-05T20:00:00Z', isOpen: false };
    const at = (time: string, isOpen = false) =>
      askAgainIn({ ...opening, isOpen }, Date.parse(`2027-01-05T${time}Z`));
    expect(at('10:00:00')).toBe(3_600_000);
    expect(at('17:49:30')).toBe(30_000);
    expect(at('17:40:00')).toBe(60_000);
    expect(at('17:50:00')).toBe(5_000);
    expect(at('20:00:00')).toBeNull();
    expect(at('19:59:00', true)).toBe(60_000);
    expect(at('20:10:00', true)).toBe(5_000);
    expect(at('21:00:00', true)).toBeNull();
  });
});

test('schedules that are over', () => {
  const now = new Date('2027-03-02T17:30:00Z');
  const ended = (rule: string | null, startsAt = START) => hasEnded(startsAt, ZONE, rule, now);
  expect(ended(null)).toBe(true);
  expect(ended(null, '2027-03-02T10:00:00')).toBe(false);
  expect(ended('FREQ=WEEKLY;BYDAY=TU')).toBe(false);
  expect(ended('FREQ=WEEKLY;BYDAY=TU;COUNT=1')).toBe(false);
  expect(ended('FREQ=WEEKLY;BYDAY=TU;UNTIL=20270302')).toBe(false);
  expect(ended('FREQ=WEEKLY;BYDAY=TU;UNTIL=20270301')).toBe(true);
  expect(ended('FREQ=WEEKLY;BYDAY=TU;UNTIL=20270302T172959Z')).toBe(true);
  expect(ended('FREQ=WEEKLY;BYDAY=TU;UNTIL=20270302T173001Z')).toBe(false);
});
