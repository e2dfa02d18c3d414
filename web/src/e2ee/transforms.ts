/** The page's side of sealing and opening frames: the work is done in a worker. */
import type { EpochKeys } from './epoch-keys';
import type { SentMid } from './kid';
import type {
  FrameStats,
  FromWorker,
  ToWorker,
  TransformOptions,
  Trouble,
} from './worker-messages';

export type { EpochKeys } from './epoch-keys';

export interface FrameTransforms {
  /** Before the sender has a track. */
  seal(sender: RTCRtpSender, mid: SentMid): void;
  /** Before the receiver gets packets. */
  open(receiver: RTCRtpReceiver, mid: string): void;
  /** From now on sends with this epoch's keys, and receives with those of earlier ones for 10 s. */
  setEpoch(keys: EpochKeys): void;
  /** Sends nothing more until the next `setEpoch`. */
  stopSealing(): void;
  /** By mid, the id of the person whose frames come there. */
  setPlaces(places: Record<string, string>): void;
  /** Whether video is sealed whole; else its first byte stays in the clear. */
  setWholeFrames(whole: boolean): void;
  stats(): Promise<FrameStats>;
  close(): void;
}

/** Whether this browser can encrypt end to end. */
export function encodedTransformsSupported(): boolean {
  return (
    typeof Worker === 'function' &&
    typeof RTCRtpScriptTransform === 'function' &&
    'transform' in RTCRtpSender.prototype &&
    'transform' in RTCRtpReceiver.prototype
  );
}

/** One for as long as the page lives: the worker has the counters, which must never begin anew. */
export function openTransforms(onTrouble: (trouble: Trouble) => void): FrameTransforms {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const asked = new Map<number, (stats: FrameStats) => void>();
  let questions = 0;
  const tell = (message: ToWorker) => worker.postMessage(message);
  const transform = (options: TransformOptions) => new RTCRtpScriptTransform(worker, options);
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'trouble') onTrouble({ mid: data.mid, kind: data.kind });
    else {
      asked.get(data.id)?.(data.stats);
      asked.delete(data.id);
    }
  };

  return {
    seal(sender, mid) {
      sender.transform = transform({ side: 'seal', mid });
    },
    open(receiver, mid) {
      receiver.transform = transform({ side: 'open', mid });
    },
    setEpoch: (keys) => tell({ type: 'epoch', keys }),
    stopSealing: () => tell({ type: 'stop_sealing' }),
    setPlaces: (places) => tell({ type: 'places', places }),
    setWholeFrames: (whole) => tell({ type: 'whole_frames', whole }),
    stats: () =>
      new Promise((resolve) => {
        asked.set((questions += 1), resolve);
        tell({ type: 'stats', id: questions });
      }),
    close: () => worker.terminate(),
  };
}
