/** Who is in the room: taking over new rosters, and saying in words what changed. */
import type { Participant, Roster } from '../wire/messages';

/** The roster to go by, of two from the same life of the server. */
export function newer(current: Roster | null, next: Roster): Roster {
  return current !== null && next.version < current.version ? current : next;
}

/** The m-line that carries someone's audio (`a`) or camera (`v`). */
export function midOf(kind: 'a' | 'v', slot: number): string {
  return kind + slot.toString(16);
}

export function whoShares(roster: Roster | null): Participant | null {
  return roster?.participants.find((one) => one.screen) ?? null;
}

/**
 * The roster with those added who were here before and may be about to come back, as far as
 * nobody else has taken their place.
 */
export function holding(roster: Roster, held: Participant[], selfId: string | null): Roster {
  const present = new Set(roster.participants.map((one) => one.id));
  const taken = new Set(roster.participants.map((one) => one.slot));
  const waiting = held
    .filter((one) => !present.has(one.id) && !taken.has(one.slot) && one.id !== selfId)
    .map((one): Participant => ({ ...one, screen: false, connection: 'reconnecting' }));
  if (waiting.length === 0) return roster;
  const participants = [...roster.participants, ...waiting].sort((a, b) => a.slot - b.slot);
  return { ...roster, participants };
}

/**
 * What a listener should hear about the step from one roster to the next. Who came and who left
 * is told from the encryption's own list of members, see `e2ee/membership.ts`.
 */
export function changes(before: Roster | null, after: Roster, selfId: string | null): string[] {
  if (before === null) return [];
  const said: string[] = [];
  const earlier = new Map(before.participants.map((one) => [one.id, one]));
  const others = after.participants.filter((one) => one.id !== selfId);
  for (const now of others) {
    const then = earlier.get(now.id);
    if (!then) continue;
    if (then.connection !== now.connection) {
      if (now.connection === 'reconnecting') said.push(`${now.name} lost the connection.`);
      else if (then.connection === 'reconnecting' && now.connection === 'connected')
        said.push(`${now.name} is back.`);
    }
    if (!then.screen && now.screen) said.push(`${now.name} is sharing their screen.`);
    if (then.screen && !now.screen) said.push(`${now.name} stopped sharing their screen.`);
  }
  return said;
}

export function inTheRoom(count: number): string {
  if (count <= 0) return 'Nobody is in the room yet.';
  if (count === 1) return 'One person is in the room.';
  return `${count} people are in the room.`;
}
