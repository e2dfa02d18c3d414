/** How loud people are, and from that who is speaking. */
import type { Participant } from '../wire/messages';
import { midOf } from './roster';

/** About −45 dBFS: above a quiet room, below a soft voice near the microphone. */
export const SPEAKING_FROM = 0.0056;
/** Pauses between words are shorter than this; the sign of speaking should not flicker in them. */
export const SPEAKING_HOLD_MS = 600;
const SMOOTHING = 0.5;

interface Heard {
  level: number;
  until: number;
}

/** Smooths the levels of several people and says who is speaking. */
export class SpeakerDetector {
  readonly #heard = new Map<string, Heard>();

  /** Takes the levels (0 to 1) of everyone unmuted at a time; answers who is speaking. */
  update(levels: ReadonlyMap<string, number>, now: number): Set<string> {
    const speaking = new Set<string>();
    // Someone who left or muted is left out, and so is at once no longer shown as speaking.
    for (const id of this.#heard.keys()) if (!levels.has(id)) this.#heard.delete(id);
    for (const [id, raw] of levels) {
      const before = this.#heard.get(id) ?? { level: 0, until: now };
      const level = before.level + (raw - before.level) * SMOOTHING;
      const until = level >= SPEAKING_FROM ? now + SPEAKING_HOLD_MS : before.until;
      this.#heard.set(id, { level, until });
      if (now < until) speaking.add(id);
    }
    return speaking;
  }
}

/** The level of everyone who can be heard at all: by id, 0 to 1. */
export function levelsNow(
  people: readonly Participant[],
  selfId: string | null,
  own: number | null,
  ofMid: (mid: string) => number,
): Map<string, number> {
  const levels = new Map<string, number>();
  for (const person of people) {
    if (person.id === selfId) {
      if (own !== null) levels.set(person.id, own);
    } else if (person.mic && person.connection === 'connected') {
      levels.set(person.id, ofMid(midOf('a', person.slot)));
    }
  }
  return levels;
}

/** A level as a share of a meter, so that a normal voice fills about two thirds of it. */
export function meterShare(level: number): number {
  if (level <= 0) return 0;
  const decibel = 20 * Math.log10(level);
  return Math.min(1, Math.max(0, (decibel + 60) / 50));
}

/** Listens to one local track. */
export class LevelMeter {
  readonly #context: AudioContext;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #wake = () => void this.#context.resume().catch(() => undefined);

  constructor(track: MediaStreamTrack) {
    // Nothing is played, so nothing has to be in time: the browser wakes up less often for it.
    this.#context = new AudioContext({ latencyHint: 'playback' });
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source.connect(this.#analyser);
    // Some browsers start an audio context only once the page was touched.
    if (this.#context.state !== 'running') {
      this.#wake();
      for (const event of ['pointerdown', 'keydown']) addEventListener(event, this.#wake);
    }
  }

  /** The level of the last 20 ms or so, 0 to 1. */
  read(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return Math.sqrt(sum / this.#samples.length);
  }

  close(): void {
    for (const event of ['pointerdown', 'keydown']) removeEventListener(event, this.#wake);
    this.#source.disconnect();
    void this.#context.close().catch(() => undefined);
  }
}
