/** The frame keys of one epoch of the room's MLS group. */
import { sameBytes } from './bytes';
import { deriveKeys, importBaseKey, suiteOf, type FrameKeys, type SFrameSuite } from './sframe';

export interface EpochKeys {
  /** Of the MLS group. */
  epoch: number;
  /** MLS-Exporter("SFrame 1.0 Base Key", "", Nk) of that epoch (RFC 9605, section 5.2). */
  baseKey: Uint8Array;
  ownLeaf: number;
  /** By person id, the leaf that they have in the epoch's tree. */
  leaves: Record<string, number>;
}

/** Derives the keys of each KID when they are needed first. */
export class KeySchedule {
  readonly #suite: SFrameSuite;
  readonly #baseKey: Promise<CryptoKey>;
  readonly #byKid = new Map<bigint, Promise<FrameKeys>>();
  readonly #ready = new Map<bigint, FrameKeys>();

  constructor(baseKey: Uint8Array) {
    this.#suite = suiteOf(baseKey);
    this.#baseKey = importBaseKey(baseKey);
  }

  of(kid: bigint): Promise<FrameKeys> {
    let keys = this.#byKid.get(kid);
    if (!keys) {
      keys = this.#baseKey.then(async (baseKey) => {
        const derived = await deriveKeys(this.#suite, baseKey, kid);
        this.#ready.set(kid, derived);
        return derived;
      });
      this.#byKid.set(kid, keys);
    }
    return keys;
  }

  /** The same, where they have been derived already: a frame then has nothing to wait for. */
  ready(kid: bigint): FrameKeys | undefined {
    return this.#ready.get(kid);
  }
}

/** Whether both are the same epoch of the same group: a new group counts its epochs anew. */
export function sameEpoch(a: EpochKeys, b: EpochKeys): boolean {
  return a.epoch === b.epoch && sameBytes(a.baseKey, b.baseKey);
}
