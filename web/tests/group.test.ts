import {
  createCommit,
  createGroup,
  decodeMlsMessage,
  defaultCapabilities,
  defaultLifetime,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type ClientState,
  type Proposal,
} from 'ts-mls';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Ciphersuite } from '../src/e2ee/ciphersuite';
import { Group, type EpochState } from '../src/e2ee/group';
import { GroupError } from '../src/e2ee/group-error';
import {
  decodeCredential,
  encodeCredential,
  personId,
  signingKeys,
  type Credential,
} from '../src/e2ee/identity';
import { inspectKeyPackage } from '../src/e2ee/key-package';

const XWING = 'MLS_256_XWING_AES256GCM_SHA512_Ed25519';
const SUITE_1 = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';
const GROUP_ID = new Uint8Array(16).fill(9);

const bytes = (text: string) => new TextEncoder().encode(text);
const words = (data: Uint8Array) => new TextDecoder().decode(data);

/** In place of `sessionStorage`: a reload keeps it, another visit has another. */
function tabStore() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
}

async function page(suite: Ciphersuite, name: string, store = tabStore()): Promise<Group> {
  const role = name === 'Fay' ? 'facilitator' : 'participant';
  return Group.open(suite, await signingKeys('room', store), { name, role });
}

function stateOf(group: Group): EpochState {
  const { state } = group;
  if (state === null) throw new Error('not in the group');
  return state;
}

const leafOf = (group: Group) => stateOf(group).ownLeaf;

/** Make a commit, have it win, and bring it to all the others. */
async function carryOut(committer: Group, all: Group[], add: Group[], remove: number[]) {
  const packages = await Promise.all(add.map((one) => one.freshKeyPackage()));
  const made = await committer.commit(packages, remove);
  await committer.accepted();
  for (const one of all) if (one !== committer) await one.process(made.commit);
  for (const one of add) if (made.welcome) await one.join(made.welcome);
  return made;
}

async function six(suite: Ciphersuite): Promise<Group[]> {
  const names = ['Fay', 'Ada', 'Ben', 'Cyd', 'Dee', 'Eli'];
  const pages = await Promise.all(names.map((name) => page(suite, name)));
  const [fay, ada, ...others] = pages as [Group, Group, ...Group[]];
  await fay.freshKeyPackage();
  await fay.found(GROUP_ID);
  await carryOut(fay, [fay], [ada], []);
  await carryOut(ada, [fay, ada], others, []);
  return pages;
}

function expectSame(pages: Group[]): void {
  const { ownLeaf, ...first } = stateOf(pages[0] as Group);
  expect(first.members.map(({ leaf }) => leaf)).toContain(ownLeaf);
  for (const one of pages) expect(stateOf(one)).toEqual({ ...first, ownLeaf: leafOf(one) });
}

