/** What the pages of groups ask the server for. */
import { ApiError, call, withQuery } from '../api';
import { PREFIX } from '../api/client';
import { hasEnded } from './recurrence';
import type {
  Absence,
  Agreement,
  Ban,
  Confirmation,
  ConfirmationView,
  Contacts,
  DocumentKind,
  ExpectedPerson,
  GivenSignature,
  Group,
  GroupSettings,
  GuestInvitation,
  GuestLink,
  Invitation,
  Invited,
  MakeUpOption,
  Member,
  MyGroup,
  MySession,
  NewSchedule,
  Role,
  Schedule,
  Session,
  SessionAttendance,
  SessionFormat,
  SessionPage,
  SignatureStatus,
} from './types';

export { sentenceOf } from '../api';

export function isCode(error: unknown, code: string): boolean {
  return error instanceof ApiError && error.code === code;
}

/** What someone signs: the version and the SHA-256 of the text that they were shown. */
export interface Signing {
  version: number;
  hash: string;
  typed_name: string;
}

const groupAt = (group: string) => `/groups/${group}`;
const sessionAt = (group: string, session: string) => `/groups/${group}/sessions/${session}`;

// Groups

export async function myGroups(): Promise<MyGroup[]> {
  return (await call<{ groups: MyGroup[] }>('GET', '/groups')).groups;
}

export async function mySessions(days: number): Promise<MySession[]> {
  return (await call<{ sessions: MySession[] }>('GET', withQuery('/sessions', { days }))).sessions;
}

export function getGroup(group: string): Promise<Group> {
  return call('GET', groupAt(group));
}

export function createGroup(
  settings: GroupSettings,
  displayName: string,
  pronouns: string | null,
): Promise<{ id: string }> {
  return call('POST', '/groups', { settings, display_name: displayName, pronouns });
}

export function saveSettings(group: string, settings: GroupSettings): Promise<undefined> {
  return call('PUT', groupAt(group), settings);
}

export function closeGroup(group: string): Promise<undefined> {
  return call('POST', `${groupAt(group)}/close`);
}

export async function sessionFormats(): Promise<SessionFormat[]> {
  return (await call<{ formats: SessionFormat[] }>('GET', '/formats')).formats;
}

// People

export async function membersOf(group: string): Promise<Member[]> {
  return (await call<{ members: Member[] }>('GET', `${groupAt(group)}/members`)).members;
}

export function saveMe(group: string, displayName: string, pronouns: string | null): Promise<undefined> {
  return call('PUT', `${groupAt(group)}/me`, { display_name: displayName, pronouns });
}

export function leaveGroup(group: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/me`);
}

export function changeRole(group: string, member: string, role: Role): Promise<undefined> {
  return call('PUT', `${groupAt(group)}/members/${member}/role`, { role });
}

export function removeMember(group: string, member: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/members/${member}`);
}

export function contactsOf(group: string, member: string): Promise<Contacts> {
  return call('GET', `${groupAt(group)}/members/${member}/contacts`);
}

export async function signaturesOf(group: string, member: string): Promise<GivenSignature[]> {
  const path = `${groupAt(group)}/members/${member}/signatures`;
  return (await call<{ signatures: GivenSignature[] }>('GET', path)).signatures;
}

export async function bansOf(group: string): Promise<Ban[]> {
  return (await call<{ bans: Ban[] }>('GET', `${groupAt(group)}/bans`)).bans;
}

/** `until`: a moment; null: without an end. */
export function keepOut(
  group: string,
  person: string,
  until: string | null,
  remove: boolean,
): Promise<{ id: string }> {
  return call('POST', `${groupAt(group)}/bans`, { person, until, remove });
}

