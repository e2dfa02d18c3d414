/** What a link invites to, in a sentence. */
import type { InvitedTo } from '../api/accounts';

export function invitationWords({ group_name, role, is_administrator, is_facilitator }: InvitedTo): string {
  if (group_name === null) {
    if (is_administrator && is_facilitator)
      return 'You are invited to this server as an administrator and facilitator: to run it, and to make groups of your own.';
    if (is_administrator) return 'You are invited to this server as an administrator: to set it up and run it.';
    if (is_facilitator)
      return 'You are invited to this server as a facilitator: you make an account, and then groups of your own.';
    return 'You are invited to make an account on this server.';
  }
  const group = `the group “${group_name}”`;
  switch (role) {
    case 'facilitator':
      return `You are invited to ${group}, to guide it as a facilitator.`;
    case 'counselor':
      return `You are invited to ${group}, to be there as a counselor.`;
    default:
      return `You are invited to take part in ${group}.`;
  }
}
