/** The worker through which all encoded frames of the page go. */
import type { EncodedFrame, ScriptTransformer, TransformWorkerScope } from './encoded-transform';
import type { SentMid } from './kid';
import { Opener } from './opener';
import { Sealer } from './sealer';
import { TroubleWatch } from './trouble';
import type {
  FrameStats,
  FromWorker,
  ToWorker,
  TransformOptions,
  Trouble,
  Work,
} from './worker-messages';

/** How often the opener learns what time it is. */
const TICK_MS = 250;
const KEY_FRAME_EVERY_MS = 1_000;
/** So many frames of one m-line may wait to be sealed; more would only come too late. */
const MAX_SEALING = 32;

const scope = globalThis as unknown as TransformWorkerScope;
const sealer = new Sealer();
const opener = new Opener();
const troubles = new TroubleWatch();
const noWork = (): Work => ({ frames: 0, totalUs: 0, maxUs: 0 });
const stats: FrameStats = {
  sealed: 0,
  opened: 0,
  unsealed: 0,
  dropped: { no_key: 0, held: 0, replayed: 0, wrong_sender: 0, forged: 0 },
  audio: { seal: noWork(), open: noWork() },
  video: { seal: noWork(), open: noWork() },
};
let whole = false;

const tell = (message: FromWorker) => scope.postMessage(message);

const isVideo = (frame: EncodedFrame): frame is RTCEncodedVideoFrame => 'type' in frame;

function count(frame: EncodedFrame, side: 'seal' | 'open', since: number): void {
  const work = stats[isVideo(frame) ? 'video' : 'audio'][side];
  const us = (performance.now() - since) * 1_000;
  work.frames += 1;
  work.totalUs += us;
  work.maxUs = Math.max(work.maxUs, us);
}

/** Asks for a key frame when the chain of delta frames has a hole, but not all the time. */
class KeyFrames {
  #missing = false;
  #asked = -Infinity;
  readonly #ask: () => Promise<unknown>;

  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  /** A frame of the video was lost on this page. */
  lost(): void {
    this.#missing = true;
  }

  passed(frame: EncodedFrame): void {
    if (!isVideo(frame)) return;
    if (frame.type === 'key') this.#missing = false;
    else this.want();
  }

  want(): void {
    const now = performance.now();
    if (!this.#missing || now < this.#asked + KEY_FRAME_EVERY_MS) return;
    this.#asked = now;
    // It rejects where the m-line sends nothing now; then nothing is missing, either.
    this.#ask().catch(() => undefined);
  }
}

/** By mid, of the latest receiver there: a new peer connection has new ones. */
const received = new Map<string, KeyFrames>();

/** What is done with a frame; it is sent or played once it is given to `pass`. */
type Handler = (frame: EncodedFrame, pass: (frame: EncodedFrame) => void) => Promise<void>;

function sealing(mid: SentMid, keyFrames: KeyFrames): Handler {
  let before: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const dropped = () => {
    stats.unsealed += 1;
    keyFrames.lost();
  };
  return async (frame, pass) => {
    if (waiting >= MAX_SEALING) {
      dropped();
      return;
    }
    const since = performance.now();
    // One does not wait for another to be sealed: in Firefox that takes a way to another thread
    // and back, on a busy machine longer than until the next frame. But all go in their order.
    const sealing = sealer.seal(new Uint8Array(frame.data), mid, whole);
    const inTurn = before.then(() => sealing);
    const done = () => {
      waiting -= 1;
    };
    waiting += 1;
    before = inTurn.then(done, done);
    const sealed = await inTurn;
    if (sealed === null) {
      dropped();
      return;
    }
    stats.sealed += 1;
    count(frame, 'seal', since);
    keyFrames.passed(frame);
    frame.data = sealed.buffer;
    pass(frame);
  };
}

function opening(mid: string, keyFrames: KeyFrames): Handler {
  return async (frame, pass) => {
    const since = performance.now();
    const result = await opener.open(new Uint8Array(frame.data), mid, since);
    if ('drop' in result) {
      const reason = result.drop;
      stats.dropped[reason] += 1;
      if (reason === 'wrong_sender' || reason === 'forged' || reason === 'no_key')
        report({ mid, kind: reason });
      if (isVideo(frame) && reason !== 'replayed' && reason !== 'forged') {
        keyFrames.lost();
        keyFrames.want();
      }
      return;
    }
    stats.opened += 1;
    if (!result.held) count(frame, 'open', since);
    keyFrames.passed(frame);
    frame.data = result.frame.buffer;
    pass(frame);
  };
}

/**
 * Hands each frame to `handle` as it comes. Not by a TransformStream and pipes, which take more of
 * the processor for each frame.
 */
async function pump({ readable, writable }: ScriptTransformer, handle: Handler) {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  // The writer is in error once the peer connection has ended: what comes then is not played.
  const pass = (frame: EncodedFrame) => void writer.write(frame).catch(() => undefined);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    void handle(value, pass);
  }
}

function report(trouble: Trouble): void {
  if (troubles.add(trouble, performance.now())) tell({ type: 'trouble', ...trouble });
}

scope.onrtctransform = ({ transformer }) => {
  const options = transformer.options as TransformOptions;
  if (options.side === 'seal') {
    const keyFrames = new KeyFrames(async () => transformer.generateKeyFrame?.());
    void pump(transformer, sealing(options.mid, keyFrames));
    return;
  }
  const keyFrames = new KeyFrames(async () => transformer.sendKeyFrameRequest?.());
  received.set(options.mid, keyFrames);
  // Those that wait for a key are bounded by the opener, which also keeps them in order, while the
  // browser would drop what is not read.
  void pump(transformer, opening(options.mid, keyFrames));
};

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'epoch':
      sealer.setEpoch(data.keys);
      opener.setEpoch(data.keys, performance.now());
      for (const keyFrames of received.values()) keyFrames.want();
      break;
    case 'stop_sealing':
      sealer.stop();
      break;
    case 'places':
      opener.setPlaces(data.places);
      break;
    case 'whole_frames':
      whole = data.whole;
      break;
    case 'stats':
      tell({ type: 'stats', id: data.id, stats });
  }
};

setInterval(() => opener.expire(performance.now()), TICK_MS);
