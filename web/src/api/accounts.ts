/** What the server answers about accounts; see its API description at /api/docs. Moments are ISO 8601. */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/browser';
import { call, withQuery } from '.';
import type { Factors, Me } from './me';

export type { Factors, Me } from './me';

export type Role = 'participant' | 'facilitator' | 'counselor';
/** How signing in goes on. */
export type Step = 'totp' | 'recovery_code' | 'passkey' | 'set_up';

export interface Next {
  ticket: string | null;
  next: Step[];
}

export interface AskedToMake {
  ticket: string;
  options: PublicKeyCredentialCreationOptionsJSON;
}

export interface AskedToUse {
  ticket: string;
  options: PublicKeyCredentialRequestOptionsJSON;
}

export interface MadePasskey {
  ticket: string;
  credential: RegistrationResponseJSON;
  label?: string;
}

export interface UsedPasskey {
  ticket: string;
  credential: AuthenticationResponseJSON;
}

export interface TotpSecret {
  ticket: string;
  secret: string;
  uri: string;
}

export interface Profile {
  legal_name: string;
  email: string | null;
  phone: string | null;
  time_zone: string | null;
}

export interface Device {
  id: string;
  label: string;
  created_at: string;
  last_seen_at: string;
  current: boolean;
}

export interface Passkey {
  id: string;
  label: string;
  backed_up: boolean;
  created_at: string;
  last_used_at: string | null;
}

export interface InvitedTo {
  group_name: string | null;
  role: Role | null;
  is_administrator: boolean;
  is_facilitator: boolean;
  expires_at: string;
}

/** An administrator's; as a facilitator someone may make groups of their own. */
export interface NewInvitation {
  email: string | null;
  is_administrator: boolean;
  is_facilitator: boolean;
  /** That nobody guides any more. */
  group: string | null;
  days: number;
}

export interface Invited {
  id: string;
  expires_at: string;
  emailed: boolean;
  link: string | null;
}

export interface Invitation {
  id: string;
  group: string | null;
  role: Role | null;
  is_administrator: boolean;
  is_facilitator: boolean;
  created_at: string;
  expires_at: string;
  state: 'open' | 'used' | 'expired' | 'revoked';
}

export interface ListedAccount {
  id: string;
  legal_name: string;
  is_administrator: boolean;
  /** An administrator lets them make groups of their own. */
  is_facilitator: boolean;
  created_at: string;
  closed_at: string | null;
  email_verified: boolean;
  factors: Factors;
}

export interface Newcomer {
  token: string;
  legal_name: string;
  email: string;
  time_zone: string;
  display_name: string | null;
  pronouns: string | null;
}

export interface ListedGroup {
  id: string;
  name: string;
  created_at: string;
  is_closed: boolean;
  members: number;
  facilitators: number;
}

export interface AuditEvent {
  sequence: number;
  time: string;
  actor: string;
  action: string;
  subject: string | null;
  group: string | null;
  outcome: string;
  address: string | null;
  detail: Record<string, unknown>;
}

/** A page of what is on record. */
export interface RecordQuery {
  /** Only entries with lower numbers: the lowest of the page before. */
  before?: number;
  limit: number;
}

/** What is on record of a group, with whom its ids mean. */
export interface GroupRecord {
  events: AuditEvent[];
  /** Chosen names by id. */
  people: Record<string, string>;
  /** Ids of administrators of this server. */
  administrators: string[];
}

/** An administrator's own emergency access to a group. */
export interface EmergencyAccess {
  group_name: string;
  /** null: they have none now. */
  seconds_left: number | null;
}

export interface ReachedPerson {
  membership: string;
  display_name: string;
  role: Role;
  legal_name: string;
  email: string | null;
  phone: string | null;
  /** For the latest session, while it is kept. */
  confirmed:
    | {
        session_starts_at: string;
        confirmed_at: string;
        location: string;
        phone: string;
        contact_name: string;
        contact_phone: string;
        is_private: boolean;
      }
    | null;
}

export interface Verification {
  ok: boolean;
  events: number;
  first: number;
  last: number;
  anchored_through: number;
  findings: { sequence: number; text: string }[];
}

export interface RetentionPeriod {
  name: string;
  value: number;
  description: string;
}

export const signIn = {
  password: (email: string, password: string) => call<Next>('POST', '/sign-in/password', { email, password }),
  totp: (ticket: string, code: string) => call<Me>('POST', '/sign-in/totp', { ticket, code }),
  recoveryCode: (ticket: string, code: string) => call<Me>('POST', '/sign-in/recovery-code', { ticket, code }),
  askForPasskey: () => call<AskedToUse>('POST', '/sign-in/passkey/options'),
  passkey: (proof: UsedPasskey) => call<Me>('POST', '/sign-in/passkey', proof),
};

/** The second factor of an account that has only a password; `ticket` is of its sign-in. */
export const setUp = {
  totp: (ticket: string) => call<TotpSecret>('POST', '/set-up/totp', { ticket }),
  confirmTotp: (ticket: string, totp: { ticket: string; code: string }) =>
    call<Me>('POST', '/set-up/totp/confirm', { ticket, totp }),
  passkey: (ticket: string) => call<AskedToMake>('POST', '/set-up/passkey', { ticket }),
  confirmPasskey: (ticket: string, passkey: MadePasskey) =>
    call<Me>('POST', '/set-up/passkey/confirm', { ticket, passkey }),
};

