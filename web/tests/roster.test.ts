import { describe, expect, it } from 'vitest';
import { changes, holding, inTheRoom, midOf, newer, whoShares } from '../src/call/roster';
import { person, roster } from './fakes';

it('takes the newer roster, and the later of two with one version', () => {
  const old = roster(3, person(0));
  const now = roster(4, person(0), person(1));
  expect(newer(null, old)).toBe(old);
  expect(newer(old, now)).toBe(now);
  expect(newer(now, old)).toBe(now);
  const same = roster(4);
  expect(newer(now, same)).toBe(same);
});

it('writes slots in hexadecimal', () => {
  expect(midOf('a', 0)).toBe('a0');
  expect(midOf('v', 15)).toBe('vf');
});

it('knows who shares', () => {
  expect(whoShares(null)).toBeNull();
  expect(whoShares(roster(1, person(0), person(1, { screen: true })))?.id).toBe('id-1');
});

describe('changes', () => {
  const hear = (before: Parameters<typeof person>[1], after: Parameters<typeof person>[1]) =>
    changes(roster(1, person(1, before)), roster(2, person(1, after)), 'me');

  it('tells of lost connections and returns', () => {
    expect(hear({}, { connection: 'reconnecting' })).toEqual(['Person 1 lost the connection.']);
    expect(hear({ connection: 'reconnecting' }, {})).toEqual(['Person 1 is back.']);
    expect(hear({ connection: 'connecting' }, {})).toEqual([]);
  });

  it('tells of shared screens', () => {
    expect(hear({}, { screen: true })).toEqual(['Person 1 is sharing their screen.']);
    expect(hear({ screen: true }, {})).toEqual(['Person 1 stopped sharing their screen.']);
  });

  it('is silent about microphones and cameras: too much for a live region', () => {
    expect(hear({}, { mic: false, camera: false })).toEqual([]);
  });
});

describe('holding', () => {
  it('keeps the places of those who are missing, in order of slot', () => {
    const now = holding(roster(1, person(2)), [person(0, { screen: true }), person(2)], 'id-2');
    expect(now.participants).toEqual([
      person(0, { connection: 'reconnecting' }),
      person(2),
    ]);
  });

  it('does not hold a place that someone else has now, nor one’s own former one', () => {
    const now = holding(roster(1, person(0, { id: 'new' })), [person(0), person(1)], 'id-1');
    expect(now.participants.map((one) => one.id)).toEqual(['new']);
  });

  it('leaves a complete roster as it is', () => {
    const complete = roster(1, person(0));
    expect(holding(complete, [person(0)], null)).toBe(complete);
  });
});

it('counts people in words', () => {
  expect(inTheRoom(0)).toBe('Nobody is in the room yet.');
  expect(inTheRoom(1)).toBe('One person is in the room.');
  expect(inTheRoom(7)).toBe('7 people are in the room.');
});
