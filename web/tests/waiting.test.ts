import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { howManyWait, LONGEST_WORD, NOT_NOW, waited } from '../src/ui/waiting/words';
import type { WaitingPerson } from '../src/wire/messages';
import { isWaitingRoom } from '../src/wire/socket';
import { joined, refuse, settle, Stage } from './fakes';

let stage: Stage;

beforeEach(() => {
  vi.useFakeTimers();
  stage = new Stage();
});

afterEach(() => {
  stage.call.dispose();
  vi.useRealTimers();
});

const ticks = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const SOON = 'The facilitator will let you in soon.';

/** At the door of a group's session, as Ada, who waits. */
async function wait(): Promise<void> {
  stage.call.start();
  await stage.letIn({ name: 'Ada', waits: true });
  stage.call.join('Ada');
  await settle();
  await stage.request('knock').ok({ ok: true });
  stage.listener.waiting({ attended: true, text: SOON });
}

function waiting(id: string, name: string): WaitingPerson {
  return {
    id,
    person: `membership-${id}`,
    mls_id: `key-of-${id}`,
    name,
    pronouns: null,
    role: 'participant',
    kind: 'member',
    waited_ms: 60_000,
    away: false,
    signed: true,
    confirmed: true,
  };
}

describe('in the waiting room', () => {
  it('knocks instead of joining, and says how things stand', async () => {
    await wait();
    expect(stage.state).toMatchObject({ phase: 'waiting', waitingFor: SOON });
    expect(stage.asked).toEqual([]);
    expect(stage.announced).toEqual([SOON]);
    stage.listener.waiting({ attended: true, text: SOON });
    expect(stage.announced).toEqual([SOON]);
  });

  it('joins once let in', async () => {
    await wait();
    stage.listener.letInside();
    await stage.reenter(joined());
    expect(stage.state).toMatchObject({ phase: 'room', waitingFor: '', link: 'connected' });
  });

  it('joins at once where nobody has to let them in', async () => {
    stage.call.start();
    await stage.letIn({ name: 'Ada', waits: true });
    stage.call.join('Ada');
    await settle();
    const knock = stage.request('knock');
    stage.listener.letInside();
    await knock.ok({ ok: true });
    await stage.reenter(joined());
    expect(stage.state.phase).toBe('room');
  });

  it('does not go in for someone who went away in the meantime', async () => {
    await wait();
    void stage.call.leave();
    stage.listener.letInside();
    await settle();
    expect(stage.state).toMatchObject({ phase: 'ended', end: { code: 'left' } });
    expect(stage.asked.map((one) => one.name)).toEqual(['leave']);
  });

  it('knocks again by itself after a lost connection', async () => {
    await wait();
    stage.drop();
    expect(stage.state).toMatchObject({ phase: 'waiting', online: false });
    await ticks(300);
    await stage.letIn({ name: 'Ada', waits: true });
    await stage.request('knock').ok({ ok: true });
    expect(stage.state.phase).toBe('waiting');
  });

  it('goes straight in if it was let in while the connection was lost', async () => {
    await wait();
    stage.drop();
    await ticks(300);
    await stage.letIn({ name: 'Ada', waits: false });
    await stage.reenter(joined());
    expect(stage.state.phase).toBe('room');
  });

  it('ends kindly when turned away, and can ask again', async () => {
    await wait();
    stage.listener.removed({ code: 'turned_away', message: NOT_NOW[0] });
    expect(stage.state.end).toEqual({ code: 'turned_away', message: NOT_NOW[0], retry: true });
    expect(stage.media.stopped).toBe(1);
    stage.call.again();
    await stage.letIn({ name: 'Ada', waits: true });
    expect(stage.request('knock').payload).toEqual({ mls_id: 'own-key' });
  });

  it('ends for good when kept out', async () => {
    await stage.enter();
    stage.listener.removed({ code: 'kept_out', message: 'Not in this session.' });
    expect(stage.state.end).toMatchObject({ code: 'kept_out', retry: false });
  });

  it('ends when the group does not let them in at all', async () => {
    stage.call.start();
    await stage.letIn({ name: 'Ada', waits: true });
    stage.call.join('Ada');
    await settle();
    await stage.request('knock').fail(refuse('may_not_enter', 'Please sign first.'));
    expect(stage.state.end).toEqual({
      code: 'may_not_enter',
      message: 'Please sign first.',
      retry: false,
    });
  });

  it('knocks when it turns out that it has to', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    await stage.request('join').fail(refuse('not_let_in'));
    await stage.request('knock').ok({ ok: true });
    stage.listener.waiting({ attended: false, text: SOON });
    expect(stage.state.phase).toBe('waiting');
  });

  it('leads out of the room for whoever has to be let in anew', async () => {
    await stage.enter();
    const { peer } = stage;
    stage.drop();
    await ticks(300);
    await stage.letIn({ name: 'Ada', waits: true });
    expect(peer.closed).toBe(true);
    expect(stage.encryption.heard.at(-1)).toBe('left');
    await stage.request('knock').ok({ ok: true });
    stage.listener.waiting({ attended: true, text: SOON });
    expect(stage.state).toMatchObject({ phase: 'waiting', roster: null, selfId: null });
  });
});