export const proveAgain = {
  password: (password: string, code: string) => call<Me>('POST', '/step-up/password', { password, code }),
  askForPasskey: () => call<AskedToUse>('POST', '/step-up/passkey/options'),
  passkey: (proof: UsedPasskey) => call<Me>('POST', '/step-up/passkey', proof),
};

export const own = {
  me: () => call<Me>('GET', '/me'),
  profile: () => call<Profile>('GET', '/me/profile'),
  changeProfile: (profile: Omit<Profile, 'email'>) => call('PUT', '/me/profile', profile),
  changeEmail: (email: string) => call('POST', '/me/email', { email }),
  sendVerification: () => call('POST', '/me/email/verification'),
  devices: async () => (await call<{ devices: Device[] }>('GET', '/me/devices')).devices,
  signOutDevice: (id: string) => call('DELETE', `/me/devices/${id}`),
  signOutOthers: () => call('DELETE', '/me/devices'),
  passkeys: async () => (await call<{ passkeys: Passkey[] }>('GET', '/me/passkeys')).passkeys,
  askForNewPasskey: () => call<AskedToMake>('POST', '/me/passkeys/options'),
  addPasskey: (made: MadePasskey) => call<Passkey>('POST', '/me/passkeys', made),
  renamePasskey: (id: string, label: string) => call('PUT', `/me/passkeys/${id}`, { label }),
  removePasskey: (id: string) => call('DELETE', `/me/passkeys/${id}`),
  setPassword: (password: string) => call('PUT', '/me/password', { password }),
  removePassword: () => call('DELETE', '/me/password'),
  totp: () => call<TotpSecret>('POST', '/me/totp'),
  confirmTotp: (ticket: string, code: string) => call('POST', '/me/totp/confirm', { ticket, code }),
  removeTotp: () => call('DELETE', '/me/totp'),
  makeRecoveryCodes: async () => (await call<{ codes: string[] }>('POST', '/me/recovery-codes')).codes,
  close: () => call('POST', '/me/close'),
};

export const byLink = {
  verifyEmail: (token: string) => call('POST', '/email/verify', { token }),
  askForPassword: (email: string) => call('POST', '/password-reset', { email }),
  resetPassword: (token: string, password: string) => call('POST', '/password-reset/confirm', { token, password }),
};

export const invited = {
  look: (token: string) => call<InvitedTo>('POST', '/invitations/look', { token }),
  askForPasskey: (token: string, email: string) =>
    call<AskedToMake>('POST', '/invitations/passkey-options', { token, email }),
  accept: (newcomer: Newcomer, by: { password: string } | { passkey: MadePasskey }) =>
    call<Next>('POST', '/invitations/accept', { ...newcomer, ...by }),
  join: (token: string, display_name: string | null, pronouns: string | null) =>
    call('POST', '/invitations/join', { token, display_name, pronouns }),
};

export const groupRecord = (group: string, query: RecordQuery) =>
  call<GroupRecord>('GET', withQuery(`/groups/${group}/audit`, { ...query }));

export const administration = {
  accounts: (after?: string) =>
    call<{ accounts: ListedAccount[]; next: string | null }>('GET', withQuery('/accounts', { after, limit: 50 })),
  contacts: (id: string) =>
    call<{ legal_name: string; email: string | null; phone: string | null }>('GET', `/accounts/${id}`),
  close: (id: string) => call('POST', `/accounts/${id}/close`),
  setEmail: (id: string, email: string) => call('PUT', `/accounts/${id}/email`, { email }),
  setRights: (id: string, rights: { is_facilitator: boolean }) => call('PUT', `/accounts/${id}/rights`, rights),
  passwordLink: (id: string) =>
    call<{ emailed: boolean; link: string | null }>('POST', `/accounts/${id}/password-reset`),
  invite: (invitation: NewInvitation) => call<Invited>('POST', '/invitations', invitation),
  invitations: async () => (await call<{ invitations: Invitation[] }>('GET', '/invitations')).invitations,
  revoke: (id: string) => call('DELETE', `/invitations/${id}`),
  groups: async () => (await call<{ groups: ListedGroup[] }>('GET', '/administration/groups')).groups,
  closeGroup: (id: string) => call('POST', `/administration/groups/${id}/close`),
  record: (query: RecordQuery & { group?: string }) =>
    call<{ events: AuditEvent[] }>('GET', withQuery('/audit', { ...query })),
  emergency: (group: string) => call<EmergencyAccess>('GET', `/groups/${group}/break-glass`),
  takeEmergency: (group: string, reason: string) =>
    call<{ id: string }>('POST', `/groups/${group}/break-glass`, { reason }),
  endEmergency: (group: string) => call('DELETE', `/groups/${group}/break-glass`),
  peopleInEmergency: (group: string) =>
    call<{ seconds_left: number; people: ReachedPerson[] }>('GET', `/groups/${group}/break-glass/people`),
  verify: () => call<Verification>('GET', '/audit/verification'),
  retention: async () => (await call<{ periods: RetentionPeriod[] }>('GET', '/retention')).periods,
};
