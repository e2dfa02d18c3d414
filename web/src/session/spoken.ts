/** What a screen reader should say of an event, in few words; most events need none. */
import { spokenTime } from './countdown';
import { isSameText, nameOf, roleOf, type AnyEvent, type SessionState } from './state';
import { formatTitle, holderLine, PHASES, SEVERITY_WORDS, TEXTS } from './words';

export function spoken(before: SessionState, after: SessionState, event: AnyEvent): string[] {
  switch (event.name) {
    case 'floor':
      return ofFloor(before, after);
    case 'shown_text':
      return ofText(before, after);
    case 'own':
      return ofPlace(before, after);
    case 'muted':
      // The floor tells these to everyone.
      if (event.payload.reason === 'paused' || event.payload.reason === 'all_muted') return [];
      return [
        event.payload.text,
        ...(event.payload.left_ms === null ? [] : [`About ${spokenTime(event.payload.left_ms)}.`]),
      ];
    case 'your_turn':
    case 'turn_ending_soon':
    case 'turn_ended':
    case 'nudge':
    case 'unmuted':
    case 'help_received':
    case 'help_seen':
    case 'invited':
      return [event.payload.text];
    case 'word':
      return [event.payload.text];
    case 'alert': {
      const { change, severity, about_name: name, text } = event.payload;
      if (change !== 'raised' && change !== 'rose_again') return [];
      return [`${SEVERITY_WORDS[severity]}${name === null ? '' : `, ${name}`}: ${text}`];
    }
    default:
      return [];
  }
}

function ofFloor(before: SessionState, after: SessionState): string[] {
  const { floor: then } = before;
  const { floor: now } = after;
  if (now === null || then === null) return [];
  const said: string[] = [];
  const changed = now.phase !== then.phase || now.format !== then.format;
  if (changed) said.push(`${PHASES[now.phase]}, ${formatTitle(after, now)}.`);
  if (now.paused && !then.paused) said.push('Paused. We are taking a quiet moment together.');
  if (!now.paused && then.paused) said.push('The session goes on.');
  if (now.all_muted && !then.all_muted) said.push('All microphones are off for now.');
  if (!now.all_muted && then.all_muted) said.push('Microphones are on again.');
  // One's own turn has its own words.
  const ownTurn = now.holder === after.selfId;
  if (!ownTurn && (now.holder !== then.holder || (changed && now.kind !== then.kind)))
    said.push(`${holderLine(after, now)}.`);
  if (!now.attended && then.attended) said.push('No facilitator is here right now.');
  if (roleOf(after) === 'facilitator')
    for (const id of now.queue)
      if (id !== after.selfId && !then.queue.includes(id))
        said.push(`${nameOf(after, id)} raised a hand.`);
  return said;
}

function ofText({ shown: then }: SessionState, { shown: now }: SessionState): string[] {
  if (isSameText(then, now)) return [];
  if (now !== null) return [`The facilitator shows the ${TEXTS[now.kind]}.`];
  return then === null ? [] : [`The facilitator has taken the ${TEXTS[then.kind]} off the screen.`];
}

function ofPlace(before: SessionState, after: SessionState): string[] {
  const { own: then } = before;
  const { own: now } = after;
  if (then === null || now === null || now.holding) return [];
  if (now.place === 1 && then.place !== null && then.place > 1) return ['You are next.'];
  return [];
}
