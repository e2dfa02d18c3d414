/** What the page and the worker that seals and opens its frames say to each other. */
import type { EpochKeys } from './epoch-keys';
import type { SentMid } from './kid';
import type { DropReason } from './opener';

/** What an `RTCRtpScriptTransform` is made for. */
export type TransformOptions = { side: 'seal'; mid: SentMid } | { side: 'open'; mid: string };

export type ToWorker =
  | { type: 'epoch'; keys: EpochKeys }
  | { type: 'stop_sealing' }
  | { type: 'places'; places: Record<string, string> }
  | { type: 'whole_frames'; whole: boolean }
  | { type: 'stats'; id: number };

/** Frames on an m-line that could not be opened, and not just a few; see `DropReason`. */
export interface Trouble {
  mid: string;
  kind: 'wrong_sender' | 'forged' | 'no_key';
}

/** Wall time from when frames were there until they were sealed or opened, in µs. */
export interface Work {
  frames: number;
  totalUs: number;
  maxUs: number;
}

/** Since the worker began. */
export interface FrameStats {
  sealed: number;
  opened: number;
  /** Not sent, as there was no key. */
  unsealed: number;
  /** Not handed on, by why. */
  dropped: Record<DropReason, number>;
  /** Frames that had to wait for their key are not in `open`. */
  audio: { seal: Work; open: Work };
  video: { seal: Work; open: Work };
}

export type FromWorker =
  | ({ type: 'trouble' } & Trouble)
  | { type: 'stats'; id: number; stats: FrameStats };