export function liftBan(group: string, ban: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/bans/${ban}`);
}

export async function invitationsOf(group: string): Promise<Invitation[]> {
  const path = `${groupAt(group)}/invitations`;
  return (await call<{ invitations: Invitation[] }>('GET', path)).invitations;
}

export function invite(group: string, email: string | null, role: Role, days: number): Promise<Invited> {
  return call('POST', `${groupAt(group)}/invitations`, { email, role, days });
}

export function revokeInvitation(group: string, invitation: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/invitations/${invitation}`);
}

// Schedule

/** Without those that are over: the server keeps them for the sessions that there were. */
export async function currentSchedules(group: string): Promise<Schedule[]> {
  const { schedules } = await call<{ schedules: Schedule[] }>('GET', `${groupAt(group)}/schedules`);
  return schedules.filter(
    (one) => !hasEnded(one.starts_at, one.time_zone, one.recurrence, new Date()),
  );
}

export function addSchedule(group: string, schedule: NewSchedule): Promise<{ id: string }> {
  return call('POST', `${groupAt(group)}/schedules`, schedule);
}

export function changeSchedule(group: string, id: string, schedule: NewSchedule): Promise<{ id: string }> {
  return call('PUT', `${groupAt(group)}/schedules/${id}`, schedule);
}

