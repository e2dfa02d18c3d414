/**
 * The worker's side of WebRTC Encoded Transform (W3C), as far as it is used here: TypeScript
 * has the page's side only.
 */

export type EncodedFrame = RTCEncodedAudioFrame | RTCEncodedVideoFrame;

export interface ScriptTransformer {
  readonly readable: ReadableStream<EncodedFrame>;
  readonly writable: WritableStream<EncodedFrame>;
  /** What the page gave to `new RTCRtpScriptTransform`. */
  readonly options: unknown;
  /** Of a video sender. */
  generateKeyFrame?(): Promise<unknown>;
  /** Of a video receiver. */
  sendKeyFrameRequest?(): Promise<void>;
}

export interface TransformWorkerScope {
  onrtctransform: ((event: { readonly transformer: ScriptTransformer }) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}
