/** The media path to the relay: one RTCPeerConnection, its m-lines known by their mid. */
import type { FrameTransforms } from '../e2ee/transforms';
import { cameraLimit, scaleDown, SCREEN_LIMIT } from './limits';

export interface LocalTracks {
  mic: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
}

/**
 * `disconnected`: packets stopped, may come back by itself. `failed`: needs an ICE restart.
 * `broken`: needs a new peer connection.
 */
export type PathState = 'connecting' | 'connected' | 'disconnected' | 'failed' | 'broken';

export interface Peer {
  /** Applies an offer with these tracks to send, and gives the answer. */
  accept(offer: string, tracks: LocalTracks): Promise<string>;
  /** Sends these tracks from now on, without renegotiation. */
  send(tracks: LocalTracks): Promise<void>;
  /** Adapts what the camera takes of the line to the size of the room; once it has an answer. */
  limit(people: number, screenShared: boolean): Promise<void>;
  /** What comes in on an m-line, once there was an offer. */
  track(mid: string): MediaStreamTrack | null;
  /** How loud an m-line is right now, 0 to 1. */
  audioLevel(mid: string): number;
  stats(): Promise<RTCStatsReport>;
  close(): void;
}

/** A source is older news after this, as nothing is received from someone who is silent. */
const LEVEL_FRESH_MS = 500;

const SENDING = { mi: 'mic', ca: 'camera', sc: 'screen' } as const;
const isSending = (mid: string): mid is keyof typeof SENDING => mid in SENDING;

export function pathState(ice: RTCIceConnectionState, whole: RTCPeerConnectionState): PathState {
  if (ice === 'failed') return 'failed';
  // ICE is well and still the whole has failed: that is DTLS, which no ICE restart mends.
  if (whole === 'failed' || whole === 'closed' || ice === 'closed') return 'broken';
  if (ice === 'disconnected') return 'disconnected';
  if (whole === 'connected') return 'connected';
  return 'connecting';
}

const open = () => new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
let spare: RTCPeerConnection | null = null;

/** Makes the next peer's connection ahead of time: the first one of a page takes long to make. */
export function prepare(): void {
  spare ??= open();
}

export function createPeer(
  onPath: (state: PathState) => void,
  transforms: Pick<FrameTransforms, 'seal' | 'open'>,
): Peer {
  const pc = spare ?? open();
  spare = null;
  const byMid = new Map<string, RTCRtpTransceiver>();
  let closed = false;
  let told: PathState = 'connecting';
  let people = 0;
  let screenShared = false;
  // A setParameters that overtakes another one fails, so they go one after the other.
  let parameters: Promise<void> = Promise.resolve();

  const tell = () => {
    const now = pathState(pc.iceConnectionState, pc.connectionState);
    if (closed || now === told) return;
    told = now;
    onPath(now);
  };
  pc.addEventListener('iceconnectionstatechange', tell);
  pc.addEventListener('connectionstatechange', tell);

  /** Whether any of them is new. */
  async function replace(tracks: LocalTracks): Promise<boolean> {
    let replaced = false;
    for (const [mid, kind] of Object.entries(SENDING)) {
      const sender = byMid.get(mid)?.sender;
      if (!sender || sender.track === tracks[kind]) continue;
      await sender.replaceTrack(tracks[kind]);
      replaced = true;
    }
    return replaced;
  }

  /** What is new since the last offer; nothing of it has a track or gets packets yet. */
  function adopt(transceiver: RTCRtpTransceiver): void {
    const { mid, sender, receiver } = transceiver;
    if (mid === null || byMid.has(mid)) return;
    byMid.set(mid, transceiver);
    if (isSending(mid)) {
      transforms.seal(sender, mid);
      transceiver.direction = 'sendonly';
    } else transforms.open(receiver, mid);
  }

  async function encode(mid: string, change: (to: RTCRtpEncodingParameters) => void) {
    const sender = byMid.get(mid)?.sender;
    if (!sender?.track || closed) return;
    const wanted = sender.getParameters();
    // Firefox has none before the first negotiation is through.
    const encoding = wanted.encodings[0];
    if (!encoding) return;
    change(encoding);
    try {
      await sender.setParameters(wanted);
    } catch {
      // The defaults still work, only less thriftily.
    }
  }

  function applyLimits(): Promise<void> {
    parameters = parameters.then(async () => {
      const limit = cameraLimit(people, screenShared);
      await encode('ca', (encoding) => {
        const height = byMid.get('ca')?.sender.track?.getSettings().height;
        encoding.maxBitrate = limit.bitrate;
        encoding.maxFramerate = limit.framerate;
        encoding.scaleResolutionDownBy = scaleDown(height, limit);
      });
      await encode('sc', (encoding) => {
        encoding.maxBitrate = SCREEN_LIMIT.bitrate;
        encoding.maxFramerate = SCREEN_LIMIT.framerate;
      });
    });
    return parameters;
  }

  return {
    async accept(offer, tracks) {
      await pc.setRemoteDescription({ type: 'offer', sdp: offer });
      // In the same task: Chromium lets frames by if a transform is set any later.
      for (const transceiver of pc.getTransceivers()) adopt(transceiver);
      await replace(tracks);
      const answer = await pc.createAnswer();
      await pc.setLocalDescription(answer);
      // No need to wait for candidates: the relay learns ours from the first check it receives.
      return pc.localDescription?.sdp ?? answer.sdp ?? '';
    },
    async send(tracks) {
      if (closed) return;
      if (await replace(tracks)) await applyLimits();
    },
    limit(count, shared) {
      // The page stands still while it asks for the parameters.
      if (count === people && shared === screenShared) return parameters;
      people = count;
      screenShared = shared;
      return applyLimits();
    },
    track: (mid) => byMid.get(mid)?.receiver.track ?? null,
    audioLevel(mid) {
      const source = byMid.get(mid)?.receiver.getSynchronizationSources()[0];
      if (source?.audioLevel === undefined) return 0;
      const age = performance.timeOrigin + performance.now() - source.timestamp;
      return age > LEVEL_FRESH_MS ? 0 : source.audioLevel;
    },
    stats: () => pc.getStats(),
    close() {
      closed = true;
      pc.close();
    },
  };
}
