/** Opens what this page receives, on all its m-lines. */
import { KeySchedule, sameEpoch, type EpochKeys } from './epoch-keys';
import { CLEAR_BYTE, decodeKid, epochByte, receivedTrack, TRACK, type Kid } from './kid';
import { ReplayWindow } from './replay';
import { decodeHeader, openFrame, type Bytes, type SFrameHeader } from './sframe';

/** Keys are good for receiving so long after the next epoch began. */
export const KEPT_MS = 10_000;
/** A frame that comes ahead of its key, or of its sender's place, waits so long. */
export const HOLD_MS = 1_000;
/** So many frames of one m-line may wait. */
export const MAX_HELD = 64;

/**
 * `no_key`: of an epoch that is over, or whose key did not come in time. `held`: too many waited.
 * `replayed`: has come before. `wrong_sender`: not from whoever belongs on this m-line. `forged`:
 * not authentic, or no SFrame of this kind of m-line at all.
 */
export type DropReason = 'no_key' | 'held' | 'replayed' | 'wrong_sender' | 'forged';

/** `held`: it waited for its key or place, or behind another that did. */
export type Opened = { frame: Bytes; held: boolean } | { drop: DropReason };

interface Epoch {
  keys: EpochKeys;
  schedule: KeySchedule;
  windows: Map<bigint, ReplayWindow>;
  /** In ms; infinite for the current one. */
  expires: number;
}

/** One m-line. None of its frames overtakes any. */
interface Lane {
  /** Until the latest one has its key, or gets none. */
  keyed: Promise<unknown>;
  /** Until it is opened, or dropped. */
  opened: Promise<unknown>;
  /** How many have come and are not opened or dropped. */
  waiting: number;
  /** Whether the first one waits for something to change. */
  held: boolean;
}

interface Sealed {
  kid: Kid;
  header: SFrameHeader;
  /** The byte in the clear, if there is one. */
  clear: Bytes;
  sframe: Bytes;
}

const NOTHING: Bytes = new Uint8Array();

/** What a frame on `mid` says of itself; null if it is none that could come there. */
function parse(frame: Bytes, mid: string): Sealed | null {
  const track = receivedTrack(mid);
  // A codec's byte before it never makes a header look like one with a camera's or a screen's
  // track: the KID would begin in the real config byte, which is far too great.
  for (const clear of track === TRACK.mic ? [0] : [0, 1]) {
    const header = decodeHeader(frame, clear);
    const kid = header && decodeKid(header.kid);
    if (header && kid?.track === (clear ? track | CLEAR_BYTE : track))
      return clear
        ? { kid, header, clear: frame.subarray(0, clear), sframe: frame.subarray(clear) }
        : { kid, header, clear: NOTHING, sframe: frame };
  }
  return null;
}

function behind(clear: Bytes, plaintext: Bytes): Bytes {
  if (clear.length === 0) return plaintext;
  const frame = new Uint8Array(clear.length + plaintext.length);
  frame.set(clear);
  frame.set(plaintext, clear.length);
  return frame;
}

export class Opener {
  /** The newest first. */
  #epochs: Epoch[] = [];
  #places: Readonly<Record<string, string>> = {};
  readonly #lanes = new Map<string, Lane>();
  /** The latest time that was told, in ms. */
  #now = 0;
  /** Wakes those that wait for a key, a place, or the end of their patience. */
  #wake: () => void = () => undefined;
  #change: Promise<void> = Promise.resolve();

  constructor() {
    this.#changed();
  }

