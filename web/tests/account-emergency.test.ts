import { render } from 'svelte/server';
import { expect, test, vi } from 'vitest';
import EmergencyAccess from '../src/account/EmergencyAccess.svelte';
import { Emergency, reasonProblem, type EmergencyEdges } from '../src/account/emergency.svelte';
import type { ReachedPerson } from '../src/api/accounts';
import { ApiError } from '../src/api/client';

const HOUR_S = 3600;
const REASON = 'They do not answer, and their facilitator cannot be reached.';
const ADA: ReachedPerson = {
  membership: 'm1',
  display_name: 'Ada',
  role: 'participant',
  legal_name: 'Ada Lovelace',
  email: null,
  phone: '+1 555 0100',
  confirmed: null,
};

/** A server whose access lasts for so many seconds; null: there is none. */
function server(secondsLeft: number | null) {
  const state = { left: secondsLeft, now: 1_000_000 };
  const edges = {
    access: vi.fn<EmergencyEdges['access']>(() =>
      Promise.resolve({ group_name: 'Tuesday circle', seconds_left: state.left }),
    ),
    take: vi.fn<EmergencyEdges['take']>(() => {
      state.left = HOUR_S;
      return Promise.resolve();
    }),
    people: vi.fn<EmergencyEdges['people']>(() =>
      state.left === null
        ? Promise.reject(new ApiError('no_grant', 'Please state first why.', 403))
        : Promise.resolve({ seconds_left: state.left, people: [ADA] }),
    ),
    end: vi.fn<EmergencyEdges['end']>(() => {
      state.left = null;
      return Promise.resolve();
    }),
    now: () => state.now,
  };
  return { edges, state, emergency: new Emergency(edges) };
}

test('without access nobody is looked at until there is a reason', async () => {
  const { emergency, edges } = server(null);
  await emergency.begin();
  expect(emergency.groupName).toBe('Tuesday circle');
  expect(emergency.left).toBeNull();
  await emergency.take('   urgent   ');
  expect(emergency.problem).toMatch(/sentence/);
  expect(edges.take).not.toHaveBeenCalled();
  expect(edges.people).not.toHaveBeenCalled();

  await emergency.take(`  ${REASON} `);
  expect(edges.take).toHaveBeenCalledExactlyOnceWith(REASON);
  expect(emergency.people).toEqual([ADA]);
  expect(emergency.left).toBe(HOUR_S * 1000);
  expect(emergency.problem).toBe('');
});

test('who has access already is led straight to the people', async () => {
  const { emergency, edges } = server(120);
  await emergency.begin();
  expect(edges.take).not.toHaveBeenCalled();
  expect(emergency.people).toEqual([ADA]);
  expect(emergency.left).toBe(120_000);
});

test('what was seen goes when the time is over', async () => {
  const { emergency, state } = server(120);
  await emergency.begin();
  state.now += 119_000;
  emergency.tick();
  expect(emergency.left).toBe(1000);
  expect(emergency.people).toEqual([ADA]);
  state.now += 1000;
  emergency.tick();
  expect(emergency.people).toBeNull();
  expect(emergency.left).toBeNull();
  expect(emergency.isOver).toBe(true);
});

test('it can be ended, and taken anew', async () => {
  const { emergency, edges } = server(HOUR_S);
  await emergency.begin();
  await emergency.end();
  expect(edges.end).toHaveBeenCalledOnce();
  expect(emergency.people).toBeNull();
  expect(emergency.isOver).toBe(true);
  await emergency.take(REASON);
  expect(emergency.people).toEqual([ADA]);
  expect(emergency.isOver).toBe(false);
});

test('the server decides when it is over', async () => {
  const { emergency, state } = server(HOUR_S);
  await emergency.begin();
  state.left = null;
  await emergency.look();
  expect(emergency.people).toBeNull();
  expect(emergency.isOver).toBe(true);
  expect(emergency.problem).toBe('');
});