describe.each<[Ciphersuite, number]>([
  [XWING, 32],
  [SUITE_1, 16],
])('a group with %s', (suite, baseKeyBytes) => {
  it('is the same to its six members, who each know who is who', async () => {
    const pages = await six(suite);
    expectSame(pages);
    const state = stateOf(pages[0] as Group);
    expect(state).toMatchObject({ group: GROUP_ID, epoch: 2 });
    expect(state.baseKey).toHaveLength(baseKeyBytes);
    expect(state.members.map(({ leaf, name, role }) => [leaf, name, role])).toEqual([
      [0, 'Fay', 'facilitator'],
      [1, 'Ada', 'participant'],
      [2, 'Ben', 'participant'],
      [3, 'Cyd', 'participant'],
      [4, 'Dee', 'participant'],
      [5, 'Eli', 'participant'],
    ]);
  });

  it('has new keys after someone was removed, who learns no more than that', async () => {
    const [fay, ada, ben] = (await six(suite)) as [Group, Group, Group];
    const before = stateOf(fay);
    const made = await fay.commit([], [leafOf(ben)]);
    await fay.accepted();
    await ada.process(made.commit);
    expect(await ben.process(made.commit)).toBe('removed');
    expect(ben.state).toBeNull();
    expectSame([fay, ada]);
    expect(stateOf(fay).baseKey).not.toEqual(before.baseKey);
    expect(stateOf(fay).authenticator).not.toEqual(before.authenticator);
    expect(stateOf(fay).members).toHaveLength(5);
    await expect(ben.read(await fay.write(bytes('still there?')))).rejects.toThrow(GroupError);
  });

  it('replaces a page that was reloaded, in one commit, as the same person', async () => {
    const pages = await six(suite);
    const [fay, ada] = pages as [Group, Group];
    const store = tabStore();
    const gus = await page(suite, 'Gus', store);
    await carryOut(fay, pages, [gus], []);
    const id = stateOf(gus).members.find(({ leaf }) => leaf === leafOf(gus))?.id;
    const reloaded = await page(suite, 'Gus', store);
    await carryOut(ada, pages, [reloaded], [leafOf(gus)]);
    expectSame([...pages, reloaded]);
    expect(stateOf(reloaded).members.filter((one) => one.id === id)).toEqual([
      { leaf: leafOf(reloaded), id, name: 'Gus', role: 'participant' },
    ]);
  });

  it('lets the first of two commits win, and the other page go along', async () => {
    const pages = await six(suite);
    const [fay, ada, ben] = pages as [Group, Group, Group];
    const [gus, hal] = await Promise.all([page(suite, 'Gus'), page(suite, 'Hal')]);
    const first = await fay.commit([await gus.freshKeyPackage()], []);
    const second = await ada.commit([await hal.freshKeyPackage()], []);
    expect(second.epoch).toBe(first.epoch);
    await fay.accepted();
    for (const one of pages.slice(1)) await one.process(first.commit);
    await expect(ada.accepted()).rejects.toThrow(GroupError);
    await expect(ben.process(second.commit)).rejects.toMatchObject({ code: 'stale' });
    await gus.join(first.welcome as Uint8Array);
    expectSame([...pages, gus]);
    await carryOut(ada, [...pages, gus], [hal], []);
    expectSame([...pages, gus, hal]);
  });

  it('opens what was sealed to a leaf, also in an epoch that is over', async () => {
    const pages = await six(suite);
    const [fay, ada, ben] = pages as [Group, Group, Group];
    const { epoch } = stateOf(fay);
    const sealed = await fay.sealTo(leafOf(ben), 'label', bytes('context'), bytes('for Ben'));
    // Ben's own commit gives his leaf another key.
    await carryOut(ben, pages, [], [leafOf(ada)]);
    const opened = await ben.openOwn(epoch, 'label', bytes('context'), sealed);
    expect(words(opened)).toBe('for Ben');
    await expect(ben.openOwn(epoch + 1, 'label', bytes('context'), sealed)).rejects.toThrow();
    await expect(ben.openOwn(epoch, 'label', bytes('else'), sealed)).rejects.toThrow();
    await expect(fay.openOwn(epoch, 'label', bytes('context'), sealed)).rejects.toThrow();
  });
});

