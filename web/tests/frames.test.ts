/** What one page seals, another opens: epochs, places, replays, and frames ahead of their key. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EpochKeys } from '../src/e2ee/epoch-keys';
import type { SentMid } from '../src/e2ee/kid';
import { HOLD_MS, KEPT_MS, MAX_HELD, Opener, type Opened } from '../src/e2ee/opener';
import { Sealer } from '../src/e2ee/sealer';
import { decodeHeader, type Bytes } from '../src/e2ee/sframe';
import { TroubleWatch } from '../src/e2ee/trouble';

const LEAVES = { ada: 0, ben: 1 };
const PLACES = { a1: 'ada', v1: 'ada', s0: 'ada', a2: 'ben', v2: 'ben' };

function keys(epoch: number, change: Partial<EpochKeys> = {}, size: 16 | 32 = 32): EpochKeys {
  const baseKey = new Uint8Array(size);
  new DataView(baseKey.buffer).setUint32(0, epoch + 1);
  return { epoch, baseKey, ownLeaf: 0, leaves: LEAVES, ...change };
}

/** The frame with this number: the first byte even, as of a VP8 key frame. */
const frame = (number: number, length = 40): Bytes =>
  Uint8Array.from({ length }, (_, at) => (at === 1 ? number : (at * 7) & 0xfe));

async function sealed(
  sealer: Sealer,
  number: number,
  mid: SentMid = 'mi',
  whole = true,
): Promise<Bytes> {
  const result = await sealer.seal(frame(number), mid, whole);
  if (result === null) throw new Error('not sealed');
  return result;
}

const number = (opened: Opened) => ('frame' in opened ? opened.frame[1] : opened.drop);

function pair(epoch = 1, size: 16 | 32 = 32): { sealer: Sealer; opener: Opener } {
  const sealer = new Sealer();
  const opener = new Opener();
  sealer.setEpoch(keys(epoch, {}, size));
  opener.setEpoch(keys(epoch, { ownLeaf: 1 }, size), 0);
  opener.setPlaces(PLACES);
  return { sealer, opener };
}

/** What has come of it so far, without waiting for more. */
async function soFar<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  return Promise.race([
    promise,
    new Promise<'waiting'>((resolve) => setTimeout(() => resolve('waiting'), 20)),
  ]);
}

describe.each([16, 32] as const)('with a base key of %i bytes', (size) => {
  it.each([
    ['mi', 'a1', true],
    ['mi', 'a1', false],
    ['ca', 'v1', true],
    ['ca', 'v1', false],
    ['sc', 's0', true],
    ['sc', 's0', false],
  ] as const)('%s arrives at %s, whole: %s', async (from, to, whole) => {
    const { sealer, opener } = pair(1, size);
    for (let at = 0; at < 20; at += 1) {
      const wire = await sealed(sealer, at, from, whole);
      const opened = await opener.open(wire, to, 0);
      expect(opened).toEqual({ frame: frame(at), held: false });
    }
  });
});

