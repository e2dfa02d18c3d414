/** Whom words are for: sealed so that they alone can read them, and told from what was sealed. */
import type { Chat } from '../wire/messages';
import { RequestFailed } from '../wire/socket';
import { encodePrivate, encodeRoom, type ChatText } from './chat';
import type { EpochState, Group } from './group';
import type { Member } from './view';

export type Audience = Chat['audience'];

export interface ChatReceived {
  from: Member;
  audience: Audience;
  to: string | null;
  text: string;
}

/** An MLSMessage. Rejects with RequestFailed where nobody could read it, or too many should. */
export async function sealFor(
  audience: Audience,
  to: string | null,
  text: string,
  group: Group,
  { members, ownLeaf }: EpochState,
): Promise<Uint8Array> {
  if (audience === 'room') return group.write(encodeRoom(text));
  const readers = members.filter(
    (one) => one.leaf !== ownLeaf && (one.role === 'facilitator' || one.id === to),
  );
  if (readers.length === 0 || (to !== null && !readers.some((one) => one.id === to)))
    throw new RequestFailed('refused', 'Nobody who could read this is here right now.');
  try {
    return await group.write(await encodePrivate(group, readers, text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RequestFailed(
      'refused',
      'This is too long to be sent to so many people privately. Please send it in parts.',
    );
  }
}

/** Whom it was for is what its writer sealed into it, not what the server says. */
export function asReceived(
  from: Member,
  chat: ChatText,
  members: readonly Member[],
): ChatReceived {
  const { text } = chat;
  if (chat.kind === 'room') return { from, audience: 'room', to: null, text };
  if (from.role !== 'facilitator') return { from, audience: 'facilitators', to: null, text };
  const roles = new Map(members.map((one) => [one.id, one.role]));
  const to = chat.to.find((id) => roles.get(id) === 'participant') ?? null;
  return { from, audience: to !== null ? 'person' : 'facilitators', to, text };
}