test('what goes wrong is told, and what was seen stays', async () => {
  const { emergency, edges } = server(HOUR_S);
  await emergency.begin();
  edges.people.mockRejectedValueOnce(new ApiError('unreachable', 'We cannot reach the server.'));
  await emergency.look();
  expect(emergency.problem).toBe('We cannot reach the server.');
  expect(emergency.people).toEqual([ADA]);
  await emergency.look();
  expect(emergency.problem).toBe('');
});

test('a proof that is not given leaves everything as it was', async () => {
  const { emergency, edges } = server(null);
  await emergency.begin();
  edges.take.mockRejectedValueOnce(new ApiError('step_up', 'Please show who you are.', 403));
  await emergency.take(REASON);
  expect(emergency.problem).toBe('Please show who you are.');
  expect(emergency.left).toBeNull();
  expect(edges.people).not.toHaveBeenCalled();
});

test('one thing at a time', async () => {
  const { emergency, edges } = server(HOUR_S);
  await Promise.all([emergency.begin(), emergency.begin()]);
  expect(edges.access).toHaveBeenCalledOnce();
});

test('a reason has a sensible length', () => {
  expect(reasonProblem('')).not.toBe('');
  expect(reasonProblem(' '.repeat(30))).not.toBe('');
  expect(reasonProblem('123456789')).not.toBe('');
  expect(reasonProblem('1234567890')).toBe('');
  expect(reasonProblem('a'.repeat(1000))).toBe('');
  expect(reasonProblem('a'.repeat(1001))).not.toBe('');
});

const shown = (emergency: Emergency) => render(EmergencyAccess, { props: { emergency } }).body;

test('the page says what it is for and on record, and asks for a reason', async () => {
  const { emergency } = server(null);
  expect(shown(emergency)).toContain('One moment');
  await emergency.begin();
  const page = shown(emergency);
  expect(page).toMatch(/life or health/);
  expect(page).toMatch(/put on record/);
  expect(page).toMatch(/facilitators see/);
  expect(page).toMatch(/<textarea[^>]* required/);
  expect(page).not.toContain('Ada Lovelace');
});

test('the page shows how to reach people, until the access is over', async () => {
  const { emergency, edges } = server(HOUR_S);
  edges.people.mockResolvedValueOnce({
    seconds_left: HOUR_S,
    people: [
      ADA,
      {
        ...ADA,
        membership: 'm2',
        legal_name: 'Kim Lee',
        phone: null,
        email: 'kim@example.org',
        confirmed: {
          session_starts_at: '2027-01-05T18:00:00Z',
          confirmed_at: '2027-01-05T17:40:00Z',
          location: '12 Elm Street',
          phone: '+1 555 0102',
          contact_name: 'Byron',
          contact_phone: '+1 555 0103',
          is_private: true,
        },
      },
    ],
  });
  await emergency.begin();
  const page = shown(emergency);
  for (const text of ['Ada Lovelace', 'Kim Lee', '12 Elm Street', 'Byron', 'in 60 minutes', 'No phone number is kept']) {
    expect(page).toContain(text);
  }
  for (const link of ['tel:+15550100', 'tel:+15550102', 'tel:+15550103', 'mailto:kim@example.org']) {
    expect(page).toContain(`href="${link}"`);
  }
  await emergency.end();
  expect(shown(emergency)).toContain('has ended');
  expect(shown(emergency)).not.toContain('Ada Lovelace');
});

test('the page says so when nobody is in the group, and when it could not be asked', async () => {
  const { emergency, edges } = server(HOUR_S);
  edges.people.mockResolvedValueOnce({ seconds_left: HOUR_S, people: [] });
  await emergency.begin();
  expect(shown(emergency)).toContain('Nobody is in this group any more.');

  const unreachable = server(null);
  unreachable.edges.access.mockRejectedValueOnce(new ApiError('unreachable', 'We cannot reach the server.'));
  await unreachable.emergency.begin();
  expect(shown(unreachable.emergency)).toContain('We cannot reach the server.');
  expect(shown(unreachable.emergency)).toContain('Try again');
});
