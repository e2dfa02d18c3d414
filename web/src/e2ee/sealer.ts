/** Seals what this page sends. */
import { KeySchedule, sameEpoch, type EpochKeys } from './epoch-keys';
import { CLEAR_BYTE, encodeKid, epochByte, sentTrack, TRACK, type SentMid } from './kid';
import { sealFrame, type Bytes } from './sframe';

export class Sealer {
  #epoch: { keys: EpochKeys; schedule: KeySchedule; counters: Map<bigint, bigint> } | null = null;
  /**
   * The next counter, by epoch and KID. Never forgotten and never set back: a counter that comes
   * twice under one key would give both frames away (RFC 9605, section 9.1).
   */
  readonly #counters = new Map<number, Map<bigint, bigint>>();

  setEpoch(keys: EpochKeys): void {
    if (this.#epoch && sameEpoch(this.#epoch.keys, keys)) return;
    const counters = this.#counters.get(keys.epoch) ?? new Map<bigint, bigint>();
    this.#counters.set(keys.epoch, counters);
    this.#epoch = { keys, schedule: new KeySchedule(keys.baseKey), counters };
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
    const { keys, schedule, counters } = epoch;
    const track = sentTrack(mid);
    const clear = whole || track === TRACK.mic ? 0 : 1;
    const kid = encodeKid({
      track: clear ? track | CLEAR_BYTE : track,
      leaf: keys.ownLeaf,
      epochByte: epochByte(keys.epoch),
    });
    // Taken before anything is awaited, so that no two frames get the same one.
    const counter = counters.get(kid) ?? 0n;
    counters.set(kid, counter + 1n);
    const first = frame.subarray(0, clear);
    const frameKeys = schedule.ready(kid) ?? (await schedule.of(kid));
    return sealFrame(frameKeys, kid, counter, first, frame.subarray(clear), first);
  }
}
