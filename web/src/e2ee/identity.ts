/** Who someone is to the others: a key that their page made, and what its credential says. */
import { sessionStore, type Store } from '../call/memory';
import { checkName } from '../call/name';
import { fromBase64, toBase64, toBase64Url } from './base64';

export type Role = 'participant' | 'facilitator';

/** What a member says of themselves in their MLS basic credential (RFC 9420 section 5.3). */
export interface Credential {
  name: string;
  role: Role;
}

/** Ed25519: the public key as its 32 bytes, the private one as PKCS #8. */
export interface SigningKeys {
  publicKey: Uint8Array;
  signKey: Uint8Array;
}

export function encodeCredential({ name, role }: Credential): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ name, role }));
}

/** Null where it is not exactly what `encodeCredential` could have been told. */
export function decodeCredential(identity: Uint8Array): Credential | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(identity));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return null;
  const { name, role } = value as Record<string, unknown>;
  if (typeof name !== 'string' || (role !== 'participant' && role !== 'facilitator')) return null;
  const checked = checkName(name);
  return checked.ok && checked.name === name ? { name, role } : null;
}

/** A `Participant.id`: the fingerprint of the key, 22 characters for 128 bits. */
export async function personId(signaturePublicKey: Uint8Array): Promise<string> {
  const label = new TextEncoder().encode('holdspace person');
  const digest = await crypto.subtle.digest(
    'SHA-256',
    Uint8Array.from([...label, ...signaturePublicKey]),
  );
  return toBase64Url(new Uint8Array(digest, 0, 16));
}

/** The keys of this visit to the room, made when it has none: who reloads stays the same person. */
export async function signingKeys(
  room: string,
  store: Pick<Store, 'getItem' | 'setItem'> = sessionStore(),
): Promise<SigningKeys> {
  const place = `holdspace:signing:${room}`;
  const kept = await parseKeys(store.getItem(place));
  if (kept !== null) return kept;
  const made = await newSigningKeys();
  store.setItem(place, `${toBase64(made.publicKey)} ${toBase64(made.signKey)}`);
  return made;
}

export async function newSigningKeys(): Promise<SigningKeys> {
  const made = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', made.publicKey));
  const signKey = new Uint8Array(await crypto.subtle.exportKey('pkcs8', made.privateKey));
  return { publicKey, signKey };
}

/** Null where they are not a pair: a key that nobody could check would lock its owner out. */
async function parseKeys(text: string | null): Promise<SigningKeys | null> {
  const [publicKey, signKey] = (text ?? '').split(' ').map(fromBase64);
  if (!publicKey || !signKey) return null;
  const trial = new Uint8Array(1);
  try {
    const sign = await crypto.subtle.importKey('pkcs8', signKey, 'Ed25519', false, ['sign']);
    const verify = await crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
    const signature = await crypto.subtle.sign('Ed25519', sign, trial);
    const paired = await crypto.subtle.verify('Ed25519', verify, signature, trial);
    return paired ? { publicKey, signKey } : null;
  } catch {
    return null;
  }
}
