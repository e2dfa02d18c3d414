import { expect, test } from 'vitest';
import { entering, stepsOf } from '../src/groups/steps';
import type { SessionPage } from '../src/groups/types';

const PAGE: SessionPage = {
  group_id: 'g',
  group_name: 'Tuesday circle',
  time_zone: 'America/New_York',
  session: {
    group: 'g',
    key: '20270105T180000Z',
    starts_at: '2027-01-05T18:00:00Z',
    ends_at: '2027-01-05T19:30:00Z',
    schedule: 's',
    occurrence: '20270105T180000',
    is_cancelled: false,
    is_moved: false,
  },
  role: 'participant',
  kind: 'member',
  display_name: 'Robin',
  pronouns: null,
  opens_at: '2027-01-05T17:50:00Z',
  closes_at: '2027-01-05T20:00:00Z',
  is_open: true,
  waits: true,
  unsigned: [],
  must_confirm: true,
  is_confirmed: true,
  is_absent: false,
  absence_note: null,
  make_up: null,
  refusal: null,
};
const at = (time: string) => Date.parse(`2027-01-05T${time}:00Z`);
const refused = (code: string) => ({ code, message: `It is ${code}.`, unsigned: [] });

test('what is to do, in the order it is done', () => {
  const page: SessionPage = { ...PAGE, is_confirmed: false, unsigned: ['guidelines', 'confidentiality'] };
  expect(stepsOf(page, at('17:30'))).toEqual([
    { kind: 'sign', document: 'guidelines', words: 'Read and sign: Group guidelines' },
    { kind: 'sign', document: 'confidentiality', words: 'Read and sign: Confidentiality agreement' },
    { kind: 'confirm', isDone: false, from: null },
  ]);
  expect(stepsOf(PAGE, at('16:59'))).toEqual([{ kind: 'confirm', isDone: true, from: at('17:00') }]);
  expect(stepsOf({ ...PAGE, must_confirm: false }, at('17:30'))).toEqual([]);
});

test('whether one can go in', () => {
  const now = at('17:55');
  expect(entering(PAGE, now)).toEqual({ state: 'open' });
  const cancelled = { ...PAGE, session: { ...PAGE.session, is_cancelled: true } };
  expect(entering(cancelled, now)).toEqual({ state: 'cancelled' });
  for (const code of ['unsigned', 'unconfirmed']) {
    expect(entering({ ...PAGE, refusal: refused(code) }, now)).toEqual({ state: 'to-do' });
  }
  const closed = { ...PAGE, is_open: false, refusal: refused('not_open') };
  expect(entering(closed, at('17:00'))).toEqual({ state: 'early' });
  expect(entering(closed, at('19:00'))).toEqual({ state: 'over' });
  expect(entering(closed, at('20:00'))).toEqual({ state: 'over' });
  expect(entering({ ...PAGE, refusal: refused('full_group') }, now)).toEqual({
    state: 'refused',
    message: 'It is full_group.',
  });
});
