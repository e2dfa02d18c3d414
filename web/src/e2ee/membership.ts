/** Who should be in the MLS group: what its tree says against what the server's roster says. */
import type { Leaving, Participant } from '../wire/messages';
import { guarded, type Door } from './admissions';
import type { Credential } from './identity';
import type { Member, Warning } from './view';

/** Someone whom the delivery service wants added, and what their key package says itself. */
export interface Inspected {
  /** As the service says. */
  id: string;
  keyPackage: Uint8Array;
  /** Null where the key package is not good. */
  inspected: { id: string; credential: Credential } | null;
}

export interface Decision {
  /** Key packages. */
  add: Uint8Array[];
  /** Leaves. */
  remove: number[];
  warnings: Warning[];
}

type Listed = Pick<Participant, 'id' | 'name' | 'role'>;

/** A leaf and a line of the roster come by different messages, so for a moment they may differ. */
const GRACE_MS = 10_000;

/**
 * What of the service's wishes this page makes a commit of. It adds nobody who is not in the
 * roster as what their own key package says, and takes nobody's leaf who is in the roster, unless
 * the same person gets another. Where a facilitator lets people in, and one is in the group, it
 * adds nobody else than those let in and those who are, or were, in the group.
 */
export function decide(
  members: readonly Member[],
  roster: readonly Listed[],
  due: { add: readonly Inspected[]; remove: readonly Leaving[] },
  ownLeaf: number,
  door: Door,
): Decision {
  const decision: Decision = { add: [], remove: [], warnings: [] };
  const leaving = new Map<string, number>();
  for (const { id, leaf } of due.remove)
    if (leaf !== ownLeaf && members.some((one) => one.leaf === leaf && one.id === id))
      leaving.set(id, leaf);

  const listed = new Map(roster.map((one) => [one.id, one]));
  const coming = new Set<string>();
  for (const { id, keyPackage, inspected } of due.add) {
    const person = listed.get(id);
    if (person === undefined || coming.has(id)) continue;
    const former = members.find((one) => one.id === id);
    if (former !== undefined && !leaving.has(id)) continue;
    const { name, role } = inspected?.credential ?? {};
    if (inspected?.id !== id || name !== person.name || role !== person.role) {
      decision.warnings.push({
        key: `not-let-in:${id}`,
        text:
          `${person.name} was not let in to the encrypted call, because what their page says ` +
          'does not match the list of people. Please ask them to join again.',
      });
      continue;
    }
    // It stays due: the facilitators are asked, and until then nobody makes this commit.
    const isIn = former?.role === role || door.knows({ id, name, role });
    if (guarded(door, members) && !isIn) continue;
    coming.add(id);
    decision.add.push(keyPackage);
  }
  for (const [id, leaf] of leaving)
    if (!listed.has(id) || coming.has(id)) decision.remove.push(leaf);
  return decision;
}

/** Tree against roster over time. */
export class Comparison {
  /** When each thing that may settle by itself was first seen, by its key. */
  #since = new Map<string, number>();

  reset(): void {
    this.#since.clear();
  }

  /** What people should know; `now` in ms. */
  look(
    members: readonly Member[],
    roster: readonly Listed[],
    now: number,
    door: Door,
  ): Warning[] {
    const lasting = new Map<string, number>();
    const warnings: Warning[] = [];
    const afterGrace = (key: string, text: string) => {
      const since = this.#since.get(key) ?? now;
      lasting.set(key, since);
      if (now - since > GRACE_MS) warnings.push({ key, text });
    };
    const listed = new Map(roster.map((one) => [one.id, one]));
    for (const { id, name, role } of members) {
      const person = listed.get(id);
      if (person === undefined) {
        afterGrace(
          `unlisted:${id}`,
          `${name} can hear and read what is shared here, but is not in the list of people. ` +
            'Please tell the facilitator, and compare the safety words.',
        );
        continue;
      }
      if (person.name !== name)
        warnings.push({
          key: `name:${id}`,
          text:
            `The list of people says “${person.name}”, but that person’s own page says ` +
            `“${name}”. Please tell the facilitator, and compare the safety words.`,
        });
      if (person.role !== role)
        warnings.push({
          key: `role:${id}`,
          text:
            `The list of people shows ${name} as ${described(person.role)}, but their own page ` +
            `says ${described(role)}. Please tell the facilitator, and compare the safety words.`,
        });
    }
    const inTree = new Set(members.map((one) => one.id));
    for (const one of roster) {
      if (inTree.has(one.id)) continue;
      afterGrace(
        `waiting:${one.id}`,
        `${one.name} is in the list of people, but cannot hear or be heard yet` +
          (guarded(door, members) && !door.knows(one)
            ? ', since no facilitator has let them in to the encrypted call.'
            : '. If it stays so, please ask them to leave and join again.'),
      );
    }
    this.#since = lasting;
    return warnings;
  }
}

function described(role: Member['role']): string {
  return role === 'facilitator' ? 'a facilitator' : 'a participant';
}

/**
 * Names by id, with numbers where two would look the same: “Ada”, “Ada (2)”. Whoever had a name
 * `before` keeps it, so that nobody who comes takes it over.
 */
export function shownNames(
  members: readonly Member[],
  before: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const shown = new Map<string, string>();
  const taken = new Set<string>();
  const alike = (name: string) =>
    name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim();
  const isOld = (one: Member) => Number(before.has(one.id));
  for (const { id, name } of [...members].sort((a, b) => isOld(b) - isOld(a) || a.leaf - b.leaf)) {
    let unique = before.get(id) ?? name;
    for (let n = 2; taken.has(alike(unique)); n++) unique = `${name} (${n})`;
    taken.add(alike(unique));
    shown.set(id, unique);
  }
  return shown;
}

/** Who came and who went, each as a sentence; someone on another leaf is no news. */
export function comings(
  before: readonly Member[],
  after: readonly Member[],
  selfId: string | null,
): string[] {
  const missingIn = (group: readonly Member[]) => {
    const ids = new Set(group.map((one) => one.id));
    return (one: Member) => one.id !== selfId && !ids.has(one.id);
  };
  return [
    ...after.filter(missingIn(before)).map(({ name }) => `${name} joined.`),
    ...before.filter(missingIn(after)).map(({ name }) => `${name} left.`),
  ];
}