describe('a group', () => {
  let pages: Group[];
  let fay: Group, ada: Group, ben: Group;
  beforeAll(async () => {
    pages = await six(SUITE_1);
    [fay, ada, ben] = pages as [Group, Group, Group];
  });

  it('takes people in after any coming and going', { timeout: 20_000 }, async () => {
    const all = await six(SUITE_1);
    const newcomer = (n: number) => page(SUITE_1, `New ${n}`);
    const ten = await Promise.all(Array.from({ length: 10 }, (_, n) => newcomer(n)));
    all.push(...(await addTo(all, ten)));
    // Two subtrees with a blank leaf each below nodes with keys, filled again: their ancestors'
    // unmerged leaves differ.
    for (const [committer, gone] of [
      [2, 1],
      [6, 5],
      [10, 9],
    ] as const) {
      const made = await at(all, committer).commit([], [gone]);
      await at(all, committer).accepted();
      for (const one of all)
        if (leafOf(one) !== gone && one !== at(all, committer)) await one.process(made.commit);
      all.splice(all.findIndex((one) => leafOf(one) === gone), 1);
    }
    const together = await addTo(all, [await newcomer(20), await newcomer(21)]);
    expectSame([...all, ...together]);
    const last = await addTo([...all, ...together], [await newcomer(22)]);
    expectSame([...all, ...together, ...last]);
  });

  it('reads what was written, once, and knows by whom', async () => {
    const message = await ada.write(bytes('hello'));
    const read = await ben.read(message);
    expect(words(read.plaintext)).toBe('hello');
    expect(read).toMatchObject({ epoch: stateOf(ada).epoch, sender: { name: 'Ada', leaf: 1 } });
    await expect(ben.read(message)).rejects.toThrow(GroupError);
    await expect(ada.read(message)).rejects.toThrow(GroupError);
  });

  it('reads on when most messages before were for others', async () => {
    for (let n = 0; n < 300; n++) await ada.write(bytes('for others'));
    expect(words((await ben.read(await ada.write(bytes('for Ben')))).plaintext)).toBe('for Ben');
  });

  it('does not take a message that was tampered with, and reads on', async () => {
    const message = await ada.write(bytes('hello'));
    const forged = message.slice();
    forged.set([(forged.at(-1) ?? 0) ^ 1], forged.length - 1);
    await expect(ben.read(forged)).rejects.toMatchObject({ code: 'bad' });
    expect(words((await ben.read(message)).plaintext)).toBe('hello');
  });

  it('reads late messages, whoever made the commits in between', async () => {
    const all = await six(SUITE_1);
    const [fay, ada, ben, cyd] = all as [Group, Group, Group, Group];
    const late = await ada.write(bytes('late'));
    const early = await ada.write(bytes('early'));
    const gus = await page(SUITE_1, 'Gus');
    const made = await ben.commit([await gus.freshKeyPackage()], []);
    // Read while the commit is under way: its copy of this epoch knows nothing of it.
    expect(words((await ben.read(early)).plaintext)).toBe('early');
    await ben.accepted();
    for (const one of all) if (one !== ben) await one.process(made.commit);
    await gus.join(made.welcome as Uint8Array);
    for (let n = 0; n < 3; n++) {
      const hal = await page(SUITE_1, `Hal ${n}`);
      await carryOut(cyd, [...all, gus], [hal], []);
    }
    expect(words((await ben.read(late)).plaintext)).toBe('late');
    expect(words((await fay.read(late)).plaintext)).toBe('late');
    await expect(ben.read(early)).rejects.toThrow(GroupError);
    // Nor is it for those who came after it was written.
    await expect(gus.read(late)).rejects.toMatchObject({ code: 'stale' });
  });

  it('stops reading an epoch that is long over', async () => {
    const all = await six(SUITE_1);
    const [fay, ada] = all as [Group, Group];
    const old = await ada.write(bytes('old'));
    for (let n = 0; n < 9; n++) {
      const made = await fay.commit([], []);
      await fay.accepted();
      await ada.process(made.commit);
    }
    await expect(ada.read(old)).rejects.toMatchObject({ code: 'stale' });
    await expect(fay.read(old)).rejects.toMatchObject({ code: 'stale' });
  });

  it('knows its own commit again when the answer to it was lost', async () => {
    const all = await six(SUITE_1);
    const [fay, ada] = all as [Group, Group];
    const made = await fay.commit([], [leafOf(all[5] as Group)]);
    await fay.process(made.commit);
    await ada.process(made.commit);
    expectSame([fay, ada]);
  });

  it('forgets a commit that lost, and can make another', async () => {
    const all = await six(SUITE_1);
    const [fay, ada] = all as [Group, Group];
    const lost = await fay.commit([], [leafOf(all[5] as Group)]);
    fay.forget();
    await expect(fay.accepted()).rejects.toMatchObject({ code: 'no_group' });
    const made = await fay.commit([], [leafOf(all[4] as Group)]);
    await fay.accepted();
    await ada.process(made.commit);
    expectSame([fay, ada]);
    await expect(ada.process(lost.commit)).rejects.toMatchObject({ code: 'stale' });
  });

  it('carries out calls that come at once one after the other', async () => {
    const [first, second] = [ada.write(bytes('1')), ada.write(bytes('2'))];
    const [one, two] = await Promise.all([first, second]);
    const read = await Promise.all([ben.read(one), ben.read(two)]);
    expect(read.map(({ plaintext }) => words(plaintext))).toEqual(['1', '2']);
  });

  it('is left as it is by what it cannot take', async () => {
    const before = stateOf(ben);
    const made = await fay.commit([], [leafOf(pages[5] as Group)]);
    for (let at = 0; at < made.commit.length; at += 97) {
      const forged = made.commit.slice();
      forged.set([(forged[at] ?? 0) ^ 0x10], at);
      await expect(ben.process(forged)).rejects.toThrow(GroupError);
    }
    await expect(ben.process(made.commit.subarray(1))).rejects.toMatchObject({ code: 'bad' });
    await expect(ben.process(await fay.write(bytes('x')))).rejects.toMatchObject({ code: 'bad' });
    await expect(ben.commit([], [leafOf(ben)])).rejects.toThrow(GroupError);
    await expect(ben.commit([], [40])).rejects.toThrow(GroupError);
    expect(ben.state).toBe(before);
    // A forged one takes nothing from the true one.
    expect(await ben.process(made.commit)).toMatchObject({ epoch: before.epoch + 1 });
    await ada.process(made.commit);
    await fay.accepted();
    expectSame([fay, ada, ben]);
  });

  it('says which commits came too early', async () => {
    const all = await six(SUITE_1);
    const [fay, ada] = all as [Group, Group];
    const first = await fay.commit([], [leafOf(all[5] as Group)]);
    await fay.accepted();
    const second = await fay.commit([], [leafOf(all[4] as Group)]);
    await expect(ada.process(second.commit)).rejects.toMatchObject({ code: 'ahead' });
    await ada.process(first.commit);
    await ada.process(second.commit);
    await fay.accepted();
    expectSame([fay, ada]);
  });

  it('opens a Welcome by an earlier key package, and one Welcome only once', async () => {
    const gus = await page(SUITE_1, 'Gus');
    const first = await gus.freshKeyPackage();
    await gus.freshKeyPackage();
    const made = await fay.commit([first], []);
    fay.forget();
    const welcome = made.welcome as Uint8Array;
    await expect(ben.join(welcome)).rejects.toMatchObject({ code: 'bad' });
    expect((await gus.join(welcome)).members.map(({ name }) => name)).toContain('Gus');
    await expect(gus.join(welcome)).rejects.toThrow(GroupError);
  });

  it('asks for a group before it does anything in one', async () => {
    const gus = await page(SUITE_1, 'Gus');
    await expect(gus.found(GROUP_ID)).rejects.toThrow(GroupError);
    await expect(gus.write(bytes('x'))).rejects.toMatchObject({ code: 'no_group' });
    await expect(gus.commit([], [])).rejects.toMatchObject({ code: 'no_group' });
  });

  const at = (all: Group[], leaf: number) =>
    all.find((one) => leafOf(one) === leaf) ?? expect.fail(`nobody at ${leaf}`);

  async function addTo(all: Group[], add: Group[]): Promise<Group[]> {
    await carryOut(all[0] as Group, all, add, []);
    return add;
  }
});

