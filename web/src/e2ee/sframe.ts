/** SFrame (RFC 9605) with the two AES-GCM suites that the room's MLS ciphersuites lead to. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** A cipher suite of RFC 9605, section 4.5. */
export interface SFrameSuite {
  id: number;
  hash: 'SHA-256' | 'SHA-512';
  /** Nk: of the base key, and of each key derived from it. */
  keyBytes: number;
}

export const AES_128_GCM_SHA256_128: SFrameSuite = { id: 0x0004, hash: 'SHA-256', keyBytes: 16 };
export const AES_256_GCM_SHA512_128: SFrameSuite = { id: 0x0005, hash: 'SHA-512', keyBytes: 32 };

/** Nn, of both suites. */
const NONCE_BYTES = 12;
/** Nt, of both suites. */
const TAG_BYTES = 16;
const NOTHING = new Uint8Array();

/** The suite that a base key is for: its length tells. */
export function suiteOf(baseKey: Uint8Array): SFrameSuite {
  const suite = [AES_128_GCM_SHA256_128, AES_256_GCM_SHA512_128].find(
    ({ keyBytes }) => keyBytes === baseKey.length,
  );
  if (!suite) throw new RangeError(`no SFrame suite has a base key of ${baseKey.length} bytes`);
  return suite;
}

// --- Header (section 4.3) ------------------------------------------------------------------

export interface SFrameHeader {
  kid: bigint;
  counter: bigint;
  /** How many bytes it took. */
  length: number;
}

/** A value below 8 stands in the three bits themselves; a greater one in 1 to 8 bytes after. */
function field(value: bigint): { bits: number; bytes: number[] } {
  if (value < 0n || value >= 1n << 64n) throw new RangeError('not an unsigned 64 bit number');
  if (value < 8n) return { bits: Number(value), bytes: [] };
  const bytes: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return { bits: 0x8 | (bytes.length - 1), bytes };
}

export function encodeHeader(kid: bigint, counter: bigint): Bytes {
  const k = field(kid);
  const c = field(counter);
  return Uint8Array.of((k.bits << 4) | c.bits, ...k.bytes, ...c.bytes);
}

/** Null if no header begins at `offset`, or one that is longer than it had to be. */
export function decodeHeader(bytes: Uint8Array, offset = 0): SFrameHeader | null {
  const config = bytes[offset];
  if (config === undefined) return null;
  let at = offset + 1;
  const read = (bits: number): bigint | null => {
    if ((bits & 0x8) === 0) return BigInt(bits);
    const end = at + (bits & 0x7) + 1;
    if (end > bytes.length) return null;
    let value = 0n;
    const first = at;
    for (; at < end; at += 1) value = (value << 8n) | BigInt(bytes[at] ?? 0);
    return bytes[first] === 0 || value < 8n ? null : value;
  };
  const kid = read(config >> 4);
  if (kid === null) return null;
  const counter = read(config & 0xf);
  return counter === null ? null : { kid, counter, length: at - offset };
}

// --- Keys (section 4.4.2) ------------------------------------------------------------------

export interface DerivedSecrets {
  /** sframe_key */
  key: Bytes;
  /** sframe_salt */
  salt: Bytes;
}

export interface FrameKeys {
  key: CryptoKey;
  salt: Bytes;
}

/** The base key, as the derivations take it. */
export function importBaseKey(baseKey: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', baseKey.slice(), 'HKDF', false, ['deriveBits']);
}

/** The label with which a KID's key or salt is derived. */
export function derivationLabel(suite: SFrameSuite, what: 'key' | 'salt', kid: bigint): Bytes {
  const text = new TextEncoder().encode(`SFrame 1.0 Secret ${what} `);
  const label = new Uint8Array(text.length + 10);
  label.set(text);
  const view = new DataView(label.buffer);
  view.setBigUint64(text.length, kid);
  view.setUint16(text.length + 8, suite.id);
  return label;
}

export async function deriveSecrets(
  suite: SFrameSuite,
  baseKey: CryptoKey,
  kid: bigint,
): Promise<DerivedSecrets> {
  // WebCrypto's HKDF extracts and expands in one, here as in the RFC without a salt.
  const derive = async (what: 'key' | 'salt', bytes: number) =>
    new Uint8Array(
      await crypto.subtle.deriveBits(
        {
          name: 'HKDF',
          hash: suite.hash,
          salt: new Uint8Array(),
          info: derivationLabel(suite, what, kid),
        },
        baseKey,
        bytes * 8,
      ),
    );
  const [key, salt] = await Promise.all([
    derive('key', suite.keyBytes),
    derive('salt', NONCE_BYTES),
  ]);
  return { key, salt };
}

export async function deriveKeys(
  suite: SFrameSuite,
  baseKey: CryptoKey,
  kid: bigint,
): Promise<FrameKeys> {
  const { key, salt } = await deriveSecrets(suite, baseKey, kid);
  return {
    key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']),
    salt,
  };
}

// --- Encryption (sections 4.4.3 and 4.4.4) -------------------------------------------------

/** The counter, as wide as the salt, XORed with it. */
export function nonceOf(salt: Bytes, counter: bigint): Bytes {
  const nonce = salt.slice();
  const view = new DataView(nonce.buffer);
  view.setUint32(4, view.getUint32(4) ^ Number(counter >> 32n));
  view.setUint32(8, view.getUint32(8) ^ Number(counter & 0xffff_ffffn));
  return nonce;
}

/** What is authenticated beside the plaintext; without metadata that is the header as it stands. */
function authenticated(header: Bytes, metadata: Uint8Array): Bytes {
  return metadata.length === 0 ? header : joined(header, metadata);
}

function joined(first: Uint8Array, second: Uint8Array, third = NOTHING): Bytes {
  const whole = new Uint8Array(first.length + second.length + third.length);
  whole.set(first);
  whole.set(second, first.length);
  whole.set(third, first.length + second.length);
  return whole;
}

/**
 * `prefix`, in the clear, and then the SFrame ciphertext of `plaintext`, which authenticates
 * `metadata`, too. No two calls may have the same keys and counter.
 */
export async function sealFrame(
  keys: FrameKeys,
  kid: bigint,
  counter: bigint,
  metadata: Uint8Array,
  plaintext: Bytes,
  prefix: Uint8Array = NOTHING,
): Promise<Bytes> {
  const header = encodeHeader(kid, counter);
  const ciphertext = await crypto.subtle.encrypt(
    {
      name: 'AES-GCM',
      iv: nonceOf(keys.salt, counter),
      additionalData: authenticated(header, metadata),
      tagLength: TAG_BYTES * 8,
    },
    keys.key,
    plaintext,
  );
  return joined(prefix, header, new Uint8Array(ciphertext));
}

/** The plaintext of an SFrame ciphertext; null if it is not authentic. */
export function openFrame(
  keys: FrameKeys,
  header: SFrameHeader,
  metadata: Uint8Array,
  sframe: Bytes,
): Promise<Bytes | null> {
  const opening = crypto.subtle.decrypt(
    {
      name: 'AES-GCM',
      iv: nonceOf(keys.salt, header.counter),
      additionalData: authenticated(sframe.subarray(0, header.length), metadata),
      tagLength: TAG_BYTES * 8,
    },
    keys.key,
    sframe.subarray(header.length),
  );
  return opening.then(bytes, notAuthentic);
}

const bytes = (buffer: ArrayBuffer): Bytes => new Uint8Array(buffer);

function notAuthentic(error: unknown): null {
  if (error instanceof DOMException && error.name === 'OperationError') return null;
  throw error;
}
