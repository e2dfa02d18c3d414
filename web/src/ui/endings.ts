/** The words for each way a visit can end or not begin. None of them blames anyone. */
import type { End } from '../call/state';

export interface Ending {
  title: string;
  hint?: string;
  action?: string;
}

const ASK = 'The person who invited you can send you a new one.';

const ENDINGS: Partial<Record<End['code'], Ending>> = {
  left: {
    title: 'You left the room',
    hint: 'You are welcome back at any time.',
    action: 'Join again',
  },
  bad_token: { title: 'This link does not work', hint: ASK },
  expired_token: { title: 'This link is no longer valid', hint: ASK },
  wrong_room: { title: 'This link does not open this room', hint: ASK },
  outdated_page: {
    title: 'There is a newer version of this page',
    hint: 'Loading the page again brings it to you.',
    action: 'Load the page again',
  },
  room_full: {
    title: 'There is no free place right now',
    hint: 'When someone leaves, there will be a place again.',
    action: 'Try again',
  },
  server_full: {
    title: 'There is no room free right now',
    hint: 'When another group has finished, there will be room again.',
    action: 'Try again',
  },
  too_many_connections: {
    title: 'There are too many connections at the moment',
    hint: 'If the room is open in other tabs, closing them helps.',
    action: 'Try again',
  },
  joined_elsewhere: {
    title: 'You are in the room somewhere else',
    hint: 'Your camera and microphone are off here.',
    action: 'Use here instead',
  },
  may_not_enter: { title: 'You cannot come in at the moment' },
  wrong_name: {
    title: 'Your name in this group has changed',
    hint: 'Please open the session’s page again and enter from there.',
  },
  turned_away: {
    title: 'You cannot come in just now',
    hint: 'Your camera and microphone are off. You can ask again whenever you like.',
    action: 'Ask again',
  },
  taken_out: {
    title: 'You are no longer in the room',
    hint: 'Your camera and microphone are off.',
    action: 'Ask to come back',
  },
  kept_out: {
    title: 'You are no longer in the room',
    hint: 'Your camera and microphone are off.',
  },
  idle: {
    title: 'This page was resting',
    hint: 'Your camera and microphone are off.',
    action: 'Continue',
  },
};

export function endingOf(end: End): Ending {
  return (
    ENDINGS[end.code] ?? {
      title: 'That did not work',
      hint: 'It is nothing you did. Please try again in a moment.',
      action: 'Try again',
    }
  );
}
