/** After which refusals it makes sense to try again, and when. */
import type { Problem } from '../wire/messages';

type ErrorCode = Problem['code'];

export const FIRST_DELAY_MS = 250;
export const MAX_DELAY_MS = 3_000;

/** Refusals that trying again cannot change. */
export const FINAL: ReadonlySet<string> = new Set<ErrorCode>([
  'bad_token',
  'expired_token',
  'wrong_room',
  'outdated_page',
  'may_not_enter',
  'wrong_name',
]);
/** No place now; there may be one later. */
export const FULL: ReadonlySet<string> = new Set<ErrorCode>(['room_full', 'server_full']);
/** Refusals that pass by themselves, so that someone who was in the room is best kept waiting. */
export const PASSING: ReadonlySet<string> = new Set<ErrorCode>([
  'stopping',
  'too_fast',
  'too_many_connections',
  'internal',
  'not_joined',
  'already_joined',
  'bad_answer',
]);

/** Quick first, then slower, and never all at once: everyone lost the server at the same moment. */
export function retryDelay(attempt: number, random: number): number {
  const most = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return most * (0.5 + random / 2);
}
