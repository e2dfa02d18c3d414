/** What things are called on the pages of groups. */
import type { AttendanceStatus, Invitation, Role } from './types';

export const ROLE_NAMES: Record<Role, string> = {
  participant: 'participant',
  facilitator: 'facilitator',
  counselor: 'counselor',
};

export const STATUS_NAMES: Record<AttendanceStatus, string> = {
  attended: 'Was there',
  absent_announced: 'Absent, announced',
  made_up: 'Made up elsewhere',
  absent: 'Absent',
};

export const INVITATION_STATES: Record<Invitation['state'], string> = {
  open: 'not used yet',
  used: 'used',
  expired: 'expired',
  revoked: 'taken back',
};
