/**
 * Who sealed a frame, and with which epoch's keys: the KID for MLS (RFC 9605, section 5.2), with
 * E = 8 bits of epoch, S = 8 bits of leaf index, and the track as the context.
 */

/** What a frame is part of. With `CLEAR_BYTE` added, its codec's first byte is not sealed. */
export const TRACK = { mic: 0, camera: 1, screen: 2 } as const;
export const CLEAR_BYTE = 4;

export type SentMid = 'mi' | 'ca' | 'sc';

export interface Kid {
  track: number;
  leaf: number;
  /** The lowest eight bits of the MLS epoch. */
  epochByte: number;
}

export const epochByte = (epoch: number) => epoch % 256;

export function encodeKid({ track, leaf, epochByte: byte }: Kid): bigint {
  if (leaf < 0 || leaf > 255) throw new RangeError(`leaf ${leaf} does not fit into a KID`);
  return BigInt((track << 16) | (leaf << 8) | byte);
}

/** Null if it is none of ours. */
export function decodeKid(kid: bigint): Kid | null {
  if (kid >> 16n > 7n) return null;
  const bits = Number(kid);
  return { track: bits >> 16, leaf: (bits >> 8) & 0xff, epochByte: bits & 0xff };
}

/** The track that an m-line of this page sends. */
export function sentTrack(mid: SentMid): number {
  return { mi: TRACK.mic, ca: TRACK.camera, sc: TRACK.screen }[mid];
}

/** The track that arrives on an m-line: `a0` to `af`, `v0` to `vf`, or `s0`. */
export function receivedTrack(mid: string): number {
  if (mid.startsWith('a')) return TRACK.mic;
  return mid.startsWith('s') ? TRACK.screen : TRACK.camera;
}
