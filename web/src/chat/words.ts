/** Chat in words: what each conversation is called, who reads it, and what is spoken of it. */
import type { EncryptionView } from '../e2ee/view';
import { FACILITATORS, ROOM, type ChatEntry, type ConversationId, type Self } from './log';

export interface ConversationWords {
  title: string;
  /** Of the field to write in. */
  label: string;
  send: string;
  /** Who can read what is written. */
  note: string;
  /** While there is nothing to read. */
  empty: string;
}

/** `name` is a participant's, where the conversation is with one. */
export function conversationWords(
  conversation: ConversationId,
  facilitates: boolean,
  name: string,
): ConversationWords {
  if (conversation === ROOM)
    return {
      title: 'Everyone',
      label: 'Write to everyone in the room',
      send: 'Send to everyone',
      note:
        'Only people who are in the room now can read this. It is not kept, and those who come ' +
        'later do not see it.',
      empty: 'Nobody has written to everyone yet.',
    };
  if (conversation !== FACILITATORS)
    return {
      title: name,
      label: `Write privately to ${name}`,
      send: 'Send privately',
      note: `Only ${name} and the facilitators who are here now can read this. It is not kept.`,
      empty: `No messages with ${name} yet.`,
    };
  if (facilitates)
    return {
      title: 'Other facilitators',
      label: 'Write privately to the other facilitators',
      send: 'Send privately',
      note: 'Only the facilitators who are here now can read this. It is not kept.',
      empty: 'No messages among facilitators yet.',
    };
  return {
    title: 'Facilitators',
    label: 'Write privately to the facilitators',
    send: 'Send privately',
    note: 'Only you and the facilitators who are here now can read this. It is not kept.',
    empty:
      'You can write to the facilitators here, about anything. Nobody else sees it, and nobody ' +
      'has to answer at once.',
  };
}

/** Why nothing can be sent at the moment; null where it can. */
export function cannotSend(
  conversation: ConversationId,
  self: Self | null,
  { phase, members }: Pick<EncryptionView, 'phase' | 'members'>,
  name: string,
): string | null {
  if (self === null || phase !== 'secured')
    return 'Your connection is being secured. You can send in a moment.';
  const others = members.filter((one) => one.id !== self.id);
  if (conversation === ROOM)
    return others.length > 0 ? null : 'Nobody else is in the room right now.';
  if (conversation !== FACILITATORS)
    return others.some((one) => one.id === conversation)
      ? null
      : `${name} is not in the room right now.`;
  if (others.some((one) => one.role === 'facilitator')) return null;
  return self.role === 'facilitator'
    ? 'No other facilitator is in the room right now.'
    : 'No facilitator is in the room right now, so nobody could read it.';
}

const MOST_SPOKEN = 200;

/** What a screen reader says of words that came. Private ones are never read aloud. */
export function spoken({ conversation, from, audience, toName, text }: ChatEntry): string {
  if (conversation !== ROOM)
    return audience === 'person' && toName !== null
      ? `A private message from ${from.name} to ${toName}.`
      : `A private message from ${from.name}.`;
  const characters = Array.from(text);
  const said =
    characters.length > MOST_SPOKEN ? `${characters.slice(0, MOST_SPOKEN).join('')}…` : text;
  return `${from.name} wrote to everyone: ${said}`;
}

export const clockTime = (at: number): string =>
  new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
