/**
 * Whom a page may add to the room's MLS group where a facilitator lets people in: those whom she
 * let in at this page, those of whom another facilitator's page says so, in a message that the
 * server can neither read nor make, and those who were in the group before. With anyone else the
 * facilitators are asked.
 */
import { sessionStore, type Store } from '../call/memory';
import { checkName } from '../call/name';
import { pad, unpad } from './chat';
import type { Role } from './identity';
import type { Member, Question } from './view';

/** What was let in is a key (`id`), under one name and in one role. */
export interface Person {
  id: string;
  name: string;
  role: Role;
}

/** What a facilitator answers when she is asked about someone. */
export interface DoorAnswers {
  letIn(who: Person): void;
  keepOut(who: Person): void;
}

/** What a commit is decided by. */
export interface Door {
  /** Whether a facilitator lets people in; otherwise they come in by themselves. */
  readonly kept: boolean;
  knows(person: Person): boolean;
}

/** What facilitators' pages tell the others'. */
export interface DoorNews {
  let_in: Person[];
  /** Ids. */
  put_out: string[];
}

/** The first byte of the id of a group to which a facilitator lets people in; see delivery.py. */
const FACILITATOR = 1;
/** What the server tells and what the other facilitators tell may cross for so long. */
const GRACE_MS = 3_000;
/** As many as can be let in at once. */
const MAX_NEWS = 64;
/** Of a session with 16 places. */
const MAX_KNOWN = 256;

const isFacilitator = ({ role }: { role: Role }) => role === 'facilitator';

/** Whether someone stands between the server and the group who can be asked. */
export const guarded = (door: Door, members: readonly Member[]): boolean =>
  door.kept && members.some(isFacilitator);

export class Admissions implements Door {
  readonly #place: string;
  readonly #store: Pick<Store, 'getItem' | 'setItem'>;
  #kept = false;
  /** By id, the latest last. */
  #known = new Map<string, Person>();
  /** Taken out of the room, or not let in: nothing that was before counts for them. */
  #out = new Set<string>();
  /** Let in, and not in the group so far. */
  #expected = new Map<string, Person>();
  /** When each who is asked about was first seen, in ms. */
  #since = new Map<string, number>();

  /** It remembers over a reload, and over a new group after the server was restarted. */
  constructor(room: string, store: Pick<Store, 'getItem' | 'setItem'> = sessionStore()) {
    this.#place = `holdspace:admissions:${room}`;
    this.#store = store;
    this.#load();
  }

  get kept(): boolean {
    return this.#kept;
  }

  knows({ id, name, role }: Person): boolean {
    const known = this.#known.get(id);
    return known?.name === name && known.role === role && !this.#out.has(id);
  }

