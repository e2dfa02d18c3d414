/**
 * What was written in the room, as a value: each event makes the next one out of it. It is kept
 * nowhere else. Knows no clock and no DOM; `at` is Unix time in ms.
 */
import type { ChatReceived } from '../e2ee/audience';
import type { Role } from '../e2ee/identity';

/** `ROOM`, `FACILITATORS`, or for a facilitator the id of a participant. */
export type ConversationId = string;
export const ROOM: ConversationId = 'room';
/** For a participant the facilitators; for a facilitator the other ones. */
export const FACILITATORS: ConversationId = 'facilitators';

export type Audience = ChatReceived['audience'];

export interface Self {
  id: string;
  role: Role;
}

export interface ChatEntry {
  id: number;
  conversation: ConversationId;
  from: { id: string; name: string; role: Role; own: boolean };
  audience: Audience;
  /** Of the audience `person`. */
  to: string | null;
  toName: string | null;
  text: string;
  at: number;
  /** Where it is written here: whether it is out. */
  delivery: 'sending' | 'sent' | 'failed';
  /** Why it failed, in a sentence. */
  problem: string | null;
}

/** Tells of the latest words of a conversation that is not on screen. */
export interface Notice {
  /** Of the entry. */
  id: number;
  conversation: ConversationId;
  from: string;
  /** Null where the words are private: someone may be looking over a shoulder. */
  text: string | null;
  stayMs: number;
}

export interface ChatState {
  self: Self | null;
  entries: readonly ChatEntry[];
  unread: Readonly<Record<ConversationId, number>>;
  /** The conversation on screen. */
  open: ConversationId | null;
  drafts: Readonly<Record<ConversationId, string>>;
  /** At most one for each conversation. */
  notices: readonly Notice[];
  lastId: number;
}

export const EMPTY: ChatState = {
  self: null,
  entries: [],
  unread: {},
  open: null,
  drafts: {},
  notices: [],
  lastId: 0,
};

export type ChatEvent =
  | { name: 'joined'; self: Self }
  | { name: 'left' }
  | { name: 'received'; chat: ChatReceived; toName: string | null; at: number }
  | { name: 'wrote'; conversation: ConversationId; text: string; toName: string | null; at: number }
  | { name: 'sent'; id: number }
  | { name: 'failed'; id: number; problem: string }
  | { name: 'tried_again'; id: number }
  | { name: 'drafted'; conversation: ConversationId; text: string }
  | { name: 'opened'; conversation: ConversationId }
  | { name: 'closed'; conversation: ConversationId }
  | { name: 'notice_over'; id: number };

/** A page that stays open for days should not grow for ever. */
export const MOST_ENTRIES = 500;
/** More at once than these cannot be read; the oldest gives way. */
const MOST_NOTICES = 2;
const ROOM_NOTICE_STAYS_MS = 7_000;
const PRIVATE_NOTICE_STAYS_MS = 15_000;

export function step(state: ChatState, event: ChatEvent): ChatState {
  switch (event.name) {
    case 'joined': {
      const { self } = event;
      if (state.self?.id === self.id && state.self.role === self.role) return state;
      // Someone else's visit: nothing of the former one's is theirs.
      return { ...EMPTY, self };
    }
    case 'left':
      return EMPTY;
    case 'received':
      return received(state, event);
    case 'wrote':
      return wrote(state, event);
    case 'sent':
      return changed(state, event.id, { delivery: 'sent', problem: null });
    case 'failed':
      return changed(state, event.id, { delivery: 'failed', problem: event.problem });
    case 'tried_again':
      return changed(state, event.id, { delivery: 'sending', problem: null });
    case 'drafted':
      return { ...state, drafts: { ...state.drafts, [event.conversation]: event.text } };
    case 'opened':
      return {
        ...state,
        open: event.conversation,
        unread: { ...state.unread, [event.conversation]: 0 },
        notices: state.notices.filter((one) => one.conversation !== event.conversation),
      };
    case 'closed':
      return state.open === event.conversation ? { ...state, open: null } : state;
    case 'notice_over':
      return { ...state, notices: state.notices.filter((one) => one.id !== event.id) };
  }
}

