import { beforeEach, describe, expect, it } from 'vitest';
import { Admissions, decodeDoor, encodeDoor, type Person } from '../src/e2ee/admissions';
import { encodeRoom, pad } from '../src/e2ee/chat';
import type { Member } from '../src/e2ee/view';

const idOf = (name: string) => name.toLowerCase().padEnd(22, '_');
const person = (name: string, role: Person['role'] = 'participant'): Person => ({
  id: idOf(name),
  name,
  role,
});
const tree = (...people: Person[]): Member[] => people.map((one, leaf) => ({ ...one, leaf }));

const [fay, gil] = [person('Fay', 'facilitator'), person('Gil', 'facilitator')];
const [ada, ben, dan] = [person('Ada'), person('Ben'), person('Dan')];
const KEPT = new Uint8Array([1, 7]);
const OPEN = new Uint8Array([0, 7]);

let store: Map<string, string>;
const opened = () =>
  new Admissions('room', {
    getItem: (key) => store.get(key) ?? null,
    setItem: (key, value) => void store.set(key, value),
  });
let admissions: Admissions;
beforeEach(() => {
  store = new Map();
  admissions = opened();
});

describe('whom it knows', () => {
  it('is who was let in, as whom', () => {
    admissions.letIn([ada]);
    expect(admissions.knows(ada)).toBe(true);
    for (const other of [{ ...ada, id: ben.id }, { ...ada, name: 'Eve' }, { ...ada, role: fay.role }])
      expect(admissions.knows(other)).toBe(false);
  });

  it('is not who was put out since, until let in anew', () => {
    admissions.heard({ let_in: [ada], put_out: [] });
    admissions.putOut([ada.id]);
    admissions.begin(KEPT, tree(fay, ben, ada), tree(fay, ben, ada), 1);
    expect(admissions.knows(ada)).toBe(false);
    admissions.letIn([ada]);
    expect(admissions.knows(ada)).toBe(true);
  });

  it('is who was in the group, for a page that cannot tell how they came in', () => {
    admissions.begin(KEPT, null, tree(fay, ada, ben), 2);
    for (const one of [fay, ada, ben]) expect(admissions.knows(one)).toBe(true);
    // In the next epoch someone else has vouched for Dan: a facilitator is there.
    expect(admissions.begin(KEPT, tree(fay, ada, ben), tree(fay, ada, ben, dan), 2)).toEqual([]);
    expect(admissions.knows(dan)).toBe(true);
  });

  it('outlasts a reload, but not another room’s', () => {
    admissions.begin(KEPT, null, tree(fay, ada), 0);
    admissions.letIn([ben]);
    admissions.putOut([ada.id]);
    const again = opened();
    expect([again.kept, again.knows(ben), again.knows(ada)]).toEqual([true, true, false]);
    expect(new Admissions('other', { getItem: () => null, setItem: () => undefined }).kept).toBe(
      false,
    );
  });

  it.each(['', '{', '[]', '{"kept":1,"let_in":[],"put_out":[]}', '{"kept":true,"let_in":[3],"put_out":[]}'])(
    'is nobody where what was stored is damaged: %s',
    (text) => {
      for (const key of ['holdspace:admissions:room']) store.set(key, text);
      expect(opened().kept).toBe(false);
    },
  );

  it('does not grow for ever', () => {
    for (let n = 0; n < 300; n++) admissions.letIn([person(`P${n}`)]);
    expect(admissions.knows(person('P0'))).toBe(false);
    expect(admissions.knows(person('P299'))).toBe(true);
    expect(opened().knows(person('P299'))).toBe(true);
  });
});

describe('those who are about to come', () => {
  it('are expected until they are in the group, or put out', () => {
    admissions.letIn([ada, ben, dan]);
    admissions.begin(KEPT, tree(fay), tree(fay, ada), 0);
    expect(admissions.expected).toEqual([ben, dan]);
    admissions.putOut([dan.id]);
    expect(admissions.expected).toEqual([ben]);
  });
});

describe('someone who came while no facilitator was there', () => {
  it('is named to those who were', () => {
    expect(admissions.begin(KEPT, tree(ada, ben), tree(ada, ben, dan), 0)).toMatchObject([dan]);
    expect(admissions.begin(KEPT, tree(ada, ben, dan), tree(ada, ben, dan), 0)).toEqual([]);
  });

  it('is not named who was known, nor in a room where people come in by themselves', () => {
    admissions.letIn([ben]);
    expect(admissions.begin(KEPT, tree(ada), tree(ada, ben), 0)).toEqual([]);
    store.clear();
    expect(opened().begin(OPEN, tree(ada), tree(ada, ben), 0)).toEqual([]);
  });
});

