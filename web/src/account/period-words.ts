/** Periods as people say them. */
import type { RetentionPeriod } from '../api/accounts';

const DAYS_A_YEAR = 365.25;

export function periodWords({ name, value }: RetentionPeriod): string {
  const unit = name.slice(name.lastIndexOf('_') + 1);
  if (unit === 'days' && value >= 2 * DAYS_A_YEAR - 1) {
    return `${Math.round(value / DAYS_A_YEAR)} years`;
  }
  return value === 1 ? `1 ${unit.replace(/s$/, '')}` : `${value} ${unit}`;
}

/** How long until something ends, to the minute. */
export function leftWords(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return minutes <= 1 ? 'in less than a minute' : `in ${minutes} minutes`;
}