describe('sealing', () => {
  it('gives nothing without a key', async () => {
    expect(await new Sealer().seal(frame(1), 'mi', true)).toBeNull();
  });

  it('leaves one byte of video in the clear, and none otherwise', async () => {
    const { sealer } = pair();
    const video = await sealed(sealer, 1, 'ca', false);
    expect(video[0]).toBe(frame(1)[0]);
    expect(decodeHeader(video, 1)?.kid).toBe(0x05_00_01n);
    expect(decodeHeader(await sealed(sealer, 1, 'ca', true))?.kid).toBe(0x01_00_01n);
    expect(decodeHeader(await sealed(sealer, 1, 'mi', false))?.kid).toBe(0x01n);
    for (const wire of [video, await sealed(sealer, 1)])
      expect(Buffer.from(wire).includes(Buffer.from(frame(1).subarray(1, 9)))).toBe(false);
  });

  it('never takes a counter twice, not even for frames at the same time', async () => {
    const { sealer } = pair();
    const counters = async () => {
      const wires = await Promise.all(Array.from({ length: 50 }, () => sealed(sealer, 1)));
      return wires.map((wire) => Number(decodeHeader(wire)?.counter));
    };
    expect(await counters()).toEqual(Array.from({ length: 50 }, (_, at) => at));
    sealer.setEpoch(keys(1));
    expect((await counters())[0]).toBe(50);
    sealer.setEpoch(keys(2));
    expect((await counters())[0]).toBe(0);
    // Back in an epoch, as by a mistake: its counters go on.
    sealer.setEpoch(keys(1));
    expect((await counters())[0]).toBe(100);
  });

  it('seals nothing once told to stop, until the next epoch, and goes on counting', async () => {
    const { sealer } = pair();
    await sealed(sealer, 1);
    sealer.stop();
    expect(await sealer.seal(frame(1), 'mi', true)).toBeNull();
    sealer.setEpoch(keys(1));
    expect(decodeHeader(await sealed(sealer, 1))?.counter).toBe(1n);
  });

  it('counts each track by itself', async () => {
    const { sealer } = pair();
    await sealed(sealer, 1, 'mi');
    expect(decodeHeader(await sealed(sealer, 1, 'ca'))?.counter).toBe(0n);
    expect(decodeHeader(await sealed(sealer, 1, 'ca', false), 1)?.counter).toBe(0n);
    expect(decodeHeader(await sealed(sealer, 1, 'ca'))?.counter).toBe(1n);
  });
});

describe('opening', () => {
  it('gives each frame once', async () => {
    const { sealer, opener } = pair();
    const wires = await Promise.all([1, 2, 3].map((at) => sealed(sealer, at)));
    const [one, two, three] = wires as [Bytes, Bytes, Bytes];
    const results = await Promise.all(
      [two, one, two, three, one].map((wire) => opener.open(wire, 'a1', 0)),
    );
    expect(results.map(number)).toEqual([2, 1, 'replayed', 3, 'replayed']);
  });

  it('is not kept from a frame by a forged one with its counter', async () => {
    const { sealer, opener } = pair();
    const wire = await sealed(sealer, 1);
    const forged = wire.slice();
    forged[10] = (forged[10] ?? 0) ^ 1;
    expect(number(await opener.open(forged, 'a1', 0))).toBe('forged');
    expect(number(await opener.open(wire, 'a1', 0))).toBe(1);
  });

  it('takes the byte in the clear as it was sent', async () => {
    const { sealer, opener } = pair();
    const wire = await sealed(sealer, 1, 'ca', false);
    wire[0] = (wire[0] ?? 0) ^ 1;
    expect(number(await opener.open(wire, 'v1', 0))).toBe('forged');
  });

  it('drops what is no SFrame, or not of this kind of m-line', async () => {
    const { sealer, opener } = pair();
    expect(number(await opener.open(new Uint8Array(), 'a1', 0))).toBe('forged');
    expect(number(await opener.open(frame(1), 'v1', 0))).toBe('forged');
    expect(number(await opener.open(await sealed(sealer, 1, 'sc'), 'v1', 0))).toBe('forged');
    expect(number(await opener.open(await sealed(sealer, 1, 'ca'), 'a1', 0))).toBe('forged');
  });

  it('drops what is not from whoever belongs on the m-line', async () => {
    const { sealer, opener } = pair();
    const wire = await sealed(sealer, 1);
    const misplaced = opener.open(wire, 'a2', 0);
    expect(await soFar(misplaced)).toBe('waiting');
    opener.expire(HOLD_MS);
    expect(number(await misplaced)).toBe('wrong_sender');
    expect(number(await opener.open(wire, 'a1', HOLD_MS))).toBe(1);
  });

  it('goes by the tree of the epoch that the frame is of', async () => {
    const { sealer, opener } = pair(1);
    const before = await sealed(sealer, 1);
    // Ada left, and Cleo has her leaf and her slot.
    const leaves = { cleo: 0, ben: 1 };
    sealer.setEpoch(keys(2, { leaves }));
    opener.setEpoch(keys(2, { ownLeaf: 1, leaves }), 100);
    opener.setPlaces({ a1: 'cleo' });
    expect(number(await opener.open(await sealed(sealer, 2), 'a1', 100))).toBe(2);
    const late = opener.open(before, 'a1', 100);
    expect(await soFar(late)).toBe('waiting');
    opener.expire(100 + HOLD_MS);
    expect(number(await late)).toBe('wrong_sender');
  });

  it('follows someone to another leaf', async () => {
    const { sealer, opener } = pair(1);
    const before = await sealed(sealer, 1);
    const change = { ownLeaf: 2, leaves: { ada: 2, ben: 1 } };
    sealer.setEpoch(keys(2, change));
    opener.setEpoch(keys(2, { ...change, ownLeaf: 1 }), 0);
    expect(number(await opener.open(before, 'a1', 0))).toBe(1);
    expect(number(await opener.open(await sealed(sealer, 2), 'a1', 0))).toBe(2);
  });

  it('keeps the keys of an epoch 10 s after the next began', async () => {
    const { sealer, opener } = pair(1);
    const [early, late] = [await sealed(sealer, 1), await sealed(sealer, 2)];
    opener.setEpoch(keys(2), 5_000);
    expect(number(await opener.open(early, 'a1', 5_000 + KEPT_MS - 1))).toBe(1);
    expect(number(await opener.open(late, 'a1', 5_000 + KEPT_MS))).toBe('no_key');
  });

  it('does not begin its windows anew when the same epoch is set again', async () => {
    const { sealer, opener } = pair(1);
    const wire = await sealed(sealer, 1);
    expect(number(await opener.open(wire, 'a1', 0))).toBe(1);
    opener.setEpoch(keys(1, { ownLeaf: 1 }), 0);
    expect(number(await opener.open(wire, 'a1', 0))).toBe('replayed');
  });

  it('goes through 300 epochs, with one byte to tell them', async () => {
    const { sealer, opener } = pair(0);
    const first = await sealed(sealer, 1);
    for (let epoch = 1; epoch <= 300; epoch += 1) {
      const wire = await sealed(sealer, 7);
      sealer.setEpoch(keys(epoch));
      opener.setEpoch(keys(epoch), epoch * 1_000);
      expect(number(await opener.open(wire, 'a1', epoch * 1_000))).toBe(7);
      if (epoch === 256)
        expect(number(await opener.open(first, 'a1', epoch * 1_000))).toBe('forged');
    }
    expect(number(await opener.open(await sealed(sealer, 8), 'a1', 300_000))).toBe(8);
  });

  it('tells two epochs with the same byte apart while both are good', async () => {
    const { sealer, opener } = pair(3);
    const before = await sealed(sealer, 1);
    // A new group begins to count anew.
    const baseKey = new Uint8Array(32).fill(9);
    sealer.setEpoch(keys(3, { baseKey }));
    opener.setEpoch(keys(3, { baseKey }), 0);
    expect(number(await opener.open(await sealed(sealer, 2), 'a1', 0))).toBe(2);
    expect(number(await opener.open(before, 'a1', 0))).toBe(1);
    expect(number(await opener.open(before, 'a1', 0))).toBe('replayed');
  });
});

