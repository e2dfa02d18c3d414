/** A soft tone of two notes, for a facilitator who looks elsewhere; can be switched off. */

const KEY = 'holdspace:tone';
const NOTES = [523.25, 659.25];
const LOUDNESS = 0.06;
const NOTE_S = 0.5;

let context: AudioContext | null = null;

export function toneIsOn(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

export function switchTone(on: boolean): void {
  try {
    localStorage.setItem(KEY, on ? 'on' : 'off');
  } catch {
    // Then it is remembered no longer than this page.
  }
}

export function playTone(): void {
  context ??= new AudioContext();
  void context.resume().catch(() => undefined);
  NOTES.forEach((frequency, index) => ring(frequency, index * 0.18));
}

function ring(frequency: number, delayS: number): void {
  if (!context) return;
  const at = context.currentTime + delayS;
  const note = context.createOscillator();
  const gain = context.createGain();
  note.frequency.value = frequency;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(LOUDNESS, at + 0.04);
  gain.gain.exponentialRampToValueAtTime(0.0001, at + NOTE_S);
  note.connect(gain).connect(context.destination);
  note.start(at);
  note.stop(at + NOTE_S);
}