describe('a member that does not keep to the rules', () => {
  const credential = { name: 'Mal', role: 'participant' } as const;

  /** Mal's own program, in a group with a page. */
  async function mal() {
    const suite = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE_1));
    const keys = await signingKeys('room', tabStore());
    const identity = encodeCredential(credential);
    const kp = await generateKeyPackageWithKey(
      { credentialType: 'basic', identity },
      defaultCapabilities(),
      defaultLifetime,
      [],
      keys,
      suite,
    );
    let state = await createGroup(GROUP_ID, kp.publicPackage, kp.privatePackage, [], suite);
    const ada = await page(SUITE_1, 'Ada');
    const commit = async (from: ClientState, extraProposals: Proposal[]) => {
      const options = { wireAsPublicMessage: true, ratchetTreeExtension: true, extraProposals };
      return createCommit({ state: from, cipherSuite: suite }, options);
    };
    const add = async (one: Group): Promise<Proposal> => {
      const message = decodeMlsMessage(await one.freshKeyPackage(), 0)?.[0];
      if (message?.wireformat !== 'mls_key_package') throw new Error('no key package');
      return { proposalType: 'add', add: { keyPackage: message.keyPackage } };
    };
    const first = await commit(state, [await add(ada)]);
    state = first.newState;
    if (first.welcome === undefined) throw new Error('no welcome');
    const { welcome } = first;
    await ada.join(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome }));
    return { suite, state, ada, commit, add };
  }

  it('cannot become someone else by a commit', async () => {
    const { state, ada, commit } = await mal();
    const { id } = stateOf(ada).members[0] ?? expect.fail('no members');
    for (const change of ['name', 'key'] as const) {
      const other = await signingKeys('room', tabStore());
      const identity = encodeCredential({ name: 'Fay', role: 'facilitator' });
      const leaf = state.ratchetTree[0];
      if (leaf?.nodeType !== 'leaf') throw new Error('no leaf');
      // The path's leaf is copied from the tree and signed with the state's key.
      const changed: ClientState = {
        ...state,
        ratchetTree: [
          {
            nodeType: 'leaf',
            leaf:
              change === 'name'
                ? { ...leaf.leaf, credential: { credentialType: 'basic', identity } }
                : { ...leaf.leaf, signaturePublicKey: other.publicKey },
          },
          ...state.ratchetTree.slice(1),
        ],
      };
      const made = await commit(changed, []);
      await expect(ada.process(encodeMlsMessage(made.commit))).rejects.toThrow(
        'changes who the committer is',
      );
    }
    expect(stateOf(ada).members[0]).toMatchObject({ id, name: 'Mal' });
    // What an honest committer makes in the same way is taken.
    const honest = await commit(state, []);
    expect(await ada.process(encodeMlsMessage(honest.commit))).toMatchObject({ epoch: 2 });
  });

  it('cannot bring in other proposals', async () => {
    const { state, ada, commit } = await mal();
    const made = await commit(state, [
      { proposalType: 'group_context_extensions', groupContextExtensions: { extensions: [] } },
    ]);
    await expect(ada.process(encodeMlsMessage(made.commit))).rejects.toThrow(
      'more than adds and removes',
    );
  });

  it('cannot add someone by a key package that was changed', async () => {
    const { state, ada, add, suite, commit } = await mal();
    const proposal = await add(await page(SUITE_1, 'Ben'));
    if (proposal.proposalType !== 'add') throw new Error('no add');
    const { keyPackage } = proposal.add;
    const { leafNode } = keyPackage;
    const identity = encodeCredential({ name: 'Fay', role: 'facilitator' });
    const stolen = [
      { ...keyPackage, initKey: new Uint8Array(32).fill(3) },
      { ...keyPackage, leafNode: { ...leafNode, hpkePublicKey: new Uint8Array(32).fill(3) } },
      {
        ...keyPackage,
        leafNode: { ...leafNode, credential: { credentialType: 'basic' as const, identity } },
      },
    ];
    for (const changed of stolen) {
      const message = { version: 'mls10' as const, wireformat: 'mls_key_package' as const };
      const encoded = encodeMlsMessage({ ...message, keyPackage: changed });
      expect(await inspectKeyPackage(encoded, SUITE_1)).toBeNull();
      // ts-mls itself neither makes nor takes such a commit.
      await expect(ada.commit([encoded], [])).rejects.toMatchObject({ code: 'bad' });
      const verify = () => Promise.resolve(true);
      const lax = { ...suite, signature: { ...suite.signature, verify } };
      const made = await createCommit(
        { state, cipherSuite: lax },
        {
          wireAsPublicMessage: true,
          extraProposals: [{ proposalType: 'add', add: { keyPackage: changed } }],
        },
      );
      await expect(ada.process(encodeMlsMessage(made.commit))).rejects.toThrow(/signature/);
    }
    const honest = await commit(state, [proposal]);
    expect(await ada.process(encodeMlsMessage(honest.commit))).toMatchObject({ epoch: 2 });
  });
});