describe('where opening takes long', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('frames are opened beside each other, and come in their order', async () => {
    const { sealer, opener } = pair();
    const wires = [await sealed(sealer, 1), await sealed(sealer, 2), await sealed(sealer, 3)];
    const decrypt = crypto.subtle.decrypt.bind(crypto.subtle);
    const finish: (() => void)[] = [];
    vi.spyOn(crypto.subtle, 'decrypt').mockImplementation(async (...what) => {
      await new Promise<void>((resolve) => finish.push(resolve));
      return decrypt(...what);
    });
    const order: unknown[] = [];
    const results = wires.map(async (wire) => order.push(number(await opener.open(wire, 'a1', 0))));
    await vi.waitFor(() => expect(finish).toHaveLength(3));
    finish[2]?.();
    finish[1]?.();
    expect(await soFar(Promise.any(results))).toBe('waiting');
    finish[0]?.();
    await Promise.all(results);
    expect(order).toEqual([1, 2, 3]);
  });
});

describe('ahead of the key', () => {
  it('a frame waits for it, and those behind keep their order', async () => {
    const { sealer, opener } = pair(1);
    const old = await sealed(sealer, 0);
    sealer.setEpoch(keys(2));
    const wires = [await sealed(sealer, 1), old, await sealed(sealer, 2), await sealed(sealer, 3)];
    const order: unknown[] = [];
    const results = wires.map(async (wire) => order.push(number(await opener.open(wire, 'a1', 0))));
    expect(await soFar(Promise.any(results))).toBe('waiting');
    opener.setEpoch(keys(2), HOLD_MS - 1);
    await Promise.all(results);
    expect(order).toEqual([1, 0, 2, 3]);
  });

  it('a frame waits from the beginning, before there is any key or roster', async () => {
    const sealer = new Sealer();
    const opener = new Opener();
    sealer.setEpoch(keys(200));
    const opened = opener.open(await sealed(sealer, 1), 'a1', 0);
    opener.setEpoch(keys(200), 0);
    expect(await soFar(opened)).toBe('waiting');
    opener.setPlaces(PLACES);
    expect(await opened).toEqual({ frame: frame(1), held: true });
  });

  it('a frame waits for a roster that puts its sender there', async () => {
    const { sealer, opener } = pair();
    opener.setPlaces({ s0: 'ben' });
    const opened = opener.open(await sealed(sealer, 1, 'sc'), 's0', 0);
    expect(await soFar(opened)).toBe('waiting');
    opener.setPlaces({ s0: 'ada' });
    expect(number(await opened)).toBe(1);
  });

  it('holds up no other m-line', async () => {
    const { sealer, opener } = pair(1);
    const ben = new Sealer();
    ben.setEpoch(keys(1, { ownLeaf: 1 }));
    sealer.setEpoch(keys(2));
    const waiting = opener.open(await sealed(sealer, 1), 'a1', 0);
    expect(number(await opener.open(await sealed(ben, 2), 'a2', 0))).toBe(2);
    expect(await soFar(waiting)).toBe('waiting');
  });

  it('each frame waits 1 s, and is not opened later', async () => {
    const { sealer, opener } = pair(1);
    sealer.setEpoch(keys(2));
    const first = opener.open(await sealed(sealer, 1), 'a1', 0);
    const second = opener.open(await sealed(sealer, 2), 'a1', 600);
    opener.expire(HOLD_MS - 1);
    expect(await soFar(first)).toBe('waiting');
    opener.expire(HOLD_MS);
    expect(number(await first)).toBe('no_key');
    expect(await soFar(second)).toBe('waiting');
    opener.setEpoch(keys(2), HOLD_MS);
    expect(number(await second)).toBe(2);
  });

  it('64 frames wait, and no more', async () => {
    const { sealer, opener } = pair(1);
    sealer.setEpoch(keys(2));
    const results: Promise<Opened>[] = [];
    for (let at = 0; at < MAX_HELD; at += 1)
      results.push(opener.open(await sealed(sealer, at), 'a1', 0));
    expect(number(await opener.open(await sealed(sealer, 99), 'a1', 0))).toBe('held');
    opener.setEpoch(keys(2), 1);
    expect((await Promise.all(results)).map(number)).toEqual([...Array(MAX_HELD).keys()]);
    expect(number(await opener.open(await sealed(sealer, 100), 'a1', 1))).toBe(100);
  });

  it('a frame of an epoch that is over does not wait', async () => {
    const { sealer, opener } = pair(1);
    const wire = await sealed(sealer, 1);
    opener.setEpoch(keys(2), 0);
    expect(number(await opener.open(wire, 'a1', KEPT_MS))).toBe('no_key');
  });
});

describe('trouble', () => {
  const trouble = { mid: 'a1', kind: 'forged' } as const;

  it('is 10 frames within 2 s, told once in 10 s for each m-line', () => {
    const watch = new TroubleWatch();
    const told: number[] = [];
    for (let now = 0; now < 21_000; now += 100) if (watch.add(trouble, now)) told.push(now);
    expect(told).toEqual([900, 10_900, 20_900]);
  });

  it('is nothing that trickles in, nor that comes on many m-lines', () => {
    const watch = new TroubleWatch();
    for (let at = 0; at < 50; at += 1) expect(watch.add(trouble, at * 230)).toBe(false);
    for (let at = 0; at < 50; at += 1)
      expect(watch.add({ mid: `v${at}`, kind: 'wrong_sender' }, 99_999)).toBe(false);
  });
});
