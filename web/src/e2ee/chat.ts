/**
 * What is inside chat's MLS application messages: words for the whole room, or words that only
 * some of its members can open, since everyone in the group has the keys of the group.
 */
import { fromBase64, toBase64 } from './base64';
import type { EpochState, Group, Sealed } from './group';
import { GroupError } from './group-error';
import type { Member } from './view';

/** In code points, as the person writing counts. */
export const MAX_TEXT = 2_000;
export const MAX_RECIPIENTS = 16;
/** Bytes; larger ones would not fit the wire's limit for a chat message with the next step up. */
const SIZES = [256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768];
const LABEL = 'Holdspace private chat';
const IV_BYTES = 12;

export type ChatText =
  | { kind: 'room'; text: string }
  | {
      kind: 'private';
      /** Ids; the sender is not among them. */
      to: string[];
      text: string;
    };

interface Private {
  to: string[];
  /** The key of `body`, for each of `to` in their order. */
  sealed: (Sealed & { leaf: number })[];
  iv: Uint8Array<ArrayBuffer>;
  body: Uint8Array<ArrayBuffer>;
}

/** Zero bytes up to one of few lengths, so that the length tells little about the words. */
export function pad(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = SIZES.find((one) => one >= bytes.length);
  if (size === undefined) throw new RangeError('too long for a chat message');
  const padded = new Uint8Array(size);
  padded.set(bytes);
  return padded;
}

/** Null where it was not padded so. What is padded never ends with a zero byte: it is JSON. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end -= 1;
  const size = SIZES.find((one) => one >= end);
  return size === padded.length ? padded.subarray(0, end) : null;
}

/** The plaintext for all. */
export function encodeRoom(text: string): Uint8Array {
  return paddedJson({ kind: 'room', text: checkedText(text) });
}

/**
 * The plaintext for some, to be written in the same epoch.
 *
 * Throws RangeError where it is for too many: with X-Wing, 2,000 characters can go to 12 people
 * in any script, and to 15 in most.
 */
export async function encodePrivate(
  group: Pick<Group, 'state' | 'sealTo'>,
  to: readonly Member[],
  text: string,
): Promise<Uint8Array> {
  const { state } = group;
  if (state === null) throw new GroupError('no_group', 'this page is in no group');
  if (to.length === 0 || to.length > MAX_RECIPIENTS)
    throw new RangeError('private words need 1 to 16 people to read them');
  const ids = to.map((one) => one.id);
  const context = contextOf(state.group, state.epoch, state.ownLeaf, ids);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt']);
  const inner = paddedJson({ text: checkedText(text) });
  const body = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, inner);
  const sealed = [];
  for (const { leaf } of to) {
    const { kem, ciphertext } = await group.sealTo(leaf, LABEL, context, secret);
    sealed.push({ leaf, kem: toBase64(kem), ct: toBase64(ciphertext) });
  }
  secret.fill(0);
  return paddedJson({
    kind: 'private',
    to: ids,
    sealed,
    iv: toBase64(iv),
    body: toBase64(new Uint8Array(body)),
  });
}

/** What `Group.read` gave as words; null where it is not well-formed, or not for this page. */
export async function decodeChat(
  group: Pick<Group, 'state' | 'openOwn'>,
  sender: Member,
  epoch: number,
  plaintext: Uint8Array,
): Promise<ChatText | null> {
  const value = parsePadded(plaintext);
  if (value === null) return null;
  if (hasExactly(value, ['kind', 'text']) && value.kind === 'room')
    return isText(value.text) ? { kind: 'room', text: value.text } : null;
  const content = parsePrivate(value);
  if (content === null || group.state === null) return null;
  const text = await openPrivate(group, group.state, sender, epoch, content);
  return text === null ? null : { kind: 'private', to: content.to, text };
}

async function openPrivate(
  group: Pick<Group, 'openOwn'>,
  state: EpochState,
  sender: Member,
  epoch: number,
  { to, sealed, iv, body }: Private,
): Promise<string | null> {
  // The id, not the leaf, is what stays over the epochs.
  const ownId = state.members.find(({ leaf }) => leaf === state.ownLeaf)?.id;
  const own = sealed.find((_, at) => to[at] === ownId);
  if (own === undefined) return null;
  const context = contextOf(state.group, epoch, sender.leaf, to);
  try {
    const secret = Uint8Array.from(await group.openOwn(epoch, LABEL, context, own));
    const key = await crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['decrypt']);
    const inner = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, body);
    const value = parsePadded(new Uint8Array(inner));
    return value !== null && hasExactly(value, ['text']) && isText(value.text) ? value.text : null;
  } catch {
    return null;
  }
}

/** Group id, epoch (8 bytes), sender's leaf (4 bytes), ids with commas between them. */
function contextOf(group: Uint8Array, epoch: number, leaf: number, to: string[]): Uint8Array {
  const ids = new TextEncoder().encode(to.join(','));
  const context = new Uint8Array(group.length + 12 + ids.length);
  context.set(group);
  const view = new DataView(context.buffer, group.length);
  view.setBigUint64(0, BigInt(epoch));
  view.setUint32(8, leaf);
  context.set(ids, group.length + 12);
  return context;
}

function checkedText(text: string): string {
  if (!isText(text)) throw new RangeError('chat needs 1 to 2,000 characters');
  return text;
}

function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.trim() !== '' &&
    Array.from(value).length <= MAX_TEXT &&
    !/\p{Surrogate}/u.test(value)
  );
}

function paddedJson(value: unknown): Uint8Array<ArrayBuffer> {
  return pad(new TextEncoder().encode(JSON.stringify(value)));
}

function parsePadded(padded: Uint8Array): Record<string, unknown> | null {
  const bytes = unpad(padded);
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function parsePrivate(value: Record<string, unknown>): Private | null {
  const { kind, to, sealed, iv, body } = value;
  if (!hasExactly(value, ['kind', 'to', 'sealed', 'iv', 'body']) || kind !== 'private') return null;
  if (!Array.isArray(to) || !Array.isArray(sealed) || to.length !== sealed.length) return null;
  if (to.length === 0 || to.length > MAX_RECIPIENTS || new Set(to).size !== to.length) return null;
  const isId = (id: unknown): id is string => typeof id === 'string' && /^[\w-]{22}$/.test(id);
  if (!to.every(isId)) return null;
  const keys: Private['sealed'] = [];
  for (const one of sealed as unknown[]) {
    if (!isRecord(one) || !hasExactly(one, ['leaf', 'kem', 'ct'])) return null;
    const kem = bytesOf(one.kem);
    const ciphertext = bytesOf(one.ct);
    if (typeof one.leaf !== 'number' || kem === null || ciphertext === null) return null;
    keys.push({ leaf: one.leaf, kem, ciphertext });
  }
  const [nonce, sealedBody] = [bytesOf(iv), bytesOf(body)];
  if (nonce?.length !== IV_BYTES || sealedBody === null) return null;
  return { to, sealed: keys, iv: nonce, body: sealedBody };
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | null {
  return typeof value === 'string' ? fromBase64(value) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasExactly(value: Record<string, unknown>, keys: string[]): boolean {
  return Object.keys(value).length === keys.length && keys.every((key) => key in value);
}
