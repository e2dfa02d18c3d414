/** When a group meets again: the patterns that the schedule editor knows, as rules of RFC 5545. */

export const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export const WEEKDAY_NAMES: Record<Weekday, string> = {
  MO: 'Monday',
  TU: 'Tuesday',
  WE: 'Wednesday',
  TH: 'Thursday',
  FR: 'Friday',
  SA: 'Saturday',
  SU: 'Sunday',
};

/** Which one of its weekday in the month; -1: the last. */
export type Nth = 1 | 2 | 3 | 4 | -1;
export const NTH_NAMES: Record<Nth, string> = {
  1: 'first',
  2: 'second',
  3: 'third',
  4: 'fourth',
  [-1]: 'last',
};

/** `date` is a day such as 2027-06-30, the last on which the group may meet. */
export type End = { kind: 'never' } | { kind: 'until'; date: string } | { kind: 'count'; count: number };

export type Pattern =
  | { kind: 'once' }
  | { kind: 'weekly'; every: number; days: Weekday[]; end: End }
  | { kind: 'monthly-weekday'; every: number; nth: Nth; day: Weekday; end: End }
  | { kind: 'monthly-date'; every: number; date: number; end: End };

/** The RRULE value; null for what happens once. */
export function ruleOf(pattern: Pattern): string | null {
  if (pattern.kind === 'once') return null;
  const parts = [pattern.kind === 'weekly' ? 'FREQ=WEEKLY' : 'FREQ=MONTHLY'];
  if (pattern.every > 1) parts.push(`INTERVAL=${pattern.every}`);
  if (pattern.kind === 'weekly') {
    // Every other week counts from Monday on, as people do.
    if (pattern.every > 1) parts.push('WKST=MO');
    parts.push(`BYDAY=${WEEKDAYS.filter((day) => pattern.days.includes(day)).join(',')}`);
  } else if (pattern.kind === 'monthly-weekday') {
    parts.push(`BYDAY=${pattern.nth}${pattern.day}`);
  } else {
    parts.push(`BYMONTHDAY=${pattern.date}`);
  }
  if (pattern.end.kind === 'count') parts.push(`COUNT=${pattern.end.count}`);
  if (pattern.end.kind === 'until') parts.push(`UNTIL=${pattern.end.date.replaceAll('-', '')}`);
  return parts.join(';');
}

function readEnd(parts: ReadonlyMap<string, string>, zone: string): End | null {
  const count = parts.get('COUNT');
  const until = parts.get('UNTIL');
  if (count !== undefined) return { kind: 'count', count: Number(count) };
  if (until === undefined) return { kind: 'never' };
  const found = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z)?$/.exec(until);
  if (found === null) return null;
  const [, year, month, day, hours, minutes, seconds] = found;
  const date = `${year ?? ''}-${month ?? ''}-${day ?? ''}`;
  if (hours === undefined) return { kind: 'until', date };
  const moment = new Date(`${date}T${hours}:${minutes ?? ''}:${seconds ?? ''}Z`);
  return { kind: 'until', date: localDate(moment, zone) };
}

function localDate(moment: Date, zone: string): string {
  // In Sweden dates are written as in ISO 8601.
  return moment.toLocaleDateString('sv-SE', { timeZone: zone });
}

/** The weekday of a local time such as 2027-01-05T18:00. */
export function weekdayOf(local: string): Weekday {
  const day = new Date(`${local.slice(0, 10)}T00:00:00Z`).getUTCDay();
  return WEEKDAYS[(day + 6) % 7] ?? 'MO';
}

