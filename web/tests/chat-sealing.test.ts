import { beforeAll, describe, expect, it } from 'vitest';
import { decodeChat, encodePrivate, encodeRoom, pad, unpad } from '../src/e2ee/chat';
import type { Ciphersuite } from '../src/e2ee/ciphersuite';
import { Group, type EpochState } from '../src/e2ee/group';
import { signingKeys } from '../src/e2ee/identity';
import type { Member } from '../src/e2ee/view';

const XWING = 'MLS_256_XWING_AES256GCM_SHA512_Ed25519';
const SUITE_1 = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';
/** Of the wire: `ChatBytes`. */
const WIRE_LIMIT = 49_152;

const bytes = (text: string) => new TextEncoder().encode(text);
const json = (padded: Uint8Array) =>
  JSON.parse(new TextDecoder().decode(padded).replaceAll('\0', '')) as Record<string, unknown>;
const padded = (value: unknown) => pad(bytes(JSON.stringify(value)));

function stateOf({ state }: Group): EpochState {
  return state ?? expect.fail('not in the group');
}

function memberOf(group: Group): Member {
  const { members, ownLeaf } = stateOf(group);
  return members.find(({ leaf }) => leaf === ownLeaf) ?? expect.fail('not in the tree');
}

async function groupOf(suite: Ciphersuite, size: number): Promise<Group[]> {
  const pages: Group[] = [];
  for (let n = 0; n < size; n++) {
    const store = { getItem: () => null, setItem: () => undefined };
    const keys = await signingKeys('room', store);
    pages.push(await Group.open(suite, keys, { name: `P${n}`, role: 'participant' }));
  }
  const [first, ...others] = pages as [Group, ...Group[]];
  const packages = await Promise.all(pages.map((one) => one.freshKeyPackage()));
  await first.found(new Uint8Array(16));
  const { welcome } = await first.commit(packages.slice(1), []);
  await first.accepted();
  for (const one of others) await one.join(welcome as Uint8Array);
  return pages;
}

describe('padding', () => {
  it('leaves few lengths', () => {
    for (const [length, size] of [
      [1, 256],
      [256, 256],
      [257, 512],
      [5_000, 8_192],
      [32_768, 32_768],
    ] as const) {
      const text = new Uint8Array(length).fill(7);
      expect(pad(text)).toHaveLength(size);
      expect(unpad(pad(text))).toEqual(text);
    }
    expect(() => pad(new Uint8Array(32_769))).toThrow(RangeError);
  });

  it('is not taken where it is none', () => {
    for (const length of [0, 1, 255, 257, 65_536])
      expect(unpad(new Uint8Array(length).fill(7)), String(length)).toBeNull();
    const tooLong = new Uint8Array(512);
    tooLong.set([1, 2, 3]);
    expect(unpad(tooLong)).toBeNull();
  });
});

describe.each<Ciphersuite>([XWING, SUITE_1])('chat with %s', (suite) => {
  let ada: Group, ben: Group, cyd: Group, dee: Group;
  beforeAll(async () => {
    [ada, ben, cyd, dee] = (await groupOf(suite, 4)) as [Group, Group, Group, Group];
  });

  it('brings words to the room', async () => {
    const read = await ben.read(await ada.write(encodeRoom('Hello 👋')));
    expect(await decodeChat(ben, read.sender, read.epoch, read.plaintext)).toEqual({
      kind: 'room',
      text: 'Hello 👋',
    });
  });

  it('brings private words to those they are for and to nobody else', async () => {
    const to = [memberOf(ben), memberOf(cyd)];
    const message = await ada.write(await encodePrivate(ada, to, 'Between us'));
    for (const one of [ben, cyd]) {
      const { sender, epoch, plaintext } = await one.read(message);
      expect(sender.id).toBe(memberOf(ada).id);
      expect(await decodeChat(one, sender, epoch, plaintext)).toEqual({
        kind: 'private',
        to: to.map(({ id }) => id),
        text: 'Between us',
      });
    }
    const { sender, epoch, plaintext } = await dee.read(message);
    expect(await decodeChat(dee, sender, epoch, plaintext)).toBeNull();
    expect(JSON.stringify(json(plaintext))).not.toContain('Between us');
    // Not even where Dee puts herself among the recipients.
    const content = json(plaintext);
    for (const at of [0, 1]) {
      const ids = to.map(({ id }) => id);
      ids[at] = memberOf(dee).id;
      expect(await decodeChat(dee, sender, epoch, padded({ ...content, to: ids }))).toBeNull();
    }
  });

  it('holds private words to their sender, epoch and recipients', async () => {
    const to = [memberOf(ben), memberOf(cyd)];
    const { epoch } = stateOf(ada);
    const plaintext = await encodePrivate(ada, to, 'Between us');
    const from = memberOf(ada);
    expect(await decodeChat(ben, from, epoch, plaintext)).toMatchObject({ text: 'Between us' });
    expect(await decodeChat(ben, memberOf(dee), epoch, plaintext)).toBeNull();
    expect(await decodeChat(ben, from, epoch + 1, plaintext)).toBeNull();
    const content = json(plaintext);
    const [mine, other] = content.sealed as [unknown, unknown];
    const alone = { ...content, to: [memberOf(ben).id], sealed: [mine] };
    expect(await decodeChat(ben, from, epoch, padded(alone))).toBeNull();
    const swapped = { ...content, sealed: [other, mine] };
    expect(await decodeChat(ben, from, epoch, padded(swapped))).toBeNull();
    const body = (content.body as string).replace(/^./, (c) => (c === 'A' ? 'B' : 'A'));
    expect(await decodeChat(ben, from, epoch, padded({ ...content, body }))).toBeNull();
  });

  it('opens private words that come after the next commit', async () => {
    const group = await groupOf(suite, 3);
    const [fay, gus, hal] = group as [Group, Group, Group];
    const late = await fay.write(await encodePrivate(fay, [memberOf(gus)], 'late'));
    const { commit } = await gus.commit([], [memberOf(hal).leaf]);
    await gus.accepted();
    await fay.process(commit);
    const { sender, epoch, plaintext } = await gus.read(late);
    expect(await decodeChat(gus, sender, epoch, plaintext)).toMatchObject({ text: 'late' });
  });
});