describe('inspectKeyPackage', () => {
  it('tells whose it is, with the same id as the tree', async () => {
    for (const suite of [XWING, SUITE_1] as const) {
      const ada = await page(suite, 'Ada');
      const inspected = await inspectKeyPackage(await ada.freshKeyPackage(), suite);
      expect(inspected?.credential).toEqual({ name: 'Ada', role: 'participant' });
      expect(inspected?.id).toBe((await ada.found(GROUP_ID)).members[0]?.id);
    }
  });

  it('takes none of another suite, none that is cut, and nothing else', async () => {
    const ada = await page(SUITE_1, 'Ada');
    const good = await ada.freshKeyPackage();
    expect(await inspectKeyPackage(good, XWING)).toBeNull();
    expect(await inspectKeyPackage(good.subarray(0, -1), SUITE_1)).toBeNull();
    expect(await inspectKeyPackage(Uint8Array.from([...good, 0]), SUITE_1)).toBeNull();
    await ada.found(GROUP_ID);
    expect(await inspectKeyPackage(await ada.write(bytes('x')), SUITE_1)).toBeNull();
  });

  it('takes none whose time is over or has not come', async () => {
    const suite = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE_1));
    const now = BigInt(Math.floor(Date.now() / 1000));
    const encoded = async (notBefore: bigint, notAfter: bigint) => {
      const { publicPackage } = await generateKeyPackageWithKey(
        { credentialType: 'basic', identity: encodeCredential({ name: 'A', role: 'participant' }) },
        defaultCapabilities(),
        { notBefore, notAfter },
        [],
        await signingKeys('room', tabStore()),
        suite,
      );
      const message = { version: 'mls10' as const, wireformat: 'mls_key_package' as const };
      return encodeMlsMessage({ ...message, keyPackage: publicPackage });
    };
    expect(await inspectKeyPackage(await encoded(now - 20n, now + 20n), SUITE_1)).not.toBeNull();
    expect(await inspectKeyPackage(await encoded(now - 20n, now - 10n), SUITE_1)).toBeNull();
    expect(await inspectKeyPackage(await encoded(now + 10n, now + 20n), SUITE_1)).toBeNull();
  });
});

