/** Sessions' times in words, in the person's time zone and the group's. */
import { zoneWords } from './recurrence';

/** English words with the reader's own way of writing dates and times. */
export const LOCALE = readerLocale(typeof navigator === 'undefined' ? [] : navigator.languages);

export function readerLocale(languages: readonly string[]): string {
  return languages.find((language) => /^en\b/i.test(language)) ?? 'en-GB';
}

export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function known(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    // The server may know zones that this browser does not.
    return 'UTC';
  }
}

/** "Tuesday, 5 January 2027 at 18:00". */
export function dayAndTime(moment: string, zone = ownZone(), locale = LOCALE): string {
  return new Date(moment).toLocaleString(locale, {
    dateStyle: 'full',
    timeStyle: 'short',
    timeZone: known(zone),
  });
}

/** "5 Jan 2027, 18:00", for tables and marks of when something was done. */
export function shortTime(moment: string, zone = ownZone(), locale = LOCALE): string {
  return new Date(moment).toLocaleString(locale, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: known(zone),
  });
}

export function timeOnly(moment: string, zone = ownZone(), locale = LOCALE): string {
  return new Date(moment).toLocaleTimeString(locale, { timeStyle: 'short', timeZone: known(zone) });
}

/** A moment on the wall clock of a zone, as 2027-01-05T18:00: what a datetime-local field holds. */
export function wallClock(moment: string, zone: string): string {
  return new Date(moment).toLocaleString('sv-SE', { timeZone: known(zone) }).replace(' ', 'T').slice(0, 16);
}

export interface When {
  /** In the person's zone. */
  mine: string;
  /** In the group's, where its clocks show something else; else null. */
  theirs: string | null;
}

export function sessionWhen(
  startsAt: string,
  endsAt: string,
  groupZone: string | null,
  mine = ownZone(),
  locale = LOCALE,
): When {
  const until = (zone: string) => timeOnly(endsAt, zone, locale);
  const same = groupZone === null || wallClock(startsAt, groupZone) === wallClock(startsAt, mine);
  return {
    mine: `${dayAndTime(startsAt, mine, locale)} to ${until(mine)}`,
    theirs: same ? null : `${dayAndTime(startsAt, groupZone, locale)} to ${until(groupZone)} (${zoneWords(groupZone)})`,
  };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function counted(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}

/** How long until something opens: to the second only in the last hour. */
export function untilWords(ms: number): string {
  if (ms >= 2 * DAY_MS) return `in ${counted(Math.floor(ms / DAY_MS), 'day')}`;
  if (ms >= HOUR_MS) {
    const minutes = Math.ceil(ms / MINUTE_MS);
    const hours = Math.floor(minutes / 60);
    return minutes % 60 === 0
      ? `in ${counted(hours, 'hour')}`
      : `in ${counted(hours, 'hour')} and ${counted(minutes % 60, 'minute')}`;
  }
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `in ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export interface Opening {
  opensAt: string;
  closesAt: string;
  /** What the server said when asked. */
  isOpen: boolean;
}

/** Ask this often when it must be open by our clock and the server does not say so. */
const ASK_AGAIN_MS = 5_000;
/** Our clock may be slow: ask now and then while the opening is near. */
const NEAR_MS = 20 * MINUTE_MS;

/**
 * When to ask the server again whether a session is open, in ms from now; null: no need to.
 *
 * The server's clock decides. Ours may be wrong and only says when asking is worth it.
 */
export function askAgainIn({ opensAt, closesAt, isOpen }: Opening, now: number): number | null {
  const left = Date.parse(opensAt) - now;
  if (now >= Date.parse(closesAt) + NEAR_MS) return null;
  if (isOpen) return Math.min(Math.max(Date.parse(closesAt) - now, ASK_AGAIN_MS), DAY_MS);
  if (now >= Date.parse(closesAt)) return null;
  if (left <= 0) return ASK_AGAIN_MS;
  if (left <= NEAR_MS) return Math.min(left, MINUTE_MS);
  // A longer wait may be slept through by the device; it is cheap to look again then.
  return Math.min(left - NEAR_MS + MINUTE_MS, HOUR_MS);
}
