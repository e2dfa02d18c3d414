/** Seals what this page sends. */
import { KeySchedule, sameEpoch, type EpochKeys } from './epoch-keys';
import { CLEAR_BYTE, encodeKid, epochByte, sentTrack, TRACK, type SentMid } from './kid';
import { sealFrame, type Bytes } from './sframe';

export class Sealer {
  #epoch: { keys: EpochKeys; schedule: KeySchedule } | null = null;
  /**
   * The next counter, by epoch and KID. Never forgotten and never set back: a counter that comes
   * twice under one key would give both frames away (RFC 9605, section 9.1).
   */
  readonly #counters = new Map<string, bigint>();

  setEpoch(keys: EpochKeys): void {
    if (this.#epoch && sameEpoch(this.#epoch.keys, keys)) return;
    this.#epoch = { keys, schedule: new KeySchedule(keys.baseKey) };
  }

  /** Seals nothing more, until there is a new epoch: who was removed still has the keys. */
  stop(): void {
    this.#epoch = null;
  }

  /**
   * With `whole`, everything is sealed; else the first byte of video stays in the clear. Null as
   * long as there is no key: the frame must not be sent then.
   */
  async seal(frame: Bytes, mid: SentMid, whole: boolean): Promise<Bytes | null> {
    const epoch = this.#epoch;
    if (epoch === null) return null;
    const { keys, schedule } = epoch;
    const track = sentTrack(mid);
    const clear = whole || track === TRACK.mic ? 0 : 1;
    const kid = encodeKid({
      track: clear ? track | CLEAR_BYTE : track,
      leaf: keys.ownLeaf,
      epochByte: epochByte(keys.epoch),
    });
    // Taken before anything is awaited, so that no two frames get the same one.
    const counterOf = `${keys.epoch}:${kid}`;
    const counter = this.#counters.get(counterOf) ?? 0n;
    this.#counters.set(counterOf, counter + 1n);
    const first = frame.subarray(0, clear);
    return sealFrame(await schedule.of(kid), kid, counter, first, frame.subarray(clear), first);
  }
}
