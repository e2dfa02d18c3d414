import { describe, expect, it } from 'vitest';
import { ChatLog } from '../src/chat/chat.svelte';
import {
  conversationOf,
  conversationsIn,
  EMPTY,
  entriesOf,
  FACILITATORS,
  MOST_ENTRIES,
  ROOM,
  step,
  unreadOf,
  type ChatEvent,
  type ChatState,
  type Self,
} from '../src/chat/log';
import { cannotSend, conversationWords, spoken } from '../src/chat/words';
import type { ChatReceived } from '../src/e2ee/audience';
import type { Member } from '../src/e2ee/view';
import { RequestFailed } from '../src/wire/socket';
import { refuse } from './fakes';

const member = (leaf: number, name: string, role: Member['role'] = 'participant'): Member => ({
  leaf,
  id: `id-${leaf}`,
  name,
  role,
});
const ADA = member(0, 'Ada');
const BEN = member(1, 'Ben');
const FAY = member(8, 'Fay', 'facilitator');
const GUS = member(9, 'Gus', 'facilitator');

const AS_ADA: Self = { id: ADA.id, role: 'participant' };
const AS_FAY: Self = { id: FAY.id, role: 'facilitator' };

const words = (from: Member, change: Partial<ChatReceived> = {}): ChatReceived => ({
  from,
  audience: 'room',
  to: null,
  text: 'Hello.',
  ...change,
});
const came = (from: Member, change: Partial<ChatReceived> = {}): ChatEvent => ({
  name: 'received',
  chat: words(from, change),
  toName: null,
  at: 1_000,
});
const opened = (conversation: string): ChatEvent => ({ name: 'opened', conversation });

const after = (state: ChatState, ...events: ChatEvent[]) => events.reduce(step, state);
const visit = (self: Self, ...events: ChatEvent[]) => after(EMPTY, { name: 'joined', self }, ...events);

describe('where words belong', () => {
  it.each<[Self, ChatReceived, string | null]>([
    [AS_ADA, words(BEN), ROOM],
    [AS_ADA, words(FAY), ROOM],
    [AS_ADA, words(FAY, { audience: 'person', to: ADA.id }), FACILITATORS],
    [AS_FAY, words(ADA, { audience: 'facilitators' }), ADA.id],
    [AS_FAY, words(GUS, { audience: 'person', to: ADA.id }), ADA.id],
    [AS_FAY, words(GUS, { audience: 'facilitators' }), FACILITATORS],
  ])('%o gets %o in %s', (self, chat, conversation) => {
    expect(conversationOf(self, chat)).toBe(conversation);
  });

  it.each<[string, Self, ChatReceived]>([
    ['a participant poses as facilitator', AS_ADA, words(BEN, { audience: 'person', to: ADA.id })],
    ['a participant writes to another one', AS_ADA, words(BEN, { audience: 'facilitators' })],
    ['it is for someone else', AS_ADA, words(FAY, { audience: 'person', to: BEN.id })],
    ['it is among facilitators', AS_ADA, words(FAY, { audience: 'facilitators' })],
    ['a participant writes to one', AS_FAY, words(ADA, { audience: 'person', to: BEN.id })],
    ['it is one’s own', AS_ADA, words(ADA)],
  ])('is nowhere if %s', (_, self, chat) => {
    const before = visit(self);
    expect(step(before, { name: 'received', chat, toName: null, at: 1 })).toBe(before);
  });

  it('is nowhere before one is in the room', () => {
    expect(after(EMPTY, came(BEN))).toBe(EMPTY);
  });
});

