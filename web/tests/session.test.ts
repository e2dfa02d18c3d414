import { describe, expect, it } from 'vitest';
import type { Alert, Floor, Own } from '../src/wire/messages';
import { msLeft } from '../src/session/countdown';
import {
  EMPTY,
  openAlerts,
  roleOf,
  step,
  type AnyEvent,
  type SessionState,
} from '../src/session/state';
import { ownPlace } from '../src/session/words';
import { alert, floor, own, piece, session } from './session-fakes';

/** What comes of several events, all at one time. */
const after = (state: SessionState, ...events: AnyEvent[]) =>
  events.reduce((before, event) => step(before, event, 1_000), state);

const floorIs = (change: Partial<Floor> = {}): AnyEvent => ({ name: 'floor', payload: floor(change) });
const ownIs = (change: Partial<Own> = {}): AnyEvent => ({ name: 'own', payload: own(change) });
const alertIs = (change: Partial<Alert> = {}): AnyEvent => ({ name: 'alert', payload: alert(change) });

describe('the floor', () => {
  it('replaces the one before, with a deadline on the page’s clock', () => {
    const first = after(session(), floorIs({ holder: 'id-1', turn_left_ms: 60_000 }));
    expect(first.turn).toEqual({ runs: true, endsAt: 61_000 });
    const then = step(first, floorIs({ holder: 'id-2', turn_left_ms: null }), 2_000);
    expect(then.floor?.holder).toBe('id-2');
    expect(then.turn).toBeNull();
  });

  it('keeps a standing clock standing', () => {
    const state = after(session(), floorIs({ turn_left_ms: 9_000, turn_runs: false }));
    expect(state.turn && msLeft(state.turn, 500_000)).toBe(9_000);
  });

  it('forgets that the turn ends soon once it is another’s', () => {
    const state = after(
      session(),
      floorIs({ holder: 'id-0' }),
      { name: 'turn_ending_soon', payload: { left_ms: 20_000, text: 'Soon.' } },
    );
    expect(state.endingSoon).toBe(true);
    expect(after(state, floorIs({ holder: 'id-0' })).endingSoon).toBe(true);
    expect(after(state, floorIs({ holder: 'id-1' })).endingSoon).toBe(false);
  });
});

describe('one’s own state', () => {
  it('counts a mute down by the page’s clock', () => {
    const state = after(session(), ownIs({ muted: 'short_mute', muted_left_ms: 8_000, text: 'Why.' }));
    expect(state.muted).toEqual({ runs: true, endsAt: 9_000 });
    expect(after(state, ownIs()).muted).toBeNull();
  });

  it('shows a mute at once, whether or not its state came already', () => {
    const muted: AnyEvent = {
      name: 'muted',
      payload: { reason: 'short_mute', left_ms: 8_000, text: 'Someone was speaking.' },
    };
    expect(after(session(), muted).own).toMatchObject({ muted: 'short_mute' });
    const raised = after(session(), ownIs({ hand_raised: true }), muted);
    expect(raised.own).toMatchObject({ muted: 'short_mute', hand_raised: true });
    const heard = after(raised, { name: 'unmuted', payload: { text: 'You can be heard again.' } });
    expect(heard.own).toMatchObject({ muted: null, text: '', hand_raised: true });
    expect(heard.muted).toBeNull();
    expect(heard.toasts.map((one) => one.text)).toEqual(['You can be heard again.']);
  });

  it('takes an invitation away once it is answered', () => {
    const invited = after(session(), ownIs(), { name: 'invited', payload: { text: 'Glad to hear you.' } });
    expect(invited.invitation).toBe('Glad to hear you.');
    expect(after(invited, ownIs()).invitation).not.toBeNull();
    expect(after(invited, ownIs({ hand_raised: true })).invitation).toBeNull();
    expect(after(invited, ownIs({ holding: true })).invitation).toBeNull();
    expect(after(invited, { name: 'invitation_over', payload: null }).invitation).toBeNull();
  });

  it('keeps an invitation that came while the hand was up', () => {
    const up = after(session(), ownIs({ hand_raised: true }));
    const invited = after(up, { name: 'invited', payload: { text: 'Glad.' } }, ownIs({ hand_raised: true }));
    expect(invited.invitation).toBe('Glad.');
  });

  it('knows its place in words', () => {
    const queue = floorIs({ kind: 'queue', queue: ['id-4', 'id-0'] });
    const inQueue = after(session(), queue, ownIs({ hand_raised: true, place: 2 }));
    expect(ownPlace(inQueue)).toBe('You are second');
    const circle = floorIs({ kind: 'circle', holder: 'id-3', piece: piece(['id-0']) });
    expect(ownPlace(after(session(), circle, ownIs({ place: 1 })))).toBe(
      'The talking piece comes to you next',
    );
    expect(ownPlace(after(session(), circle, ownIs({ holding: true })))).toBeNull();
  });
});

