/** What the server answers about groups; see its API description at /api/docs. Moments are ISO 8601. */

export type Role = 'participant' | 'facilitator' | 'counselor';
export type DocumentKind = 'guidelines' | 'confidentiality' | 'telehealth_consent' | 'part2_notice';

export interface Session {
  group: string;
  /** Its name in addresses: the start in UTC, such as 20270105T180000Z. */
  key: string;
  starts_at: string;
  ends_at: string;
  schedule: string;
  /** The start that its schedule's rule gives, on the wall clock. */
  occurrence: string;
  is_cancelled: boolean;
  is_moved: boolean;
}

export interface MySession {
  session: Session;
  group_name: string;
  opens_at: string;
  is_open: boolean;
  is_absent: boolean;
  /** Set if this makes up for another session. */
  absence: string | null;
}

export interface MyGroup {
  id: string;
  name: string;
  role: Role;
  display_name: string;
  is_closed: boolean;
  next: Session | null;
  unsigned: DocumentKind[];
}

export interface GroupSettings {
  name: string;
  purpose: string;
  formats: string[];
  capacity: number;
  guests_allowed: boolean;
  opens_without_facilitator: boolean;
  substance_use: boolean;
  make_ups_allowed: boolean;
  time_zone: string;
}

export interface Group {
  id: string;
  settings: GroupSettings;
  is_closed: boolean;
  me: { id: string; role: Role; display_name: string; pronouns: string | null };
  facilitators: { display_name: string; pronouns: string | null }[];
}

export interface Member {
  id: string;
  display_name: string;
  pronouns: string | null;
  role: Role;
  is_me: boolean;
}

export interface Contacts {
  legal_name: string;
  email: string | null;
  phone: string | null;
}

export interface Ban {
  id: string;
  display_name: string;
  until: string | null;
  created_at: string;
}

export interface Invitation {
  id: string;
  role: Role | null;
  created_at: string;
  expires_at: string;
  state: 'open' | 'used' | 'expired' | 'revoked';
}

export interface Invited {
  id: string;
  expires_at: string;
  emailed: boolean;
  link: string | null;
}

/** Local times, on the wall clock of `time_zone`. */
export interface Schedule {
  id: string;
  starts_at: string;
  time_zone: string;
  recurrence: string | null;
  duration_minutes: number;
}

export type NewSchedule = Omit<Schedule, 'id'>;

export interface SessionPage {
  group_id: string;
  group_name: string;
  /** The group's. */
  time_zone: string;
  session: Session;
  role: Role;
  kind: 'member' | 'guest' | 'make_up';
  display_name: string;
  pronouns: string | null;
  opens_at: string;
  closes_at: string;
  is_open: boolean;
  /** A facilitator has to let them in first. */
  waits: boolean;
  unsigned: DocumentKind[];
  must_confirm: boolean;
  is_confirmed: boolean;
  is_absent: boolean;
  /** Their own, for the facilitators. */
  absence_note: string | null;
  make_up: { group: string; key: string; starts_at: string } | null;
  /** What going in would be refused with now. */
  refusal: { code: string; message: string; unsigned: DocumentKind[] } | null;
}

export interface ExpectedPerson {
  person: string;
  display_name: string;
  pronouns: string | null;
  role: Role;
  kind: 'member' | 'guest' | 'make_up';
  is_absent: boolean;
  unsigned: DocumentKind[];
  is_confirmed: boolean;
  is_present: boolean;
}

export interface Confirmation {
  location: string;
  phone: string;
  contact_name: string;
  contact_phone: string;
}

export interface MakeUpOption {
  group: string;
  group_name: string;
  key: string;
  starts_at: string;
  ends_at: string;
  places: number;
}

export interface Absence {
  person: string;
  display_name: string;
  note: string | null;
  created_at: string;
  makes_up: boolean;
}

export interface GuestLink {
  id: string;
  created_at: string;
  expires_at: string;
  guests: number;
}

export type AttendanceStatus = 'attended' | 'absent_announced' | 'made_up' | 'absent';

export interface SessionAttendance {
  key: string;
  starts_at: string;
  ends_at: string | null;
  people: {
    person: string;
    display_name: string;
    legal_name: string | null;
    role: Role;
    status: AttendanceStatus;
    joined_at: string | null;
    left_at: string | null;
    minutes: number;
  }[];
}

export interface Agreement {
  kind: DocumentKind;
  title: string;
  version: number;
  hash: string;
  text: string;
  created_at: string;
  must_sign: boolean;
  signed_at: string | null;
}

export interface SignatureStatus {
  documents: { kind: DocumentKind; version: number; default_is_newer: boolean }[];
  members: {
    id: string;
    display_name: string;
    role: Role;
    documents: {
      kind: DocumentKind;
      must_sign: boolean;
      signed_at: string | null;
      signed_version: number | null;
    }[];
  }[];
}

export interface GivenSignature {
  kind: DocumentKind;
  version: number;
  typed_name: string;
  signed_at: string;
  hash: string;
}

export interface ConfirmationView extends Confirmation {
  /** Nobody else can hear: they are alone, or wear headphones. */
  is_private: boolean;
  confirmed_at: string;
}

/** A format that sessions may have. */
export interface SessionFormat {
  name: string;
  title: string;
  /** A sentence; may be empty. */
  description: string;
}

/** Where a guest link leads. */
export interface GuestInvitation {
  group_name: string;
  starts_at: string;
  ends_at: string;
}