/** What the editor can show of a rule; null if it says more than the patterns can. */
export function readRule(rule: string | null, startsAt: string, zone: string): Pattern | null {
  if (rule === null) return { kind: 'once' };
  const parts = new Map<string, string>();
  for (const part of rule.split(';')) {
    const [name = '', value = ''] = part.split('=');
    parts.set(name, value);
  }
  const end = readEnd(parts, zone);
  const every = Number(parts.get('INTERVAL') ?? '1');
  const known = ['FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'BYDAY', 'BYMONTHDAY', 'WKST'];
  const isKnown = [...parts.keys()].every((name) => known.includes(name));
  if (end === null || !isKnown || (parts.get('WKST') ?? 'MO') !== 'MO') return null;
  const byDay = parts.get('BYDAY')?.split(',');
  const byDate = parts.get('BYMONTHDAY');
  if (parts.get('FREQ') === 'WEEKLY' && byDate === undefined) {
    const days = byDay ?? [weekdayOf(startsAt)];
    const named = WEEKDAYS.filter((day) => days.includes(day));
    return named.length === days.length ? { kind: 'weekly', every, days: named, end } : null;
  }
  if (parts.get('FREQ') !== 'MONTHLY') return null;
  if (byDay === undefined) {
    const date = Number(byDate ?? startsAt.slice(8, 10));
    return Number.isInteger(date) && date > 0 ? { kind: 'monthly-date', every, date, end } : null;
  }
  const found = /^(-?\d)([A-Z]{2})$/.exec(byDay.join(','));
  const nth = ([1, 2, 3, 4, -1] as const).find((one) => String(one) === found?.[1]);
  const day = WEEKDAYS.find((one) => one === found?.[2]);
  if (nth === undefined || day === undefined || byDate !== undefined) return null;
  return { kind: 'monthly-weekday', every, nth, day, end };
}

/** "A, B and C". */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

function everyWords(every: number, unit: string): string {
  if (every === 1) return `every ${unit}`;
  return every === 2 ? `every other ${unit}` : `every ${every} ${unit}s`;
}

function dateWords(date: string, locale: string): string {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString(locale, {
    dateStyle: 'long',
    timeZone: 'UTC',
  });
}

function timeWords(local: string, locale: string): string {
  return new Date(`1970-01-01T${local.slice(11, 16)}:00Z`).toLocaleTimeString(locale, {
    timeStyle: 'short',
    timeZone: 'UTC',
  });
}

function endWords(end: End, locale: string): string {
  if (end.kind === 'never') return '';
  if (end.kind === 'until') return `, until ${dateWords(end.date, locale)}`;
  return end.count === 1 ? ', once' : `, ${end.count} times`;
}

/** Whether no session can be left of a schedule; what ends by a number of sessions stays. */
export function hasEnded(startsAt: string, zone: string, rule: string | null, now: Date): boolean {
  const today = localDate(now, zone);
  if (rule === null) return startsAt.slice(0, 10) < today;
  const end = readEnd(new Map(rule.split(';').map((part) => part.split('=') as [string, string])), zone);
  if (end?.kind !== 'until') return false;
  // To the second where the rule says so: a schedule that was replaced has ended at once.
  const exact = /UNTIL=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(rule);
  if (exact === null) return end.date < today;
  const [, year, month, day, hours, minutes, seconds] = exact.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hours, minutes, seconds) < now.getTime();
}

export interface Plan {
  /** Wall-clock time in `zone`, such as 2027-01-05T18:00:00. */
  startsAt: string;
  zone: string;
  minutes: number;
}

/** One plain sentence of what a schedule means. */
export function planWords(plan: Plan, pattern: Pattern | null, rule: string | null, locale: string): string {
  const from = dateWords(plan.startsAt.slice(0, 10), locale);
  const when = `at ${timeWords(plan.startsAt, locale)} (${zoneWords(plan.zone)}), for ${plan.minutes} minutes`;
  if (pattern === null) return `From ${from} ${when}, by this rule: ${rule ?? ''}.`;
  switch (pattern.kind) {
    case 'once':
      return `Once, on ${from} ${when}.`;
    case 'weekly': {
      const days = listed(pattern.days.map((day) => WEEKDAY_NAMES[day]));
      return `${capital(everyWords(pattern.every, 'week'))} on ${days} ${when}, from ${from} on${endWords(pattern.end, locale)}.`;
    }
    case 'monthly-weekday': {
      const which = `${NTH_NAMES[pattern.nth]} ${WEEKDAY_NAMES[pattern.day]}`;
      return `On the ${which} of ${everyWords(pattern.every, 'month')} ${when}, from ${from} on${endWords(pattern.end, locale)}.`;
    }
    case 'monthly-date': {
      const without = pattern.date > 28 ? ' Months without this day are left out.' : '';
      return `On day ${pattern.date} of ${everyWords(pattern.every, 'month')} ${when}, from ${from} on${endWords(pattern.end, locale)}.${without}`;
    }
  }
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "Europe/Berlin" as people say it: "Berlin time". */
export function zoneWords(zone: string): string {
  if (zone === 'UTC' || zone === 'Etc/UTC') return 'UTC';
  return `${(zone.split('/').at(-1) ?? zone).replaceAll('_', ' ')} time`;
}

/** Why a pattern cannot be kept; null if it can. */
export function patternProblem(pattern: Pattern, startsAt: string): string | null {
  if (pattern.kind === 'once') return null;
  if (pattern.kind === 'weekly' && pattern.days.length === 0) return 'Please choose at least one day of the week.';
  if (!(Number.isInteger(pattern.every) && pattern.every >= 1 && pattern.every <= 12)) {
    return 'Please choose a number from 1 to 12 for how often.';
  }
  if (pattern.kind === 'monthly-date' && !(Number.isInteger(pattern.date) && pattern.date >= 1 && pattern.date <= 31)) {
    return 'Please choose a day of the month from 1 to 31.';
  }
  const { end } = pattern;
  if (end.kind === 'count' && !(Number.isInteger(end.count) && end.count >= 1 && end.count <= 999)) {
    return 'Please choose a number of sessions from 1 to 999.';
  }
  if (end.kind === 'until' && end.date < startsAt.slice(0, 10)) {
    return 'The last day has to come after the first session.';
  }
  return null;
}
