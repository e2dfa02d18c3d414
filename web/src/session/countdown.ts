/** Time left, by the page's own steady clock: the server says how long, never until when. */

/** Running towards a time on the page's clock, or standing still; in ms. */
export type Countdown = { runs: true; endsAt: number } | { runs: false; leftMs: number };

export function countdown(leftMs: number | null, now: number, runs = true): Countdown | null {
  if (leftMs === null) return null;
  return runs ? { runs, endsAt: now + leftMs } : { runs, leftMs };
}

export function msLeft(countdown: Countdown, now: number): number {
  return Math.max(0, countdown.runs ? countdown.endsAt - now : countdown.leftMs);
}

/** As on a kitchen timer: 2:05. A started second counts as a whole one. */
export function clockFace(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** A length of time in words, for those who hear it. */
export function spokenTime(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}

/** How long ago, no finer than anyone needs. */
export function ago(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 45) return 'just now';
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${Math.max(1, minutes)} min ago`;
  const hours = Math.round(minutes / 60);
  return hours === 1 ? '1 hour ago' : `${hours} hours ago`;
}
