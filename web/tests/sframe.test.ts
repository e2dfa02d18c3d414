/** SFrame against the test vectors of RFC 9605, appendix C, as its working group gives them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeKid, encodeKid, epochByte, receivedTrack, sentTrack } from '../src/e2ee/kid';
import { REPLAY_WINDOW, ReplayWindow } from '../src/e2ee/replay';
import {
  AES_128_GCM_SHA256_128,
  AES_256_GCM_SHA512_128,
  decodeHeader,
  deriveKeys,
  derivationLabel,
  deriveSecrets,
  encodeHeader,
  importBaseKey,
  nonceOf,
  openFrame,
  sealFrame,
  suiteOf,
} from '../src/e2ee/sframe';

interface Vectors {
  header: { kid: string; ctr: string; encoded: string }[];
  sframe: ({ cipher_suite: number; kid: string; ctr: string } & Record<
    | 'base_key'
    | 'sframe_key_label'
    | 'sframe_salt_label'
    | 'sframe_key'
    | 'sframe_salt'
    | 'metadata'
    | 'nonce'
    | 'aad'
    | 'pt'
    | 'ct',
    string
  >)[];
}

// KIDs and counters go up to 64 bits, more than a JSON number can tell exactly.
const VECTORS = JSON.parse(
  readFileSync(new URL('data/sframe-test-vectors.json', import.meta.url), 'utf8').replace(
    /("(?:kid|ctr)": )(\d+)/g,
    '$1"$2"',
  ),
) as Vectors;

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

describe('header', () => {
  it('is encoded and decoded as in all vectors', () => {
    expect(VECTORS.header.length).toBe(289);
    for (const { kid, ctr, encoded } of VECTORS.header) {
      expect(hex(encodeHeader(BigInt(kid), BigInt(ctr)))).toBe(encoded);
      expect(decodeHeader(bytes(`${encoded}aabb`))).toEqual({
        kid: BigInt(kid),
        counter: BigInt(ctr),
        length: encoded.length / 2,
      });
    }
  });

  it('is not read beyond the end of the frame', () => {
    for (const { encoded } of VECTORS.header)
      for (let length = 0; length < encoded.length / 2; length += 1)
        expect(decodeHeader(bytes(encoded).subarray(0, length))).toBeNull();
  });

  it('is not taken if it is longer than it had to be', () => {
    for (const encoded of ['8007', '900008', '0807', '090008', '80', ''])
      expect(decodeHeader(bytes(encoded))).toBeNull();
    expect(decodeHeader(bytes('8008'))?.kid).toBe(8n);
  });

  it('does not hold more than 64 bits', () => {
    expect(() => encodeHeader(1n << 64n, 0n)).toThrow(RangeError);
    expect(() => encodeHeader(0n, -1n)).toThrow(RangeError);
  });
});

describe.each([AES_128_GCM_SHA256_128, AES_256_GCM_SHA512_128])('suite $id', (suite) => {
  const vectors = VECTORS.sframe.filter((one) => one.cipher_suite === suite.id);
  const vector = vectors[0];
  if (!vector) throw new Error('no vector');
  const kid = BigInt(vector.kid);
  const counter = BigInt(vector.ctr);
  const keys = async () => deriveKeys(suite, await importBaseKey(bytes(vector.base_key)), kid);

  it('derives what the vector has', async () => {
    expect(vectors.length).toBe(1);
    expect(hex(derivationLabel(suite, 'key', kid))).toBe(vector.sframe_key_label);
    expect(hex(derivationLabel(suite, 'salt', kid))).toBe(vector.sframe_salt_label);
    const base = await importBaseKey(bytes(vector.base_key));
    const { key, salt } = await deriveSecrets(suite, base, kid);
    expect(hex(key)).toBe(vector.sframe_key);
    expect(hex(salt)).toBe(vector.sframe_salt);
    expect(hex(nonceOf(salt, counter))).toBe(vector.nonce);
    expect(hex(encodeHeader(kid, counter)) + vector.metadata).toBe(vector.aad);
  });

  it('seals and opens as the vector does', async () => {
    const metadata = bytes(vector.metadata);
    const sealed = await sealFrame(await keys(), kid, counter, metadata, bytes(vector.pt));
    expect(hex(sealed)).toBe(vector.ct);
    const header = decodeHeader(sealed);
    if (!header) throw new Error('no header');
    const opened = await openFrame(await keys(), header, metadata, sealed);
    expect(opened && hex(opened)).toBe(vector.pt);
  });

  it('opens nothing that was changed in any byte, or cut', async () => {
    const sealed = bytes(vector.ct);
    const header = decodeHeader(sealed);
    if (!header) throw new Error('no header');
    const metadata = bytes(vector.metadata);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = sealed.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await openFrame(await keys(), header, metadata, changed)).toBeNull();
    }
    expect(await openFrame(await keys(), header, bytes('00'), sealed)).toBeNull();
    expect(await openFrame(await keys(), header, metadata, sealed.slice(0, 8))).toBeNull();
  });
});

it('knows the suite by the length of its base key', () => {
  expect(suiteOf(new Uint8Array(16))).toBe(AES_128_GCM_SHA256_128);
  expect(suiteOf(new Uint8Array(32))).toBe(AES_256_GCM_SHA512_128);
  expect(() => suiteOf(new Uint8Array(24))).toThrow(RangeError);
});

describe('KID', () => {
  it('has track, leaf and the last byte of the epoch', () => {
    const kid = { track: 5, leaf: 255, epochByte: epochByte(0x1_02_fe) };
    expect(encodeKid(kid)).toBe(0x05_ff_fen);
    expect(decodeKid(0x05_ff_fen)).toEqual(kid);
    expect(decodeKid(0x0an)).toEqual({ track: 0, leaf: 0, epochByte: 10 });
  });

  it('refuses what does not fit', () => {
    expect(() => encodeKid({ track: 0, leaf: 256, epochByte: 0 })).toThrow(RangeError);
    expect(decodeKid(0x08_00_00n)).toBeNull();
    expect(decodeKid((1n << 64n) - 1n)).toBeNull();
  });

  it('keeps epochs beyond 32 bits apart', () => {
    expect(epochByte(2 ** 40 + 3)).toBe(3);
  });

  it('knows tracks by their m-line', () => {
    expect([sentTrack('mi'), sentTrack('ca'), sentTrack('sc')]).toEqual([0, 1, 2]);
    expect(['a0', 'af', 'v0', 'vf', 's0'].map(receivedTrack)).toEqual([0, 0, 1, 1, 2]);
  });
});

describe('replay window', () => {
  it('takes every counter once, in any order within its reach', () => {
    const window = new ReplayWindow();
    const order = [0n, 5n, 3n, 4n, 130n, 129n, 3n + BigInt(REPLAY_WINDOW)];
    for (const counter of order) expect(window.add(counter)).toBe(true);
    for (const counter of order) expect(window.add(counter)).toBe(false);
    expect(window.has(128n)).toBe(false);
  });

  it('reaches back 128 counters and no further', () => {
    const window = new ReplayWindow();
    window.add(1000n);
    expect(window.has(1000n - BigInt(REPLAY_WINDOW))).toBe(true);
    expect(window.has(1001n - BigInt(REPLAY_WINDOW))).toBe(false);
    expect(window.add(1001n - BigInt(REPLAY_WINDOW))).toBe(true);
    expect(window.has(1001n - BigInt(REPLAY_WINDOW))).toBe(true);
  });

  it('forgets nothing by a leap just within its width', () => {
    const window = new ReplayWindow();
    window.add(7n);
    window.add(7n + BigInt(REPLAY_WINDOW) - 1n);
    expect(window.has(7n)).toBe(true);
    expect(window.has(8n)).toBe(false);
    window.add(10_000n);
    expect(window.has(9_999n)).toBe(false);
  });
});
