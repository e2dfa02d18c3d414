/** What is on record, in words. */
import type { AuditEvent } from '../api/accounts';

const ACTIONS: Record<string, string> = {
  'absence.announced': 'Said that they cannot come',
  'absence.withdrawn': 'Said that they can come after all',
  'access.refused': 'Was not let through',
  'account.closed': 'Closed an account',
  'account.created': 'Made an account',
  'account.email_changed': 'Changed an email address',
  'account.email_link_made': 'Asked to have an email address confirmed',
  'account.email_verified': 'Confirmed an email address',
  'account.login': 'Signed in',
  'account.logout': 'Signed out',
  'account.passkey_added': 'Added a passkey',
  'account.passkey_removed': 'Removed a passkey',
  'account.passkey_renamed': 'Renamed a passkey',
  'account.password_changed': 'Changed a password',
  'account.password_link_asked': 'Asked for a link to a new password',
  'account.password_link_made': 'Made a link to a new password',
  'account.password_removed': 'Removed a password',
  'account.profile_changed': 'Changed their name, phone number or time zone',
  'account.recovery_code_used': 'Used a recovery code',
  'account.recovery_codes_made': 'Made new recovery codes',
  'account.rights_changed': 'Changed what an account may do',
  'account.step_up': 'Showed once more who they are',
  'account.totp_confirmed': 'Set up an authenticator app',
  'account.totp_removed': 'Removed an authenticator app',
  'attendance.reported': 'Looked at the attendance',
  'audit.anchor_begun': 'The record’s anchor was begun',
  'audit.anchor_replaced': 'The record’s anchor was replaced',
  'audit.exported': 'Saved the whole record as a file',
  'audit.pruned': 'Old entries of the record were deleted',
  'backup.made': 'Made a backup',
  'backup.restored': 'Restored a backup',
  'ban.lifted': 'Let someone in again',
  'break_glass.ended': 'Ended their emergency access',
  'break_glass.granted': 'Took emergency access to the group',
  'calendar.created': 'Made a calendar link',
  'calendar.revoked': 'Removed a calendar link',
  'confirmation.given': 'Confirmed where they are',
  'document.changed': 'Changed an agreement',
  'document.signed': 'Signed an agreement',
  'group.changed': 'Changed the group’s settings',
  'group.closed': 'Ended the group',
  'group.created': 'Made the group',
  'guest.came': 'Came as a guest',
  'guest_link.created': 'Made a guest link',
  'guest_link.revoked': 'Took back a guest link',
  'guidelines.shown': 'Showed the group an agreement',
  'invitation.made': 'Invited someone',
  'invitation.revoked': 'Took back an invitation',
  'invitation.used': 'Accepted an invitation',
  'keys.resealed': 'Sealed private text with a new key',
  'make_up.chosen': 'Chose a session to make up another',
  'make_up.given_up': 'Gave up making up a session',
  'member.banned': 'Kept someone out',
  'member.joined': 'Joined the group',
  'member.left': 'Left the group',
  'member.removed': 'Removed someone from the group',
  'member.renamed': 'Changed their name in the group',
  'member.role_changed': 'Changed someone’s role',
  'moderation.alert_acknowledged': 'Took note of an alert',
  'moderation.alert_raised': 'Alerted the facilitators',
  'moderation.alert_rose_again': 'Alerted the facilitators once more',
  'moderation.alert_withdrawn': 'Took an alert back',
  'moderation.floor_revoked': 'Took the floor from someone',
  'moderation.forgiven': 'Forgave someone’s interruptions',
  'moderation.format': 'Changed the format of a session',
  'moderation.help_asked': 'Asked for help',
  'moderation.ladder_on': 'Switched automatic nudges and mutes on or off',
  'moderation.muted': 'Muted someone',
  'moderation.muted_everyone': 'Muted everyone',
  'moderation.nudged': 'Reminded someone not to talk over others',
  'moderation.paused': 'Paused a session',
  'moderation.phase': 'Changed the phase of a session',
  'moderation.resumed': 'Went on with a session after a pause',
  'moderation.unmuted': 'Unmuted someone',
  'moderation.unmuted_everyone': 'Unmuted everyone',
  'reminder.sent': 'Sent a reminder',
  'retention.enforced': 'Deleted what was kept long enough',
  'schedule.created': 'Planned sessions',
  'schedule.ended': 'Ended a schedule',
  'session.cancelled': 'Called a session off',
  'session.entered': 'Wanted to come into a session',
  'session.joined': 'Came into a session',
  'session.left': 'Left a session',
  'session.moved': 'Moved a session',
  'session.others_revoked': 'Signed out their other devices',
  'session.removed': 'Sent someone out of a session',
  'session.restored': 'Put a session back to its time',
  'session.revoked': 'Signed out a device',
  'waiting_room.admitted': 'Let someone in from the waiting room',
  'waiting_room.entered': 'Came to the waiting room',
  'waiting_room.turned_away': 'Did not let someone in',
};

/** What can be looked at, by its name in the record. */
const FIELDS: Record<string, string> = {
  'accounts.email': 'email address',
  'accounts.legal_name': 'legal name',
  'accounts.phone': 'phone number',
  'absences.note': 'note about an absence',
  'entry_confirmations.emergency_contact': 'emergency contact',
  'entry_confirmations.location': 'location',
  'entry_confirmations.phone': 'phone number for a session',
  'signatures.typed_name': 'name in a signature',
};

function viewed({ table, fields, break_glass }: AuditEvent['detail']): string {
  const names = Array.isArray(fields) ? fields.filter((one) => typeof one === 'string') : [];
  const seen = names.map((name) => FIELDS[`${String(table)}.${name}`] ?? name);
  const what = seen.length === 0 ? 'Looked at private details' : `Looked at: ${seen.join(', ')}`;
  return break_glass === undefined ? what : `In an emergency: ${what}`;
}

/** What was done; what has no words yet is called as the record calls it. */
export function whatWords({ action, detail }: AuditEvent): string {
  if (action === 'sealed.viewed') return viewed(detail);
  return ACTIONS[action] ?? action;
}

const OUTCOMES: Record<string, string> = { done: 'Done', refused: 'Not allowed', failed: 'Did not work' };

export function outcomeWords(outcome: string): string {
  return OUTCOMES[outcome] ?? outcome;
}

/** Whom the ids of a group's record mean; administrators see ids alone. */
export interface Named {
  people: Record<string, string>;
  administrators: readonly string[];
}

export const NOBODY_NAMED: Named = { people: {}, administrators: [] };

export function whoWords(id: string, { people, administrators }: Named): string {
  if (id === 'system') return 'the server itself';
  if (id === 'operator') return 'who runs the server';
  if (id === 'anonymous') return 'someone not signed in';
  // An administrator may be a member, too: what they did as one or the other is not told apart.
  const name = people[id];
  if (administrators.includes(id)) return name === undefined ? 'an administrator' : `${name} (administrator)`;
  return name ?? id;
}

/** What else is noted, without what `whatWords` says already. */
export function detailWords({ action, detail }: AuditEvent): string {
  const said = action === 'sealed.viewed' ? ['table', 'fields', 'break_glass'] : [];
  return Object.entries(detail)
    .filter(([name]) => !said.includes(name))
    .map(([name, value]) => `${name.replace(/_/g, ' ')}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
