/** This person's camera, microphone and screen: opening, choosing, and what can go wrong. */
import type { LocalTracks } from './peer';

export type Trouble = 'blocked' | 'busy' | 'missing' | 'failed';
export type DeviceKind = 'mic' | 'camera';

export interface Device {
  id: string;
  label: string;
}

export interface InputState {
  /** Sending is wanted and possible. */
  on: boolean;
  /** The browser is asking, or the device is starting. */
  starting: boolean;
  trouble: Trouble | null;
  track: MediaStreamTrack | null;
  deviceId: string;
  devices: Device[];
}

export interface MediaState {
  mic: InputState;
  camera: InputState;
  screen: MediaStreamTrack | null;
  speakers: Device[];
  speakerId: string;
}

const KINDS: DeviceKind[] = ['mic', 'camera'];

/** Sorts what `getUserMedia` throws by what a person could do about it. */
export function troubleOf(error: unknown): Trouble {
  const name = error instanceof Error ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'blocked';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    default:
      return 'failed';
  }
}

const WORD: Record<DeviceKind, string> = { mic: 'microphone', camera: 'camera' };
const WITHOUT: Record<DeviceKind, string> = {
  mic: 'You can still join and listen.',
  camera: 'You can still join without it.',
};

export function troubleWords(kind: DeviceKind, trouble: Trouble): string {
  const word = WORD[kind];
  switch (trouble) {
    case 'blocked':
      return `Your browser does not let this page use your ${word}. To change that, look for the ${word} sign in or near the address bar. ${WITHOUT[kind]}`;
    case 'busy':
      return `Another program seems to be using your ${word}. Closing it and trying again may help. ${WITHOUT[kind]}`;
    case 'missing':
      return `We found no ${word}. If you have one, plug it in and try again. ${WITHOUT[kind]}`;
    case 'failed':
      return `Your ${word} did not start. ${WITHOUT[kind]}`;
  }
}

function constraints(kind: DeviceKind, deviceId: string): MediaTrackConstraints {
  const device: MediaTrackConstraints = deviceId === '' ? {} : { deviceId: { exact: deviceId } };
  return kind === 'mic'
    ? {
        ...device,
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        channelCount: 1,
      }
    : {
        ...device,
        width: { ideal: 1280 },
        height: { ideal: 720 },
        frameRate: { ideal: 30, max: 30 },
      };
}