  /** Those who were let in, and whom other pages may have to add. */
  get expected(): Person[] {
    return [...this.#expected.values()];
  }

  /** What to tell these newcomers: a facilitator also, who of the others may be here. */
  newsFor(newcomers: readonly Member[], members: readonly Member[]): DoorNews {
    const known = newcomers.some(isFacilitator) ? members.filter((one) => this.knows(one)) : [];
    const let_in = [...known.map(({ id, name, role }) => ({ id, name, role })), ...this.expected];
    return { let_in: let_in.slice(0, MAX_NEWS), put_out: [] };
  }

  letIn(people: readonly Person[]): void {
    for (const { id, name, role } of people) {
      this.#out.delete(id);
      this.#since.delete(id);
      this.#learn({ id, name, role });
      this.#expected.set(id, { id, name, role });
    }
    this.#save();
  }

  putOut(ids: readonly string[]): void {
    for (const id of ids) {
      this.#known.delete(id);
      this.#expected.delete(id);
      this.#since.delete(id);
      this.#out.add(id);
    }
    this.#save();
  }

  heard({ let_in, put_out }: DoorNews): void {
    this.putOut(put_out);
    this.letIn(let_in);
  }

  /**
   * A new epoch. `before`: who was in the one before it; null for a page that comes in by a Welcome
   * or founds the group. `missed`: it was away when the epoch began.
   *
   * Answers who has come in while no facilitator was in the group who could have let them in.
   */
  begin(
    group: Uint8Array,
    before: readonly Member[] | null,
    members: readonly Member[],
    ownLeaf: number,
    missed = false,
  ): Member[] {
    const isFirst = !this.#kept;
    // Once it was so, no other group changes it: the server chooses their ids.
    this.#kept ||= group[0] === FACILITATOR;
    const self = members.find(({ leaf }) => leaf === ownLeaf);
    const others = members.filter((one) => one !== self);
    // On the first visit, one cannot tell the facilitators from those who say they are.
    const attended = (before ?? others).some(
      (one) => one.id !== self?.id && isFacilitator(one) && (isFirst || this.knows(one)),
    );
    const came = others.filter(
      (one) => !this.knows(one) && before?.some(({ id }) => id === one.id) !== true,
    );
    for (const { id } of members) this.#expected.delete(id);
    if (self !== undefined) this.#learn(self);
    // She is asked about them (see `look`) unless another facilitator's page was there to ask. A
    // Welcome may lead into a group that someone of the server's has made, and all others, too.
    const trusts = attended && (before === null ? isFirst : missed);
    const asks = this.#kept && self?.role === 'facilitator' && !trusts;
    if (!asks) for (const one of came) this.#learn(one);
    this.#save();
    return this.#kept && !asks && before !== null && !attended ? came : [];
  }

  /** What a facilitator who is in the group should be asked; `now` in ms. */
  look(
    members: readonly Member[],
    listed: readonly Person[],
    selfId: string | null,
    now: number,
  ): Question[] {
    const lasting = new Map<string, number>();
    const questions: Question[] = [];
    const ask = ({ id, name, role }: Person, where: Question['where'], text: string) => {
      const since = this.#since.get(id) ?? now;
      lasting.set(id, since);
      if (now - since >= GRACE_MS) questions.push({ id, name, role, where, text });
    };
    const inside = new Set(members.map(({ id }) => id));
    for (const one of this.#kept ? members : [])
      if (one.id !== selfId && !this.knows(one))
        ask(
          one,
          'inside',
          insideWords(one, this.#out.has(one.id)),
        );
    for (const one of this.#kept ? listed : []) {
      if (inside.has(one.id) || one.id === selfId || this.knows(one)) continue;
      if (this.#out.has(one.id))
        ask(one, 'kept_out', `${one.name} is kept out of the encrypted call.`);
      else if (one.role === 'facilitator')
        ask(
          one,
          'outside',
          `The server says that ${one.name} is a facilitator. ` +
            'Let them in to the encrypted call?',
        );
      else
        ask(
          one,
          'outside',
          `The server has let ${one.name} in, but no facilitator has, at least not with this ` +
            'device of theirs. Let them in to the encrypted call?',
        );
    }
    this.#since = lasting;
    return questions;
  }

  #learn({ id, name, role }: Person): void {
    this.#known.delete(id);
    this.#known.set(id, { id, name, role });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  #save(): void {
    const { let_in, put_out } = { let_in: [...this.#known.values()], put_out: [...this.#out] };
    this.#store.setItem(this.#place, JSON.stringify({ kept: this.#kept, let_in, put_out }));
  }

  #load(): void {
    const text = this.#store.getItem(this.#place);
    if (text === null) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    const { kept, ...rest } = isRecord(value) ? value : {};
    const news = newsOf(rest, MAX_KNOWN);
    if (typeof kept !== 'boolean' || news === null) return;
    this.#kept = kept;
    this.#known = new Map(news.let_in.map((one) => [one.id, one]));
    this.#out = new Set(news.put_out);
  }
}

function insideWords({ name, role }: Person, takenOut: boolean): string {
  if (takenOut)
    return `${name} is still in the encrypted call. Please stop, and end the session here.`;
  return (
    `${name} is in the encrypted call, but no facilitator let them in. If you did not expect ` +
    (role === 'facilitator' ? 'them, please stop, and end the session here.' : 'them, take them out.')
  );
}

// --- What goes between pages ------------------------------------------------------------------

/** The plaintext of an MLS application message, padded as chat is. */
export function encodeDoor(news: DoorNews): Uint8Array {
  return pad(new TextEncoder().encode(JSON.stringify({ kind: 'door', ...news })));
}

/** Null where it is none, or not well-formed. */
export function decodeDoor(plaintext: Uint8Array): DoorNews | null {
  const bytes = unpad(plaintext);
  if (bytes === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  const { kind, ...rest } = isRecord(value) ? value : {};
  return kind === 'door' ? newsOf(rest, MAX_NEWS) : null;
}

function newsOf(value: Record<string, unknown>, most: number): DoorNews | null {
  const { let_in, put_out } = value;
  if (Object.keys(value).length !== 2 || !Array.isArray(let_in) || !Array.isArray(put_out))
    return null;
  if (let_in.length > most || put_out.length > most) return null;
  const people = let_in.map(personOf);
  if (!people.every((one) => one !== null) || !put_out.every(isId)) return null;
  return { let_in: people, put_out };
}

function personOf(value: unknown): Person | null {
  if (!isRecord(value) || Object.keys(value).length !== 3) return null;
  const { id, name, role } = value;
  if (!isId(id) || typeof name !== 'string') return null;
  if (role !== 'participant' && role !== 'facilitator') return null;
  const checked = checkName(name);
  return checked.ok && checked.name === name ? { id, name, role } : null;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{22}$/.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
