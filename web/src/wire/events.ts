/** What the session's moderation tells a page, each event checked for what the page builds on. */
import type * as wire from './messages';

export interface SessionEvents {
  floor: wire.Floor;
  shown_text: wire.ShownText;
  own: wire.Own;
  your_turn: wire.YourTurn;
  turn_ending_soon: wire.TurnEndingSoon;
  turn_ended: wire.TurnEnded;
  nudge: wire.Nudge;
  muted: wire.Muted;
  unmuted: wire.Unmuted;
  invited: wire.Invited;
  own_share: wire.OwnShare;
  help_received: wire.HelpReceived;
  help_seen: wire.HelpSeen;
  people: wire.People;
  alert: wire.Alert;
}
export type SessionEventName = keyof SessionEvents;

export type SessionEvent = {
  [Name in SessionEventName]: { name: Name; payload: SessionEvents[Name] };
}[SessionEventName];

type Value = Record<string, unknown>;

export function isRecord(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const text = (value: Value) => typeof value.text === 'string';
const number = (value: unknown) => typeof value === 'number';
const strings = (value: unknown) =>
  Array.isArray(value) && value.every((one: unknown) => typeof one === 'string');
const orNull = (value: unknown, type: 'number' | 'string') =>
  value === null || typeof value === type;
const figures = (value: unknown) => isRecord(value) && number(value.share) && number(value.talk_s);

const HOLDS: Record<SessionEventName, (value: Value) => boolean> = {
  floor: (value) =>
    typeof value.phase === 'string' &&
    typeof value.format === 'string' &&
    typeof value.kind === 'string' &&
    orNull(value.holder, 'string') &&
    orNull(value.turn_left_ms, 'number') &&
    strings(value.queue) &&
    (value.piece === null || (isRecord(value.piece) && strings(value.piece.waiting))),
  shown_text: ({ shown }) =>
    shown === null ||
    (isRecord(shown) &&
      typeof shown.kind === 'string' &&
      typeof shown.title === 'string' &&
      typeof shown.by === 'string' &&
      text(shown)),
  own: (value) =>
    typeof value.holding === 'boolean' &&
    typeof value.hand_raised === 'boolean' &&
    orNull(value.muted, 'string') &&
    orNull(value.muted_left_ms, 'number') &&
    (value.help === 'none' || value.help === 'asked' || value.help === 'seen') &&
    text(value),
  your_turn: text,
  turn_ending_soon: text,
  turn_ended: text,
  nudge: text,
  muted: (value) => typeof value.reason === 'string' && text(value),
  unmuted: text,
  invited: text,
  own_share: (value) => number(value.share) && number(value.fair_share) && text(value),
  help_received: text,
  help_seen: text,
  people: (value) =>
    Array.isArray(value.people) &&
    value.people.every(
      (one: unknown) =>
        isRecord(one) &&
        typeof one.id === 'string' &&
        orNull(one.person, 'string') &&
        figures(one.session) &&
        figures(one.recent),
    ) &&
    number(value.gini) &&
    strings(value.suggested),
  alert: (value) =>
    number(value.id) &&
    typeof value.severity === 'string' &&
    number(value.raised_at) &&
    orNull(value.about_person, 'string') &&
    isRecord(value.evidence) &&
    text(value),
};

export const SESSION_EVENTS = Object.keys(HOLDS) as SessionEventName[];

/** Whether an event is whole enough to be shown. */
export function fits(name: SessionEventName, payload: unknown): boolean {
  return isRecord(payload) && HOLDS[name](payload);
}
