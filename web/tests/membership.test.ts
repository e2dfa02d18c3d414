import { describe, expect, it } from 'vitest';
import type { Door } from '../src/e2ee/admissions';
import { comings, Comparison, decide, shownNames, type Inspected } from '../src/e2ee/membership';
import type { Member } from '../src/e2ee/view';

const member = (leaf: number, id: string, change: Partial<Member> = {}): Member => ({
  leaf,
  id,
  name: `Name of ${id}`,
  role: 'participant',
  ...change,
});

const listed = (id: string) => member(0, id);

const OPEN: Door = { kept: false, knows: () => false };
/** A facilitator lets people in, and has let in these. */
const kept = (...people: Member[]): Door => ({
  kept: true,
  knows: ({ id, name, role }) =>
    people.some((one) => one.id === id && one.name === name && one.role === role),
});

const applicant = (id: string, says: Partial<Member> = {}): Inspected => {
  const { id: signed, name, role } = member(0, id, says);
  const keyPackage = new TextEncoder().encode(id);
  return { id, keyPackage, inspected: { id: signed, credential: { name, role } } };
};

describe('decide', () => {
  const members = [member(0, 'self'), member(1, 'ada'), member(2, 'ben')];
  const roster = ['self', 'ada', 'ben', 'cyd'].map(listed);
  const cyd = applicant('cyd');
  const of = (add: Inspected[], remove: { id: string; leaf: number }[], people = roster) =>
    decide(members, people, { add, remove }, 0, OPEN);

  it('adds who is in the roster, by what their own key package says', () => {
    expect(of([cyd], [])).toEqual({ add: [cyd.keyPackage], remove: [], warnings: [] });
    expect(of([cyd, cyd], []).add).toHaveLength(1);
  });

  it('does not add who is not in the roster, and says nothing: it may be on its way', () => {
    expect(of([applicant('dee')], [])).toEqual({ add: [], remove: [], warnings: [] });
  });

  it('does not add someone in the place of someone else, and warns', () => {
    for (const wrong of [
      applicant('cyd', { id: 'mal' }),
      applicant('cyd', { name: 'Somebody' }),
      applicant('cyd', { role: 'facilitator' }),
      { ...cyd, inspected: null },
    ]) {
      const { add, remove, warnings } = of([wrong], []);
      expect([add, remove]).toEqual([[], []]);
      expect(warnings.map(({ key }) => key)).toEqual(['not-let-in:cyd']);
      expect(warnings[0]?.text).toContain('Name of cyd');
    }
  });

  it('removes who is no longer in the roster', () => {
    const rest = roster.filter(({ id }) => id !== 'ben');
    expect(of([], [{ id: 'ben', leaf: 2 }], rest).remove).toEqual([2]);
  });

  it('does not remove who is in the roster, nor itself, nor another leaf than the named', () => {
    expect(of([], [{ id: 'ben', leaf: 2 }]).remove).toEqual([]);
    const nobody = roster.slice(0, 0);
    expect(of([], [{ id: 'self', leaf: 0 }], nobody).remove).toEqual([]);
    expect(of([], [{ id: 'ben', leaf: 1 }], nobody).remove).toEqual([]);
    expect(of([], [{ id: 'ben', leaf: 5 }], nobody).remove).toEqual([]);
  });

  it('replaces a leaf by one of the same person', () => {
    const again = applicant('ben');
    const old = { id: 'ben', leaf: 2 };
    expect(of([again], [old])).toEqual({ add: [again.keyPackage], remove: [2], warnings: [] });
    // Only both together: nobody is in the tree twice, and nobody falls out of it.
    expect(of([again], [])).toMatchObject({ add: [], remove: [] });
    const wrong = applicant('ben', { name: 'Somebody' });
    expect(of([wrong], [old])).toMatchObject({ add: [], remove: [] });
  });
});

describe('decide, where a facilitator lets people in', () => {
  const fay = member(1, 'fay', { role: 'facilitator' });
  const [self, ada] = [member(0, 'self'), member(2, 'ada')];
  const roster = [self, fay, ada, listed('cyd'), listed('dee')];
  const [cyd, dee] = [applicant('cyd'), applicant('dee')];
  const of = (
    members: Member[],
    add: Inspected[],
    door: Door,
    remove: { id: string; leaf: number }[] = [],
    people = roster,
  ) => decide(members, people, { add, remove }, 0, door);

  it('adds who was let in, and leaves out the others without a word', () => {
    expect(of([self, fay, ada], [cyd, dee], kept(listed('dee')))).toEqual({
      add: [dee.keyPackage],
      remove: [],
      warnings: [],
    });
  });

  it('is the same for the facilitator’s own page', () => {
    const own = { ...fay, leaf: 0 };
    expect(of([own, ada], [cyd], kept()).add).toEqual([]);
    expect(of([own, ada], [cyd], kept(listed('cyd'))).add).toEqual([cyd.keyPackage]);
  });

  it('takes no other key, name or role than were let in', () => {
    const members = [self, fay];
    expect(of(members, [cyd], kept({ ...listed('cyd'), id: 'other' })).add).toEqual([]);
    expect(of(members, [cyd], kept({ ...listed('cyd'), name: 'Other' })).add).toEqual([]);
    expect(of(members, [cyd], kept({ ...listed('cyd'), role: 'facilitator' })).add).toEqual([]);
    const risen = applicant('cyd', { role: 'facilitator' });
    const people = [self, fay, { ...listed('cyd'), role: 'facilitator' as const }];
    expect(of(members, [risen], kept(listed('cyd')), [], people).add).toEqual([]);
  });

  it('gives who is in the group a new leaf, but not in another role', () => {
    const again = applicant('ada');
    const old = { id: 'ada', leaf: 2 };
    const members = [self, fay, ada];
    expect(of(members, [again], kept(), [old])).toMatchObject({
      add: [again.keyPackage],
      remove: [2],
    });
    const risen = applicant('ada', { role: 'facilitator' });
    const people = [self, fay, { ...ada, role: 'facilitator' as const }];
    expect(of(members, [risen], kept(), [old], people)).toMatchObject({ add: [], remove: [] });
  });

  it('adds whoever is listed while no facilitator is in the group, who could be asked', () => {
    expect(of([self, ada], [cyd], kept()).add).toEqual([cyd.keyPackage]);
  });

  it('removes who has left all the same', () => {
    const people = roster.filter(({ id }) => id !== 'ada');
    const old = { id: 'ada', leaf: 2 };
    expect(of([self, fay, ada], [cyd], kept(), [old], people)).toMatchObject({
      add: [],
      remove: [2],
    });
  });
});