describe('toasts', () => {
  const nudge: AnyEvent = { name: 'nudge', payload: { about: 'share', text: 'Leave some room?' } };

  it('stay about ten seconds if they are nudges', () => {
    expect(after(session(), nudge).toasts).toMatchObject([{ kind: 'nudge', stayMs: 10_000 }]);
  });

  it('are not shown twice, and never more than can be read', () => {
    const twice = after(session(), nudge, nudge);
    expect(twice.toasts).toHaveLength(1);
    const many = [1, 2, 3, 4].map((n): AnyEvent => ({ name: 'word', payload: { text: `Word ${n}.` } }));
    expect(after(twice, ...many).toasts.map((one) => one.text)).toEqual([
      'Word 2.',
      'Word 3.',
      'Word 4.',
    ]);
  });

  it('tell the latest of one’s turn only', () => {
    const state = after(
      session(),
      { name: 'your_turn', payload: { left_ms: 1_000, text: 'Your turn.' } },
      nudge,
      { name: 'turn_ended', payload: { why: 'released', text: 'Thank you.' } },
    );
    expect(state.toasts.map((one) => one.text)).toEqual(['Leave some room?', 'Thank you.']);
  });

  it('go when dismissed', () => {
    const state = after(session(), nudge);
    const id = state.toasts[0]?.id ?? 0;
    expect(after(state, { name: 'toast_over', payload: { id } }).toasts).toEqual([]);
  });
});

describe('help', () => {
  it('goes from asked to seen, with the server’s words', () => {
    const asked = after(session(), { name: 'help_received', payload: { text: 'They know.' } });
    expect(asked.help).toEqual({ state: 'asked', text: 'They know.' });
    const seen = after(asked, { name: 'help_seen', payload: { text: 'Seen.' } });
    expect(seen.help).toEqual({ state: 'seen', text: 'Seen.' });
  });
});

it('keeps the name of someone who left', () => {
  const state = after(session(), { name: 'here', payload: [] });
  expect(state.names['id-1']).toBe('Person 1');
});

describe('alerts', () => {
  it('are replaced by id, and the most pressing come first', () => {
    const state = after(
      session(),
      alertIs({ id: 1, severity: 'info', raised_at: 30 }),
      alertIs({ id: 2, severity: 'urgent', raised_at: 10 }),
      alertIs({ id: 3, severity: 'urgent', raised_at: 20 }),
      alertIs({ id: 1, severity: 'attention', change: 'changed', count: 2, raised_at: 30 }),
    );
    expect(state.alerts.map((one) => one.id)).toEqual([3, 2, 1]);
    expect(state.alerts[2]).toMatchObject({ severity: 'attention', count: 2 });
  });

  it('go to the end once seen, and away once withdrawn', () => {
    const two = after(session(), alertIs({ id: 1 }), alertIs({ id: 2 }));
    const seen = after(
      two,
      alertIs({ id: 2, change: 'acknowledged', acknowledged_by: 'Fay', acknowledged_at: 5 }),
    );
    expect(seen.alerts.map((one) => one.id)).toEqual([1, 2]);
    expect(openAlerts(seen).map((one) => one.id)).toEqual([1]);
    expect(after(seen, alertIs({ id: 1, change: 'withdrawn' })).alerts.map((one) => one.id)).toEqual([2]);
  });
});

describe('joining again', () => {
  const before = after(
    session(),
    floorIs({ holder: 'id-1' }),
    ownIs({ muted: 'short_mute', text: 'Why.' }),
    alertIs(),
    { name: 'nudge', payload: { about: 'share', text: 'Nudge.' } },
    { name: 'invited', payload: { text: 'Glad.' } },
  );
  const again = (id: string) => after(before, { name: 'joined', payload: { id, formats: [] } });

  it('drops what is told piece by piece', () => {
    expect(again('id-0')).toMatchObject({ alerts: [], toasts: [], invitation: null });
  });

  it('shows the floor until the new one takes its place', () => {
    const state = again('id-0');
    expect(state.floor?.holder).toBe('id-1');
    expect(after(state, floorIs({ holder: null })).floor?.holder).toBeNull();
  });

  it('as someone else begins empty', () => {
    const state = again('id-7');
    expect(state).toEqual({ ...EMPTY, selfId: 'id-7' });
  });

  it('knows the role from the roster alone', () => {
    expect(roleOf(session('id-9'))).toBe('facilitator');
    expect(roleOf(session('id-1'))).toBe('participant');
    expect(roleOf(EMPTY)).toBeNull();
  });
});