describe('what is new', () => {
  it('is counted by conversation until it is on screen', () => {
    const state = visit(
      AS_FAY,
      came(ADA, { audience: 'facilitators' }),
      came(ADA, { audience: 'facilitators' }),
      came(BEN),
    );
    expect(state.unread).toEqual({ [ADA.id]: 2, [ROOM]: 1 });
    expect(unreadOf(after(state, opened(ADA.id)))).toBe(1);
  });

  it('is not what comes while one reads, and is again once one stops', () => {
    const reading = visit(AS_FAY, opened(ROOM), came(BEN));
    expect(reading.unread[ROOM]).toBe(0);
    expect(reading.notices).toEqual([]);
    const elsewhere = after(reading, { name: 'closed', conversation: ROOM }, came(BEN));
    expect(elsewhere.unread[ROOM]).toBe(1);
  });

  it('is told with its words in the room, without them in private', () => {
    const state = visit(AS_ADA, came(BEN), came(FAY, { audience: 'person', to: ADA.id }));
    expect(state.notices).toMatchObject([
      { conversation: ROOM, from: 'Ben', text: 'Hello.' },
      { conversation: FACILITATORS, from: 'Fay', text: null },
    ]);
  });

  it('is told once for each conversation, the latest', () => {
    const state = visit(AS_ADA, came(BEN, { text: 'One.' }), came(FAY, { text: 'Two.' }));
    expect(state.notices).toMatchObject([{ from: 'Fay', text: 'Two.' }]);
    expect(after(state, opened(ROOM)).notices).toEqual([]);
    const id = state.notices[0]?.id ?? 0;
    expect(after(state, { name: 'notice_over', id }).notices).toEqual([]);
  });

  it('is not told of the room to a participant who sees the number at its tab', () => {
    const state = visit(AS_ADA, opened(FACILITATORS), came(BEN));
    expect(state.notices).toEqual([]);
    expect(state.unread[ROOM]).toBe(1);
  });
});

describe('what is kept', () => {
  it('is the latest only', () => {
    const many = Array.from({ length: MOST_ENTRIES + 2 }, (_, n) => came(BEN, { text: `${n}` }));
    const { entries } = visit(AS_ADA, ...many);
    expect(entries).toHaveLength(MOST_ENTRIES);
    expect(entries[0]?.text).toBe('2');
  });

  it('outlives a reconnection and no other visit', () => {
    const state = visit(AS_ADA, came(BEN));
    expect(step(state, { name: 'joined', self: AS_ADA })).toBe(state);
    expect(step(state, { name: 'joined', self: { id: 'id-5', role: 'participant' } })).toEqual({
      ...EMPTY,
      self: { id: 'id-5', role: 'participant' },
    });
    expect(step(state, { name: 'left' })).toEqual(EMPTY);
  });

  it('lists conversations, the latest first', () => {
    const state = visit(
      AS_FAY,
      came(ADA, { audience: 'facilitators' }),
      came(BEN, { audience: 'facilitators' }),
      came(GUS, { audience: 'person', to: ADA.id }),
    );
    expect(conversationsIn(state)).toEqual([ADA.id, BEN.id]);
    expect(entriesOf(state, ADA.id).map((one) => one.from.name)).toEqual(['Ada', 'Gus']);
  });
});

describe('who can be written to', () => {
  const view = (...members: Member[]) => ({ phase: 'secured' as const, members });

  it('is who is in the encrypted group', () => {
    expect(cannotSend(ROOM, AS_ADA, view(ADA, BEN), '')).toBeNull();
    expect(cannotSend(ROOM, AS_ADA, view(ADA), '')).toMatch(/^Nobody else/);
    expect(cannotSend(FACILITATORS, AS_ADA, view(ADA, FAY), '')).toBeNull();
    expect(cannotSend(FACILITATORS, AS_ADA, view(ADA, BEN), '')).toMatch(/^No facilitator/);
    expect(cannotSend(FACILITATORS, AS_FAY, view(ADA, FAY), '')).toMatch(/^No other facilitator/);
    expect(cannotSend(ADA.id, AS_FAY, view(ADA, FAY), 'Ada')).toBeNull();
    expect(cannotSend(ADA.id, AS_FAY, view(FAY, GUS), 'Ada')).toBe('Ada is not in the room right now.');
  });

  it('is nobody while the connection is not secured', () => {
    const view = { phase: 'setting_up' as const, members: [ADA, BEN] };
    expect(cannotSend(ROOM, AS_ADA, view, '')).toMatch(/being secured/);
  });

  it('is named where one writes', () => {
    expect(conversationWords(ROOM, false, '').send).toBe('Send to everyone');
    expect(conversationWords(FACILITATORS, false, '').label).toBe('Write privately to the facilitators');
    expect(conversationWords(ADA.id, true, 'Ada').note).toMatch(/^Only Ada and the facilitators/);
  });
});

