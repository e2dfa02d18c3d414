/** What the delivery service of the room's MLS group tells a page, checked for what it builds on. */
import type * as wire from './messages';
import { isRecord } from './events';

export interface GroupEvents {
  commit_due: wire.CommitDue;
  found_group: wire.FoundGroup;
  committed: wire.Committed;
  group_welcome: wire.GroupWelcome;
  chat_message: wire.ChatMessage;
}

export type GroupEventName = keyof GroupEvents;

export type GroupEvent = {
  [Name in GroupEventName]: { name: Name; payload: GroupEvents[Name] };
}[GroupEventName];

const octets = (value: unknown) => value instanceof Uint8Array;
const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const list = (value: unknown, holds: (one: Record<string, unknown>) => boolean) =>
  Array.isArray(value) && value.every((one: unknown) => isRecord(one) && holds(one));

const HOLDS: Record<GroupEventName, (value: Record<string, unknown>) => boolean> = {
  commit_due: (value) =>
    octets(value.group) &&
    count(value.epoch) &&
    list(value.add, (one) => typeof one.id === 'string' && octets(one.key_package)) &&
    list(value.remove, (one) => typeof one.id === 'string' && count(one.leaf)),
  found_group: (value) => octets(value.group),
  committed: (value) => octets(value.group) && count(value.epoch) && octets(value.commit),
  group_welcome: (value) => octets(value.group) && octets(value.welcome),
  chat_message: (value) => typeof value.sender === 'string' && octets(value.message),
};

export const GROUP_EVENTS = Object.keys(HOLDS) as GroupEventName[];

export function fitsGroup(name: GroupEventName, payload: unknown): boolean {
  return isRecord(payload) && HOLDS[name](payload);
}

export function isStanding(value: unknown): value is wire.GroupStanding {
  return (
    isRecord(value) &&
    octets(value.group) &&
    ['founder', 'member', 'waiting'].includes(String(value.standing)) &&
    Array.isArray(value.commits) &&
    value.commits.every(octets)
  );
}
