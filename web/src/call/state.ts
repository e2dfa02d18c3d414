/** What the page shows of a visit. */
import type {
  Participant,
  Problem,
  Removed,
  Roster,
  WaitingPerson,
  Welcome,
} from '../wire/messages';
import type { Peer } from './peer';

/** The visit is over, for now: what to say, and whether trying again makes sense. */
export interface End {
  code: Problem['code'] | Removed['code'] | 'left';
  message: string;
  retry: boolean;
}

/** Someone who waits. */
export interface Waiting extends WaitingPerson {
  /** On the page's steady clock, in ms. */
  since: number;
}

export interface CallState {
  phase: 'lobby' | 'joining' | 'waiting' | 'room' | 'ended';
  /** In the waiting room, how things stand there, in words. */
  waitingFor: string;
  /** For facilitators: who waits to be let in, the longest first, and since when, in ms. */
  waitingRoom: Waiting[];
  /** The socket is let in. */
  online: boolean;
  /** In the lobby: several attempts to reach the server failed. */
  unreachable: boolean;
  welcome: Welcome | null;
  selfId: string | null;
  roster: Roster | null;
  /** How one's own media path and socket are, taken together. */
  link: 'connecting' | 'connected' | 'reconnecting';
  /** The server said that it restarts. */
  restarting: boolean;
  /** The socket works but media repeatedly did not get through. */
  mediaBlocked: boolean;
  peer: Peer | null;
  sharing: 'off' | 'asking' | 'on';
  /** A sentence for the person, until dismissed: why a wish was refused. */
  notice: string | null;
  end: End | null;
}

/** Before anything is known. */
export const IN_LOBBY: CallState = {
  phase: 'lobby',
  waitingFor: '',
  waitingRoom: [],
  online: false,
  unreachable: false,
  welcome: null,
  selfId: null,
  roster: null,
  link: 'connecting',
  restarting: false,
  mediaBlocked: false,
  peer: null,
  sharing: 'off',
  notice: null,
  end: null,
};

/** How someone's connection is, one's own as it is known here. */
export function connectionOf(one: Participant, state: CallState): Participant['connection'] {
  return one.id === state.selfId ? state.link : one.connection;
}
