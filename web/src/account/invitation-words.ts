/** What a link invites to, in a sentence. */
import type { InvitedTo } from '../api/accounts';

export function invitationWords({ group_name, role, is_administrator }: InvitedTo): string {
  const group = group_name === null ? null : `the group “${group_name}”`;
  if (is_administrator) {
    const also = group === null ? '' : ` and to join ${group}`;
    return `You are invited to make an account as an administrator of this server${also}.`;
  }
  if (group === null) return 'You are invited to make an account on this server.';
  switch (role) {
    case 'facilitator':
      return `You are invited to ${group}, to guide it as a facilitator.`;
    case 'counselor':
      return `You are invited to ${group}, to be there as a counselor.`;
    default:
      return `You are invited to take part in ${group}.`;
  }
}