describe('what is not well-formed', () => {
  let ada: Group, ben: Group;
  beforeAll(async () => {
    [ada, ben] = (await groupOf(SUITE_1, 2)) as [Group, Group];
  });
  const taken = (plaintext: Uint8Array) =>
    decodeChat(ben, memberOf(ada), stateOf(ada).epoch, plaintext);

  it('is not sent', async () => {
    for (const text of ['', ' \n ', 'x'.repeat(2_001), 'half \ud83d']) {
      expect(() => encodeRoom(text), text).toThrow(RangeError);
      await expect(encodePrivate(ada, [memberOf(ben)], text), text).rejects.toThrow(RangeError);
    }
    await expect(encodePrivate(ada, [], 'x')).rejects.toThrow(RangeError);
    expect(json(encodeRoom('👋'.repeat(2_000)))).toMatchObject({ kind: 'room' });
  });

  it('is not read', async () => {
    expect(await taken(padded({ kind: 'room', text: 'x' }))).not.toBeNull();
    const good = json(await encodePrivate(ada, [memberOf(ben)], 'x'));
    expect(await taken(padded(good))).not.toBeNull();
    const [key] = good.sealed as [Record<string, unknown>];
    for (const value of [
      { kind: 'room' },
      { kind: 'room', text: '' },
      { kind: 'room', text: 1 },
      { kind: 'room', text: 'x'.repeat(2_001) },
      { kind: 'room', text: 'x', more: 1 },
      { kind: 'loud', text: 'x' },
      ['room', 'x'],
      'x',
      null,
      { ...good, kind: 'room' },
      { ...good, more: 1 },
      { ...good, to: memberOf(ben).id },
      { ...good, to: [], sealed: [] },
      { ...good, to: [memberOf(ben).id, memberOf(ben).id], sealed: [key, key] },
      { ...good, to: [memberOf(ben).id, 'x'], sealed: [key, key] },
      { ...good, sealed: [key, key] },
      { ...good, sealed: [{ ...key, leaf: '1' }] },
      { ...good, sealed: [{ ...key, kem: '*' }] },
      { ...good, sealed: [{ ...key, more: 1 }] },
      { ...good, sealed: ['x'] },
      { ...good, iv: 'AAAA' },
      { ...good, body: null },
    ])
      expect(await taken(padded(value)), JSON.stringify(value)).toBeNull();
    expect(await taken(pad(Uint8Array.of(0xff)))).toBeNull();
    expect(await taken(bytes('{"kind":"room","text":"x"}'))).toBeNull();
  });
});

describe('the largest messages', () => {
  it('fit the wire', async () => {
    const [sender, ...others] = (await groupOf(XWING, 16)) as [Group, ...Group[]];
    const to = others.map(memberOf);
    for (const [text, people] of [
      ['x'.repeat(2_000), 15],
      ['ж'.repeat(2_000), 15],
      ['👋'.repeat(2_000), 12],
    ] as const) {
      const plaintext = await encodePrivate(sender, to.slice(0, people), text);
      expect((await sender.write(plaintext)).length).toBeLessThanOrEqual(WIRE_LIMIT);
    }
    await expect(encodePrivate(sender, to, '👋'.repeat(2_000))).rejects.toThrow(RangeError);
  });
});