describe('Comparison', () => {
  const members = [member(0, 'ada'), member(1, 'ben')];
  const keys = (warnings: { key: string }[]) => warnings.map(({ key }) => key);

  it('is content where tree and roster agree, in any order', () => {
    const comparison = new Comparison();
    for (const now of [0, 60_000])
      expect(comparison.look(members, [listed('ben'), listed('ada')], now, OPEN)).toEqual([]);
  });

  it('tells of another name or role at once', () => {
    const roster = [
      { ...listed('ada'), name: 'Somebody' },
      { ...listed('ben'), role: 'facilitator' as const },
    ];
    const warnings = new Comparison().look(members, roster, 0, OPEN);
    expect(keys(warnings)).toEqual(['name:ada', 'role:ben']);
    expect(warnings[0]?.text).toContain('“Somebody”');
    expect(warnings[1]?.text).toMatch(/shows Name of ben as a facilitator.*says a participant/);
  });

  it.each([
    ['someone in the group who is not listed', members, [listed('ada')], 'unlisted:ben'],
    ['someone listed who is not in the group', members.slice(0, 1), members, 'waiting:ben'],
  ])('tells of %s after ten seconds', (_, tree, roster, key) => {
    const comparison = new Comparison();
    expect(comparison.look(tree, roster, 1_000, OPEN)).toEqual([]);
    expect(comparison.look(tree, roster, 11_000, OPEN)).toEqual([]);
    expect(keys(comparison.look(tree, roster, 11_001, OPEN))).toEqual([key]);
    expect(keys(comparison.look(tree, roster, 20_000, OPEN))).toEqual([key]);
    // It settled, so the next time counts anew.
    expect(comparison.look(members, members, 21_000, OPEN)).toEqual([]);
    expect(comparison.look(tree, roster, 22_000, OPEN)).toEqual([]);
    expect(keys(comparison.look(tree, roster, 33_000, OPEN))).toEqual([key]);
    comparison.reset();
    expect(comparison.look(tree, roster, 34_000, OPEN)).toEqual([]);
  });

  it('says who waits for a facilitator’s word', () => {
    const comparison = new Comparison();
    const tree = [member(0, 'fay', { role: 'facilitator' })];
    const people = [listed('ben'), ...tree];
    comparison.look(tree, people, 0, kept());
    const words = (door: Door) => comparison.look(tree, people, 11_000, door)[0]?.text;
    expect(words(kept())).toContain('no facilitator has let them in');
    expect(words(kept(listed('ben')))).toContain('leave and join again');
    expect(words(OPEN)).toContain('leave and join again');
  });
});

describe('shownNames', () => {
  const shown = (...names: string[]) => [
    ...shownNames(names.map((name, leaf) => member(leaf, String(leaf), { name }))).values(),
  ];

  it('tells apart those whose names look the same', () => {
    expect(shown('Ada', 'Ben', 'ada', 'Ａｄａ', 'Ada')).toEqual([
      'Ada',
      'Ben',
      'ada (2)',
      'Ａｄａ (3)',
      'Ada (4)',
    ]);
  });

  it('is not led astray by names that have numbers themselves', () => {
    expect(shown('Ada (2)', 'Ada', 'Ada')).toEqual(['Ada (2)', 'Ada', 'Ada (3)']);
  });

  it('goes by the leaf, whatever the order', () => {
    const [one, two] = [member(0, 'x', { name: 'Ada' }), member(1, 'y', { name: 'Ada' })];
    expect(shownNames([two, one])).toEqual(shownNames([one, two]));
    expect(shownNames([two, one]).get('y')).toBe('Ada (2)');
  });

  it('leaves everyone the name they had, whoever comes on a leaf before theirs', () => {
    const [ada, other] = [member(3, 'x', { name: 'Ada' }), member(0, 'y', { name: 'Ada' })];
    const before = shownNames([ada]);
    const after = shownNames([ada, other], before);
    expect([after.get('x'), after.get('y')]).toEqual(['Ada', 'Ada (2)']);
    expect(shownNames([ada, other], after)).toEqual(after);
  });
});

describe('comings', () => {
  const [self, ada, ben] = [member(0, 'self'), member(1, 'ada'), member(2, 'ben')];

  it('tells who came and who left', () => {
    expect(comings([self, ada], [self, ben], 'self')).toEqual([
      'Name of ben joined.',
      'Name of ada left.',
    ]);
  });

  it('says nothing of oneself, nor of someone on another leaf', () => {
    expect(comings([ada], [self, member(5, 'ada')], 'self')).toEqual([]);
    expect(comings([ada], [self, ada], null)).toEqual(['Name of self joined.']);
  });
});
