/** A period as people say it. */
import type { RetentionPeriod } from '../api/accounts';

const DAYS_A_YEAR = 365.25;

export function periodWords({ name, value }: RetentionPeriod): string {
  const unit = name.slice(name.lastIndexOf('_') + 1);
  if (unit === 'days' && value >= 2 * DAYS_A_YEAR - 1) {
    return `${Math.round(value / DAYS_A_YEAR)} years`;
  }
  return value === 1 ? `1 ${unit.replace(/s$/, '')}` : `${value} ${unit}`;
}