  setEpoch(keys: EpochKeys, now: number): void {
    const current = this.#epochs[0];
    if (current && sameEpoch(current.keys, keys)) return;
    if (current) current.expires = now + KEPT_MS;
    this.#epochs.unshift({
      keys,
      schedule: new KeySchedule(keys.baseKey),
      windows: new Map(),
      expires: Infinity,
    });
    this.expire(now);
  }

  /** By mid, the id of the person who belongs there. */
  setPlaces(places: Readonly<Record<string, string>>): void {
    this.#places = places;
    this.#changed();
  }

  /** Lets time go on: forgets old keys, and drops what has waited too long. */
  expire(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#epochs = this.#epochs.filter(({ expires }) => expires > this.#now);
    this.#changed();
  }

  /** The results for one m-line come in the order of its frames. */
  open(frame: Bytes, mid: string, now: number): Promise<Opened> {
    this.#now = Math.max(this.#now, now);
    let lane = this.#lanes.get(mid);
    if (!lane) {
      lane = { keyed: Promise.resolve(), opened: Promise.resolve(), waiting: 0, held: false };
      this.#lanes.set(mid, lane);
    }
    if (lane.waiting >= MAX_HELD) return Promise.resolve({ drop: 'held' });
    const sealed = parse(frame, mid);
    if (sealed === null) return Promise.resolve({ drop: 'forged' });
    const here = lane;
    const isFirst = here.waiting === 0;
    const opening =
      (isFirst ? this.#openAtOnce(sealed, mid) : null) ?? this.#openOnceKeyed(sealed, mid, here, now);
    const result = isFirst ? opening : here.opened.then(() => opening);
    const done = () => {
      here.waiting -= 1;
    };
    here.waiting += 1;
    here.opened = result.then(done, done);
    return result;
  }

  /** Nearly every frame: none is before it on its m-line, and its key is there. Null otherwise. */
  #openAtOnce(sealed: Sealed, mid: string): Promise<Opened> | null {
    let only: Epoch | null = null;
    for (const epoch of this.#epochs) {
      if (!this.#fits(epoch, sealed, mid)) continue;
      if (only !== null) return null;
      only = epoch;
    }
    const { header, clear, sframe } = sealed;
    const keys = only?.schedule.ready(header.kid);
    const window = only?.windows.get(header.kid);
    if (keys === undefined || window === undefined || window.has(header.counter)) return null;
    return openFrame(keys, header, clear, sframe).then((plaintext) => {
      if (plaintext === null) return { drop: 'forged' };
      if (!window.add(header.counter)) return { drop: 'replayed' };
      return { frame: behind(clear, plaintext), held: false };
    });
  }

  /**
   * One does not wait for another to be opened: in Firefox that takes a way to another thread and
   * back, on a busy machine longer than until the next frame.
   */
  async #openOnceKeyed(sealed: Sealed, mid: string, lane: Lane, now: number): Promise<Opened> {
    const patience = { until: now + HOLD_MS, held: lane.held };
    const keyed = lane.keyed.then(() => this.#epochsFor(sealed, mid, lane, patience));
    lane.keyed = keyed;
    const epochs = await keyed;
    if (typeof epochs === 'string') return { drop: epochs };
    return this.#openWith(epochs, sealed, patience.held);
  }

  /** Those whose keys may open it, once there are some; or why it is dropped. */
  async #epochsFor(
    sealed: Sealed,
    mid: string,
    lane: Lane,
    patience: { until: number; held: boolean },
  ): Promise<Epoch[] | DropReason> {
    for (;;) {
      const fitting = this.#epochs.filter((epoch) => this.#fits(epoch, sealed, mid));
      if (fitting.length > 0) return fitting;
      const known = this.#epochs.some((epoch) => this.#isOf(epoch, sealed));
      if (!known && !this.#ahead(sealed.kid)) return 'no_key';
      if (this.#now >= patience.until)
        return !known || this.#places[mid] === undefined ? 'no_key' : 'wrong_sender';
      // What is said over the socket may come later than the first frame that it is about: a
      // commit than frames of the epoch it begins, a roster than frames of who is new in a place.
      patience.held = lane.held = true;
      await this.#change;
      lane.held = false;
    }
  }

  #isOf({ keys, expires }: Epoch, { kid }: Sealed): boolean {
    return expires > this.#now && epochByte(keys.epoch) === kid.epochByte;
  }

  /** Whether it may have been sealed in this epoch, by whoever belongs on the m-line. */
  #fits(epoch: Epoch, sealed: Sealed, mid: string): boolean {
    const person = this.#places[mid];
    return (
      person !== undefined &&
      epoch.keys.leaves[person] === sealed.kid.leaf &&
      this.#isOf(epoch, sealed)
    );
  }

  /** Two epochs that end in the same byte are told apart by which key fits. */
  async #openWith(epochs: Epoch[], sealed: Sealed, held: boolean): Promise<Opened> {
    const { kid } = sealed.header;
    let replayed = false;
    for (const { schedule, windows } of epochs) {
      let window = windows.get(kid);
      if (window?.has(sealed.header.counter)) {
        replayed = true;
        continue;
      }
      const plaintext = await openFrame(
        await schedule.of(kid),
        sealed.header,
        sealed.clear,
        sealed.sframe,
      );
      if (plaintext === null) continue;
      if (!window) {
        window = windows.get(kid) ?? new ReplayWindow();
        windows.set(kid, window);
      }
      if (!window.add(sealed.header.counter)) return { drop: 'replayed' };
      return { frame: behind(sealed.clear, plaintext), held };
    }
    return { drop: replayed ? 'replayed' : 'forged' };
  }

  /** Whether this may be an epoch that is still to come for this page. */
  #ahead({ epochByte: byte }: Kid): boolean {
    const current = this.#epochs[0];
    if (!current) return true;
    const steps = (byte - epochByte(current.keys.epoch) + 256) % 256;
    return steps > 0 && steps < 128;
  }

  #changed(): void {
    this.#wake();
    this.#change = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