describe('what a facilitator is asked', () => {
  const asked = (members: Person[], listed: Person[], now: number) =>
    admissions.look(tree(...members), listed, fay.id, now).map((one) => [one.name, one.where]);

  it('is about those whom the server brings, after a moment', () => {
    admissions.begin(KEPT, null, tree(fay), 0);
    admissions.letIn([ada]);
    expect(asked([fay], [fay, ada, dan], 0)).toEqual([]);
    expect(asked([fay], [fay, ada, dan], 3_000)).toEqual([['Dan', 'outside']]);
    admissions.letIn([dan]);
    expect(asked([fay], [fay, ada, dan], 3_001)).toEqual([]);
  });

  it('is nothing where people come in by themselves', () => {
    admissions.begin(OPEN, null, tree(fay), 0);
    asked([fay, ben], [fay, ben, dan], 0);
    expect(asked([fay, ben], [fay, ben, dan], 9_000)).toEqual([]);
  });

  it('is about those in the group whom nobody let in, and those who do not go', () => {
    admissions.begin(KEPT, null, tree(fay), 0);
    admissions.begin(KEPT, tree(fay), tree(fay, dan), 0);
    asked([fay, dan], [fay, dan], 0);
    expect(asked([fay, dan], [fay, dan], 3_000)).toEqual([['Dan', 'inside']]);
    admissions.putOut([dan.id]);
    expect(asked([fay, dan], [fay, dan], 3_001)).toEqual([]);
    const [question] = admissions.look(tree(fay, dan), [fay, dan], fay.id, 6_001);
    expect(question?.text).toContain('still in the encrypted call');
    expect(asked([fay], [fay, dan], 6_002)).toEqual([['Dan', 'kept_out']]);
  });

  it('is about those who were there before her, unless a facilitator was', () => {
    admissions.begin(KEPT, null, tree(ada, fay), 1);
    asked([ada, fay], [ada, fay], 0);
    expect(asked([ada, fay], [ada, fay], 3_000)).toEqual([['Ada', 'inside']]);
    store.clear();
    admissions = opened();
    admissions.begin(KEPT, null, tree(gil, ada, fay), 2);
    asked([gil, ada, fay], [gil, ada, fay], 0);
    expect(asked([gil, ada, fay], [gil, ada, fay], 3_000)).toEqual([]);
  });
});

describe('a facilitator who comes back', () => {
  const asked = (members: Person[]) => {
    admissions.look(tree(...members), members, fay.id, 0);
    return admissions.look(tree(...members), members, fay.id, 3_000).map(({ name }) => name);
  };
  beforeEach(() => void admissions.begin(KEPT, null, tree(fay, gil), 0));

  it('is asked about all whom she did not know where she comes in anew', () => {
    // Someone of the server's may have founded this group, and added both of them.
    admissions = opened();
    admissions.begin(KEPT, null, tree(dan, fay, gil), 1);
    expect(asked([dan, fay, gil])).toEqual(['Dan']);
  });

  it('is told about them by another facilitator, who was there', () => {
    admissions = opened();
    admissions.begin(KEPT, null, tree(fay, gil, ben), 0);
    store.clear();
    const gils = opened();
    gils.letIn([fay, gil, ben]);
    gils.begin(KEPT, tree(gil, ben), tree(fay, gil, ben, dan), 1);
    gils.letIn([ada]);
    const news = gils.newsFor(tree(fay), tree(fay, gil, ben, dan));
    expect(news.let_in).toEqual([fay, gil, ben, ada]);
    expect(gils.newsFor(tree(ben), tree(fay, gil, ben, dan)).let_in).toEqual([ada]);
    admissions.heard(news);
    expect(asked([fay, gil, ben])).toEqual([]);
  });

  it('trusts a facilitator whom she knew for the time that she missed, and no other', () => {
    admissions.begin(KEPT, tree(fay, gil), tree(fay, gil, ben), 0, true);
    expect(asked([fay, gil, ben])).toEqual([]);
    admissions.begin(KEPT, tree(fay, ben), tree(fay, ben, dan), 0, true);
    expect(asked([fay, ben, dan])).toEqual(['Dan']);
  });
});

describe('what facilitators’ pages tell the others', () => {
  it('comes through as it was', () => {
    const news = { let_in: [ada, gil], put_out: [dan.id] };
    expect(decodeDoor(encodeDoor(news))).toEqual(news);
    const most = Array.from({ length: 64 }, (_, n) => ({ ...ada, name: `${'😀'.repeat(38)}${n}` }));
    expect(decodeDoor(encodeDoor({ let_in: most, put_out: [] }))?.let_in).toHaveLength(64);
  });

  it.each([
    ['chat', { kind: 'room', text: 'Hello.' }],
    ['more than is known', { kind: 'door', let_in: [], put_out: [], more: 1 }],
    ['no list', { kind: 'door', let_in: {}, put_out: [] }],
    ['no id', { kind: 'door', let_in: [{ ...ada, id: 'short' }], put_out: [] }],
    ['no role', { kind: 'door', let_in: [{ ...ada, role: 'owner' }], put_out: [] }],
    ['no name that can be shown', { kind: 'door', let_in: [{ ...ada, name: '\u202e' }], put_out: [] }],
    ['too many', { kind: 'door', let_in: [], put_out: Array<string>(65).fill(dan.id) }],
  ])('is not read where it is %s', (_, value) => {
    expect(decodeDoor(pad(new TextEncoder().encode(JSON.stringify(value))))).toBeNull();
  });

  it('is not what someone writes in the chat', () => {
    expect(decodeDoor(encodeRoom('{"kind":"door","let_in":[],"put_out":[]}'))).toBeNull();
  });
});