export class LocalMedia {
  #state: MediaState = {
    mic: { on: false, starting: false, trouble: null, track: null, deviceId: '', devices: [] },
    camera: { on: false, starting: false, trouble: null, track: null, deviceId: '', devices: [] },
    screen: null,
    speakers: [],
    speakerId: '',
  };
  readonly #onChange: (state: MediaState) => void;
  readonly #onLost: (kind: DeviceKind) => void;
  /** Counts the openings of a device, so that a slow one that is no longer wanted is put away. */
  readonly #opening: Record<DeviceKind, number> = { mic: 0, camera: 0 };
  #before = { mic: true, camera: true };
  readonly #devicesChanged = () => void this.refreshDevices();

  constructor(onChange: (state: MediaState) => void, onLost: (kind: DeviceKind) => void) {
    this.#onChange = onChange;
    this.#onLost = onLost;
    navigator.mediaDevices.addEventListener('devicechange', this.#devicesChanged);
  }

  get state(): MediaState {
    return this.#state;
  }

  get tracks(): LocalTracks {
    const { mic, camera, screen } = this.#state;
    return { mic: mic.track, camera: camera.track, screen };
  }

  get sending(): { mic: boolean; camera: boolean } {
    return { mic: this.#state.mic.on, camera: this.#state.camera.on };
  }

  /** Asks for both at once, so that the browser asks one question and not two. */
  async openBoth(): Promise<void> {
    const turn = { mic: ++this.#opening.mic, camera: ++this.#opening.camera };
    this.#input('mic', { starting: true, trouble: null });
    this.#input('camera', { starting: true, trouble: null });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: constraints('mic', this.#state.mic.deviceId),
        video: constraints('camera', this.#state.camera.deviceId),
      });
      const found = { mic: stream.getAudioTracks()[0], camera: stream.getVideoTracks()[0] };
      for (const kind of KINDS) {
        const track = found[kind];
        if (track && turn[kind] === this.#opening[kind]) this.#take(kind, track);
        else track?.stop();
      }
      await this.refreshDevices();
    } catch (error) {
      const trouble = troubleOf(error);
      // One of the two may be fine. After a refusal only ask again for what is not refused for
      // good: another question right after a "no" would be pushy.
      const blocked = trouble === 'blocked' ? await this.#blockedForGood() : null;
      for (const kind of KINDS) {
        if (turn[kind] !== this.#opening[kind]) continue;
        if (blocked === null || (blocked.size === 1 && !blocked.has(kind))) {
          await this.turnOn(kind);
        } else this.#input(kind, { starting: false, on: false, trouble });
      }
    }
  }

  async #blockedForGood(): Promise<Set<DeviceKind>> {
    const blocked = new Set<DeviceKind>();
    for (const kind of KINDS) {
      try {
        const name = WORD[kind] as PermissionName;
        if ((await navigator.permissions.query({ name })).state === 'denied') blocked.add(kind);
      } catch {
        return new Set(KINDS);
      }
    }
    return blocked;
  }

  /** Opens the device if need be. Never throws: what went wrong is in the state. */
  async turnOn(kind: DeviceKind): Promise<void> {
    const present = this.#state[kind].track;
    if (present?.readyState === 'live') {
      present.enabled = true;
      this.#input(kind, { on: true, trouble: null });
      return;
    }
    await this.#open(kind, this.#state[kind].deviceId, true);
  }

  turnOff(kind: DeviceKind): void {
    const { track } = this.#state[kind];
    if (kind === 'camera') {
      // Stopped, so that the camera's light goes off and nobody has to wonder.
      this.#opening.camera += 1;
      track?.stop();
      this.#input('camera', { on: false, starting: false, track: null });
    } else {
      // Kept open but silent: unmuting must not take a second.
      if (track) track.enabled = false;
      this.#input('mic', { on: false });
    }
  }

  async choose(kind: DeviceKind, deviceId: string): Promise<void> {
    const { on, track } = this.#state[kind];
    this.#input(kind, { deviceId });
    if (kind === 'camera' && !on) return;
    if (kind === 'mic' && !track) return;
    await this.#open(kind, deviceId, on);
  }

  chooseSpeaker(speakerId: string): void {
    this.#change({ speakerId });
  }

  async #open(kind: DeviceKind, deviceId: string, on: boolean): Promise<void> {
    const turn = ++this.#opening[kind];
    this.#input(kind, { starting: true, trouble: null });
    try {
      const ask = (id: string) =>
        navigator.mediaDevices.getUserMedia(
          kind === 'mic' ? { audio: constraints(kind, id) } : { video: constraints(kind, id) },
        );
      const stream = await ask(deviceId).catch((error: unknown) => {
        const trouble = troubleOf(error);
        const held = this.#state[kind].track;
        // Phones open one camera at a time: the one in use has to go first.
        if (trouble === 'busy' && held) {
          held.stop();
          return ask(deviceId);
        }
        // A chosen device that is gone is no reason to have none.
        if (trouble === 'missing' && deviceId !== '') return ask('');
        throw error;
      });
      const track = stream.getTracks()[0];
      if (!track) throw new DOMException('No track', 'NotFoundError');
      if (turn !== this.#opening[kind]) {
        track.stop();
        return;
      }
      this.#take(kind, track, on);
      await this.refreshDevices();
    } catch (error) {
      if (turn !== this.#opening[kind]) return;
      const still = this.#state[kind].track?.readyState === 'live';
      this.#input(kind, {
        starting: false,
        on: still && this.#state[kind].on,
        trouble: troubleOf(error),
      });
    }
  }

  #take(kind: DeviceKind, track: MediaStreamTrack, on = true): void {
    // `stop` makes no `ended` event, so nothing takes this for an unplugged device.
    this.#state[kind].track?.stop();
    track.contentHint = kind === 'mic' ? 'speech' : 'motion';
    track.enabled = on;
    track.addEventListener('ended', () => void this.#ended(kind, track));
    const deviceId = track.getSettings().deviceId ?? this.#state[kind].deviceId;
    this.#input(kind, { track, on, starting: false, trouble: null, deviceId });
  }

  /** The device was unplugged or taken away. Another one, if there is one, takes over. */
  async #ended(kind: DeviceKind, track: MediaStreamTrack): Promise<void> {
    if (this.#state[kind].track !== track) return;
    const { on } = this.#state[kind];
    this.#input(kind, { track: null, on: false, deviceId: '' });
    this.#onLost(kind);
    // A camera that comes on by itself, perhaps pointing elsewhere, would be a bad surprise.
    if (kind === 'mic') await this.#open('mic', '', on);
    else this.#input('camera', { trouble: 'missing' });
  }

  async refreshDevices(): Promise<void> {
    let all: MediaDeviceInfo[];
    try {
      all = await navigator.mediaDevices.enumerateDevices();
    } catch {
      return;
    }
    const list = (kind: MediaDeviceKind, word: string): Device[] =>
      all
        // Without permission browsers give entries without an id; they cannot be chosen.
        .filter((one) => one.kind === kind && one.deviceId !== '')
        .map((one, at) => ({ id: one.deviceId, label: one.label || `${word} ${at + 1}` }));
    this.#state = {
      ...this.#state,
      mic: { ...this.#state.mic, devices: list('audioinput', 'Microphone') },
      camera: { ...this.#state.camera, devices: list('videoinput', 'Camera') },
      speakers:
        'setSinkId' in HTMLMediaElement.prototype ? list('audiooutput', 'Speaker') : [],
    };
    this.#onChange(this.#state);
  }

  /** Lets the person choose what to share; false if they thought better of it. */
  async openScreen(onEnded: () => void): Promise<boolean> {
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 15, max: 30 } },
        audio: false,
      });
    } catch {
      return false;
    }
    const track = stream.getVideoTracks()[0];
    if (!track) return false;
    track.contentHint = 'detail';
    track.addEventListener('ended', () => {
      if (this.#state.screen !== track) return;
      this.closeScreen();
      onEnded();
    });
    this.#change({ screen: track });
    return true;
  }

  closeScreen(): void {
    this.#state.screen?.stop();
    this.#change({ screen: null });
  }

  /** Stops everything; the lights go off. The choices stay, for `restore`. */
  stop(): void {
    if (this.#state.mic.track || this.#state.camera.track) this.#before = this.sending;
    for (const kind of KINDS) {
      this.#opening[kind] += 1;
      this.#state[kind].track?.stop();
      this.#input(kind, { track: null, on: false, starting: false });
    }
    this.closeScreen();
  }

  /** After `stop`, opens again what was on before. */
  async restore(): Promise<void> {
    const { mic, camera } = this.#before;
    if (mic && camera) await this.openBoth();
    else if (mic) await this.turnOn('mic');
    else if (camera) await this.turnOn('camera');
  }

  dispose(): void {
    this.stop();
    navigator.mediaDevices.removeEventListener('devicechange', this.#devicesChanged);
  }

  #input(kind: DeviceKind, change: Partial<InputState>): void {
    this.#change({ [kind]: { ...this.#state[kind], ...change } });
  }

  #change(change: Partial<MediaState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onChange(this.#state);
  }
}

export function canShareScreen(): boolean {
  return typeof navigator.mediaDevices.getDisplayMedia === 'function';
}