/**
 * Where words that came belong; null where they have no place. Private words go to facilitators or
 * come from them: whoever makes a page do otherwise is not listened to.
 */
export function conversationOf(self: Self, chat: ChatReceived): ConversationId | null {
  const { from, audience, to } = chat;
  if (from.id === self.id) return null;
  if (audience === 'room') return ROOM;
  const facilitates = self.role === 'facilitator';
  if (from.role === 'participant')
    return facilitates && audience === 'facilitators' ? from.id : null;
  if (audience === 'facilitators') return facilitates ? FACILITATORS : null;
  if (facilitates) return to;
  return to === self.id ? FACILITATORS : null;
}

/** To whom words of a conversation go. */
export function audienceOf(conversation: ConversationId): { audience: Audience; to: string | null } {
  if (conversation === ROOM) return { audience: 'room', to: null };
  if (conversation === FACILITATORS) return { audience: 'facilitators', to: null };
  return { audience: 'person', to: conversation };
}

function received(
  state: ChatState,
  { chat, toName, at }: Extract<ChatEvent, { name: 'received' }>,
): ChatState {
  const { self } = state;
  const conversation = self && conversationOf(self, chat);
  if (conversation === null) return state;
  const { id, name, role } = chat.from;
  const next = withEntry(state, {
    conversation,
    from: { id, name, role, own: false },
    audience: chat.audience,
    to: chat.to,
    toName,
    text: chat.text,
    at,
    delivery: 'sent',
    problem: null,
  });
  if (state.open === conversation) return next;
  const unread = { ...state.unread, [conversation]: (state.unread[conversation] ?? 0) + 1 };
  // A participant with the other conversation on screen sees the number at the room's tab.
  const inView = conversation === ROOM && self?.role === 'participant' && state.open !== null;
  if (inView) return { ...next, unread };
  const notice: Notice = {
    id: next.lastId,
    conversation,
    from: name,
    text: conversation === ROOM ? chat.text : null,
    stayMs: conversation === ROOM ? ROOM_NOTICE_STAYS_MS : PRIVATE_NOTICE_STAYS_MS,
  };
  const others = state.notices.filter((one) => one.conversation !== conversation);
  return { ...next, unread, notices: [...others, notice].slice(-MOST_NOTICES) };
}

function wrote(
  state: ChatState,
  { conversation, text, toName, at }: Extract<ChatEvent, { name: 'wrote' }>,
): ChatState {
  const { self } = state;
  if (self === null) return state;
  const next = withEntry(state, {
    conversation,
    from: { ...self, name: 'You', own: true },
    ...audienceOf(conversation),
    toName,
    text,
    at,
    delivery: 'sending',
    problem: null,
  });
  return { ...next, drafts: { ...state.drafts, [conversation]: '' } };
}

function withEntry(state: ChatState, entry: Omit<ChatEntry, 'id'>): ChatState {
  const id = state.lastId + 1;
  const entries = [...state.entries, { ...entry, id }].slice(-MOST_ENTRIES);
  return { ...state, entries, lastId: id };
}

function changed(state: ChatState, id: number, change: Partial<ChatEntry>): ChatState {
  const entries = state.entries.map((one) => (one.id === id ? { ...one, ...change } : one));
  return { ...state, entries };
}

export function unreadOf(state: ChatState): number {
  return Object.values(state.unread).reduce((sum, count) => sum + count, 0);
}

export function entriesOf(state: ChatState, conversation: ConversationId): ChatEntry[] {
  return state.entries.filter((one) => one.conversation === conversation);
}

/** Those in which something was written, the latest first. */
export function conversationsIn(state: ChatState): ConversationId[] {
  return [...new Set([...state.entries].reverse().map((one) => one.conversation))];
}