export function endSchedule(group: string, id: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/schedules/${id}`);
}

const exceptionAt = ({ group, schedule, occurrence }: Session) =>
  `${groupAt(group)}/schedules/${schedule}/exceptions/${occurrence}`;

/** `movedTo`: on the wall clock of the session's schedule; null: called off. */
export function exceptSession(session: Session, movedTo: string | null): Promise<undefined> {
  return call('PUT', exceptionAt(session), { moved_to: movedTo });
}

export function restoreSession(session: Session): Promise<undefined> {
  return call('DELETE', exceptionAt(session));
}

export async function groupSessions(group: string, days: number): Promise<Session[]> {
  const path = withQuery(`${groupAt(group)}/sessions`, { days });
  return (await call<{ sessions: Session[] }>('GET', path)).sessions;
}

// Sessions

export async function peopleOf(group: string, session: string): Promise<ExpectedPerson[]> {
  return (await call<{ people: ExpectedPerson[] }>('GET', `${sessionAt(group, session)}/people`)).people;
}

export function confirmationOf(group: string, session: string, person: string): Promise<ConfirmationView> {
  return call('GET', `${sessionAt(group, session)}/confirmations/${person}`);
}

export function announceAbsence(group: string, session: string, note: string | null): Promise<undefined> {
  return call('PUT', `${sessionAt(group, session)}/absence`, { note });
}

export function takeBackAbsence(group: string, session: string): Promise<undefined> {
  return call('DELETE', `${sessionAt(group, session)}/absence`);
}

export async function absencesOf(group: string, session: string): Promise<Absence[]> {
  return (await call<{ absences: Absence[] }>('GET', `${sessionAt(group, session)}/absences`)).absences;
}

export async function makeUpOptions(group: string, session: string): Promise<MakeUpOption[]> {
  return (await call<{ options: MakeUpOption[] }>('GET', `${sessionAt(group, session)}/make-ups`)).options;
}

export function chooseMakeUp(
  group: string,
  session: string,
  otherGroup: string,
  otherKey: string,
): Promise<{ absence: string }> {
  return call('PUT', `${sessionAt(group, session)}/make-up`, { group: otherGroup, key: otherKey });
}

export function takeBackMakeUp(group: string, session: string): Promise<undefined> {
  return call('DELETE', `${sessionAt(group, session)}/make-up`);
}

export async function guestLinksOf(group: string, session: string): Promise<GuestLink[]> {
  return (await call<{ links: GuestLink[] }>('GET', `${sessionAt(group, session)}/guest-links`)).links;
}

export function newGuestLink(group: string, session: string): Promise<{ id: string; token: string; expires_at: string }> {
  return call('POST', `${sessionAt(group, session)}/guest-links`);
}

export function revokeGuestLink(group: string, link: string): Promise<undefined> {
  return call('DELETE', `${groupAt(group)}/guest-links/${link}`);
}

/** Moments; the last is not included. */
export interface Period {
  since: string;
  until: string;
  legal_names: boolean;
}

export async function attendanceOf(group: string, period: Period): Promise<SessionAttendance[]> {
  const path = withQuery(`${groupAt(group)}/attendance`, { ...period });
  return (await call<{ sessions: SessionAttendance[] }>('GET', path)).sessions;
}

/** The address of the same as a file; it works while what was asked before still counts as proof. */
export function attendanceFile(group: string, period: Period): string {
  return PREFIX + withQuery(`${groupAt(group)}/attendance.csv`, { ...period });
}

// Documents

export async function documentsOf(group: string): Promise<Agreement[]> {
  return (await call<{ documents: Agreement[] }>('GET', `${groupAt(group)}/documents`)).documents;
}

export function signDocument(group: string, kind: DocumentKind, signing: Signing): Promise<undefined> {
  return call('POST', `${groupAt(group)}/documents/${kind}/signature`, signing);
}

/** `version`: that was edited. */
export function saveDocument(
  group: string,
  kind: string,
  text: string,
  version: number,
): Promise<{ version: number }> {
  return call('PUT', `${groupAt(group)}/documents/${kind}`, { text, version });
}

export function takeDefault(group: string, kind: string): Promise<{ version: number }> {
  return call('POST', `${groupAt(group)}/documents/${kind}/default`);
}

export function signatureStatus(group: string): Promise<SignatureStatus> {
  return call('GET', `${groupAt(group)}/signatures`);
}

// Calendar

export function getCalendar(): Promise<{ created_at: string | null }> {
  return call('GET', '/calendar');
}

export function newCalendar(): Promise<{ path: string }> {
  return call('POST', '/calendar');
}

export function removeCalendar(): Promise<undefined> {
  return call('DELETE', '/calendar');
}

// Guests

export function openGuestLink(token: string): Promise<GuestInvitation> {
  return call('POST', '/guest-links/open', { token });
}

export function comeAsGuest(
  token: string,
  displayName: string,
  pronouns: string | null,
): Promise<SessionPage> {
  return call('POST', '/guest', { token, display_name: displayName, pronouns });
}

/** Hours after a session for which what was confirmed for it is kept. */
export async function keptHours(): Promise<number | null> {
  const { periods } = await call<{ periods: { name: string; value: unknown }[] }>('GET', '/retention');
  const hours = periods.find(({ name }) => name === 'entry_confirmation_hours')?.value;
  return typeof hours === 'number' ? hours : null;
}

// One session, as someone comes to it: as a member, to make up another, or as a guest

export interface Visit {
  page: () => Promise<SessionPage>;
  documents: () => Promise<Agreement[]>;
  sign: (kind: DocumentKind, signing: Signing) => Promise<undefined>;
  confirm: (given: Confirmation & { is_private: boolean }) => Promise<undefined>;
  /** The room, and the pass with which it lets them in. */
  enter: () => Promise<{ room: string; token: string }>;
}

function visitAt(base: string, texts: string): Visit {
  return {
    page: () => call('GET', base),
    documents: async () => (await call<{ documents: Agreement[] }>('GET', texts)).documents,
    sign: (kind, signing) => call('POST', `${texts}/${kind}/signature`, signing),
    confirm: (given) => call('PUT', `${base}/confirmation`, given),
    enter: () => call('POST', `${base}/entry`),
  };
}

export function memberVisit(group: string, session: string): Visit {
  return visitAt(sessionAt(group, session), `${groupAt(group)}/documents`);
}

export function makeUpVisit(absence: string): Visit {
  return visitAt(`/make-ups/${absence}`, `/make-ups/${absence}/documents`);
}

export function guestVisit(): Visit {
  return visitAt('/guest', '/guest/documents');
}