describe('a name that the group gave', () => {
  it('is the one that joins, whatever was typed', async () => {
    stage.call.start();
    await stage.letIn({ name: 'Ada', waits: false });
    stage.call.join('Somebody else');
    await settle();
    expect(stage.request('join').payload).toMatchObject({ name: 'Ada' });
  });
});

describe('for facilitators', () => {
  it('shows who waits, and announces each of them once', async () => {
    await stage.enter();
    stage.announced.length = 0;
    stage.listener.waitingRoom({ people: [waiting('a', 'Ada')] });
    stage.listener.waitingRoom({ people: [waiting('a', 'Ada'), waiting('b', 'Ben')] });
    expect(stage.announced).toEqual([
      'Ada is waiting to be let in.',
      'Ben is waiting to be let in.',
    ]);
    expect(stage.state.waitingRoom.map((one) => one.name)).toEqual(['Ada', 'Ben']);
    expect(performance.now() - (stage.state.waitingRoom[0]?.since ?? 0)).toBeCloseTo(60_000);
    stage.listener.waitingRoom({ people: [] });
    expect(stage.state.waitingRoom).toEqual([]);
  });

  it('tells the encryption which keys they let in, before the server hears of it', async () => {
    await stage.enter();
    stage.listener.waitingRoom({ people: [waiting('a', 'Ada'), waiting('b', 'Ben')] });
    // Ben has come on another device since.
    const moved = { ...waiting('b', 'Ben'), mls_id: 'another-key' };
    stage.listener.waitingRoom({ people: [waiting('a', 'Ada'), moved] });
    void stage.call.ask('admit', { who: ['b', 'gone'] });
    expect(stage.encryption.heard.at(-1)).toEqual([
      'letIn',
      { id: 'another-key', name: 'Ben', role: 'participant' },
    ]);
    expect(stage.request('admit').payload).toEqual({ who: ['b', 'gone'] });
    void stage.call.ask('remove_person', { who: 'id-1', keep_out: false });
    expect(stage.encryption.heard.at(-1)).toEqual(['putOut', 'id-1']);
  });

  it('takes in only what it can show', () => {
    expect(isWaitingRoom({ people: [waiting('a', 'Ada')] })).toBe(true);
    expect(isWaitingRoom({ people: [{ ...waiting('a', 'Ada'), name: 3 }] })).toBe(false);
    expect(isWaitingRoom({ people: [{ ...waiting('a', 'Ada'), mls_id: null }] })).toBe(false);
    expect(isWaitingRoom({ people: null })).toBe(false);
  });
});

describe('words', () => {
  it('count those who wait', () => {
    expect(howManyWait(1)).toBe('1 person is waiting');
    expect(howManyWait(2)).toBe('2 people are waiting');
  });

  it('say for how long', () => {
    expect(waited(59_000)).toBe('just came');
    expect(waited(125_000)).toBe('waiting for 2 min');
  });

  it('offered to be sent are short enough', () => {
    for (const words of NOT_NOW) expect(words.length).toBeLessThanOrEqual(LONGEST_WORD);
  });
});