describe('identity', () => {
  it('decodes just what it encodes', () => {
    const ada: Credential = { name: 'Ada Ⅱ', role: 'facilitator' };
    expect(words(encodeCredential(ada))).toBe('{"name":"Ada Ⅱ","role":"facilitator"}');
    expect(decodeCredential(encodeCredential(ada))).toEqual(ada);
    for (const text of [
      '{"name":"Ada"}',
      '{"name":"Ada","role":"admin"}',
      '{"name":"Ada","role":"participant","more":1}',
      '{"name":" Ada","role":"participant"}',
      '{"name":"","role":"participant"}',
      `{"name":"${'a'.repeat(41)}","role":"participant"}`,
      '{"name":"A\\u202eda","role":"participant"}',
      '["Ada","participant"]',
      'null',
      'Ada',
    ])
      expect(decodeCredential(bytes(text)), text).toBeNull();
    expect(decodeCredential(Uint8Array.of(0xff, 0xfe))).toBeNull();
  });

  it('gives ids that the server computes alike', async () => {
    // hashlib: base64url(sha256(b"holdspace person" + bytes(range(32)))[:16])
    const id = await personId(Uint8Array.from({ length: 32 }, (_, n) => n));
    expect(id).toBe('BAehLjKigjdbvmXT0NICJw');
  });

  it('keeps the keys for the visit to one room', async () => {
    const store = tabStore();
    const keys = await signingKeys('one', store);
    expect(keys.publicKey).toHaveLength(32);
    expect(await signingKeys('one', store)).toEqual(keys);
    expect(await signingKeys('two', store)).not.toEqual(keys);
    expect(await signingKeys('one', tabStore())).not.toEqual(keys);
  });

  it('makes new keys where what is kept is no pair', async () => {
    const store = tabStore();
    const keys = await signingKeys('one', store);
    await signingKeys('two', store);
    const kept = (room: string) => (store.getItem(`holdspace:signing:${room}`) ?? '').split(' ');
    const [[publicKey = '', signKey = ''], [, otherKey = '']] = [kept('one'), kept('two')];
    for (const broken of [
      '',
      'x y',
      `${publicKey} ${signKey.slice(0, -8)}`,
      `${publicKey} ${otherKey}`,
    ]) {
      store.setItem('holdspace:signing:one', broken);
      const made = await signingKeys('one', store);
      expect(made).not.toEqual(keys);
      expect(await signingKeys('one', store)).toEqual(made);
    }
  });
});