/** A chat whose messages wait to be answered. */
function log(self: Self = AS_FAY) {
  const announced: string[] = [];
  const out: { to: unknown[]; done: () => void; fail: (error: Error) => void }[] = [];
  const chat = new ChatLog({
    send: (...to) => new Promise((done, fail) => out.push({ to, done, fail })),
    announce: (text) => announced.push(text),
    nameOf: (id) => [ADA, BEN].find((one) => one.id === id)?.name ?? 'Someone',
  });
  chat.joined(self);
  const last = () => {
    const entry = chat.state.entries.at(-1);
    if (!entry) throw new Error('nothing was written');
    return entry;
  };
  const sending = (at: number) => {
    const one = out[at];
    if (!one) throw new Error(`nothing was sent ${at + 1} times`);
    return one;
  };
  return { chat, announced, out, last, sending };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('what is spoken', () => {
  it('is who wrote, and their words only where everyone reads them', () => {
    const { chat, announced } = log();
    chat.received(words(BEN));
    chat.received(words(ADA, { audience: 'facilitators', text: 'Secret.' }));
    chat.received(words(GUS, { audience: 'person', to: ADA.id, text: 'Secret.' }));
    chat.received(words(ADA, { audience: 'person', to: BEN.id }));
    expect(announced).toEqual([
      'Ben wrote to everyone: Hello.',
      'A private message from Ada.',
      'A private message from Gus to Ada.',
    ]);
  });

  it('does not go on for minutes', () => {
    const { chat, last } = log();
    chat.received(words(BEN, { text: '🌿'.repeat(2_000) }));
    expect(spoken(last())).toBe(`Ben wrote to everyone: ${'🌿'.repeat(200)}…`);
  });
});

describe('writing', () => {
  it.each([
    [ROOM, ['room', null, 'Hi.']],
    [FACILITATORS, ['facilitators', null, 'Hi.']],
    [ADA.id, ['person', ADA.id, 'Hi.']],
  ])('in %s goes where it belongs', (conversation, to) => {
    const { chat, sending, last } = log();
    chat.draft(conversation, ' Hi.');
    chat.write(conversation, ' Hi.\n');
    expect(sending(0).to).toEqual(to);
    expect(last()).toMatchObject({ conversation, text: 'Hi.', from: { own: true }, delivery: 'sending' });
    expect(chat.state.drafts[conversation]).toBe('');
  });

  it('is through once it is through', async () => {
    const { chat, sending, last } = log();
    chat.write(ROOM, 'Hi.');
    sending(0).done();
    await settled();
    expect(last().delivery).toBe('sent');
  });

  it('tells why it was refused, and can be tried again', async () => {
    const { chat, sending, last, announced } = log();
    chat.write(ROOM, 'Hi.');
    sending(0).fail(refuse('too_fast', 'Wait a moment.'));
    await settled();
    expect(last()).toMatchObject({ delivery: 'failed', problem: 'Wait a moment.' });
    expect(announced).toEqual(['Your message was not sent. Wait a moment.']);
    chat.tryAgain(last().id);
    expect(last()).toMatchObject({ delivery: 'sending', problem: null });
    expect(sending(1).to).toEqual(['room', null, 'Hi.']);
    sending(1).done();
    await settled();
    expect(last().delivery).toBe('sent');
    expect(chat.state.entries).toHaveLength(1);
  });

  it('shows nothing technical of a lost connection', async () => {
    const { chat, sending, last } = log();
    chat.write(ROOM, 'Hi.');
    sending(0).fail(new RequestFailed('lost', 'Not connected, so chat was not sent.'));
    await settled();
    expect(last().problem).toBe('It did not get through just now.');
  });

  it('is sent once, however often one tries', () => {
    const { chat, out, last } = log();
    chat.write(ROOM, 'Hi.');
    chat.tryAgain(last().id);
    expect(out).toHaveLength(1);
  });

  it('takes 2,000 characters and no more, and not nothing', () => {
    const { chat, out } = log();
    expect(chat.write(ROOM, ' \n ')).toBeNull();
    expect(chat.write(ROOM, '🌿'.repeat(2_001))).toBeNull();
    expect(chat.write(ROOM, '🌿'.repeat(2_000))).not.toBeNull();
    expect(out).toHaveLength(1);
  });

  it('of an earlier visit says nothing in a later one', async () => {
    const { chat, sending, announced } = log();
    chat.write(ROOM, 'Hi.');
    chat.left();
    chat.joined(AS_FAY);
    chat.write(ROOM, 'Again.');
    sending(0).fail(refuse('too_fast'));
    await settled();
    expect(chat.state.entries).toMatchObject([{ text: 'Again.', delivery: 'sending' }]);
    expect(announced).toEqual([]);
  });
});
