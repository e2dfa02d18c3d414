/** The typed wire: one Socket.IO connection, its requests with their acknowledgements, its events. */
import { io } from 'socket.io-client';
import * as msgpack from 'socket.io-msgpack-parser';
import { fits, isRecord, SESSION_EVENTS, type SessionEvent } from './events';
import { fitsGroup, GROUP_EVENTS, isStanding, type GroupEvent } from './group-events';
import type {
  Answer,
  CatchUp,
  CaughtUp,
  Chat,
  Commit,
  Hello,
  InWaitingRoom,
  Join,
  Joined,
  Knock,
  Leave,
  Media,
  Offer,
  Ok,
  Problem,
  Removed,
  Renew,
  Renewed,
  RestartIce,
  Roster,
  ShareScreen,
  Stopping,
  WaitingRoom,
  Welcome,
} from './messages';
import { fromWire, toWire } from './octets';
import type { SessionRequests } from './requests';

/** What this page was built for; the server refuses a page that is too old for it. */
export const PROTOCOL_VERSION = 3;

const ACK_TIMEOUT_MS = 10_000;
const OPEN_TIMEOUT_MS = 5_000;

export interface Requests extends SessionRequests {
  join: { payload: Join; ack: Joined };
  answer: { payload: Answer; ack: Ok };
  media: { payload: Media; ack: Ok };
  share_screen: { payload: ShareScreen; ack: Ok };
  restart_ice: { payload: RestartIce; ack: Offer };
  leave: { payload: Leave; ack: Ok };
  knock: { payload: Knock; ack: Ok };
  commit: { payload: Commit; ack: Ok };
  catch_up: { payload: CatchUp; ack: CaughtUp };
  renew: { payload: Renew; ack: Renewed };
  chat: { payload: Chat; ack: Ok };
}
export type RequestName = keyof Requests;

/** Why a request came to nothing. */
export type FailureKind = 'refused' | 'timeout' | 'lost' | 'malformed';

export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  constructor(
    readonly kind: FailureKind,
    message: string,
    /** Present when the server refused: its code and its sentence. */
    readonly problem: Problem | null = null,
  ) {
    super(message);
  }
}

export interface SocketListener {
  /** The server let this socket in. */
  letIn(): void;
  /** The server answered the handshake with a refusal. */
  refused(problem: Problem): void;
  /** No connection came about, or one that was open broke. */
  lost(): void;
  welcome(welcome: Welcome): void;
  roster(roster: Roster): void;
  stopping(stopping: Stopping): void;
  removed(removed: Removed): void;
  /** One waits, or still does. */
  waiting(waiting: InWaitingRoom): void;
  /** The wait is over: join. */
  letInside(): void;
  /** For facilitators: who waits. */
  waitingRoom(room: WaitingRoom): void;
  /** What the moderation of the session has to say. */
  told(event: SessionEvent): void;
  /** What the delivery service of the room's MLS group has to say. */
  toldOfGroup(event: GroupEvent): void;
}

export interface RoomSocket {
  /** One attempt to connect; the listener hears how it went. */
  connect(): void;
  disconnect(): void;
  request<Name extends RequestName>(
    name: Name,
    payload: Requests[Name]['payload'],
    timeoutMs?: number,
  ): Promise<Requests[Name]['ack']>;
}

export function isProblem(value: unknown): value is Problem {
  return isRecord(value) && typeof value.code === 'string' && typeof value.message === 'string';
}

export function isRoster(value: unknown): value is Roster {
  return (
    isRecord(value) &&
    typeof value.version === 'number' &&
    typeof value.whole_frames === 'boolean' &&
    Array.isArray(value.participants) &&
    value.participants.every(
      (one: unknown) =>
        isRecord(one) &&
        typeof one.id === 'string' &&
        typeof one.name === 'string' &&
        typeof one.role === 'string' &&
        typeof one.slot === 'number',
    )
  );
}

function isWelcome(value: unknown): value is Welcome {
  return (
    isRecord(value) &&
    typeof value.capacity === 'number' &&
    typeof value.present === 'number' &&
    typeof value.ciphersuite === 'string' &&
    (value.name === null || typeof value.name === 'string') &&
    typeof value.waits === 'boolean' &&
    (value.session === null ||
      (isRecord(value.session) &&
        typeof value.session.group === 'string' &&
        typeof value.session.key === 'string'))
  );
}

function isStopping(value: unknown): value is Stopping {
  return isRecord(value) && typeof value.retry_after_ms === 'number';
}

function isRemoved(value: unknown): value is Removed {
  return isRecord(value) && typeof value.code === 'string' && typeof value.message === 'string';
}

function isInWaitingRoom(value: unknown): value is InWaitingRoom {
  return isRecord(value) && typeof value.attended === 'boolean' && typeof value.text === 'string';
}

export function isWaitingRoom(value: unknown): value is WaitingRoom {
  return (
    isRecord(value) &&
    Array.isArray(value.people) &&
    value.people.every(
      (one: unknown) =>
        isRecord(one) &&
        typeof one.id === 'string' &&
        typeof one.person === 'string' &&
        typeof one.mls_id === 'string' &&
        typeof one.name === 'string' &&
        typeof one.role === 'string' &&
        typeof one.kind === 'string' &&
        typeof one.waited_ms === 'number',
    )
  );
}

function hasOffer(value: Record<string, unknown>): boolean {
  return typeof value.sdp === 'string' && value.sdp !== '';
}

/** What each acknowledgement must at least hold for the page to go on with it. */
const ACK_HOLDS: Partial<Record<RequestName, (ack: Record<string, unknown>) => boolean>> = {
  join: (ack) =>
    hasOffer(ack) &&
    typeof ack.id === 'string' &&
    typeof ack.resume === 'string' &&
    isRoster(ack.roster) &&
    Array.isArray(ack.formats) &&
    isStanding(ack.group),
  renew: (ack) => isStanding(ack.group),
  catch_up: (ack) =>
    Array.isArray(ack.commits) &&
    ack.commits.every((commit: unknown) => commit instanceof Uint8Array),
  restart_ice: hasOffer,
};

/** Reads an acknowledgement, or throws what it says instead. */
export function readAck<Name extends RequestName>(name: Name, ack: unknown): Requests[Name]['ack'] {
  if (isRecord(ack)) {
    if (isProblem(ack.error)) throw new RequestFailed('refused', ack.error.message, ack.error);
    const holds = ACK_HOLDS[name] ?? (() => true);
    if (ack.ok === true && holds(ack)) return ack as unknown as Requests[Name]['ack'];
  }
  throw new RequestFailed('malformed', `The answer to ${name} is not one this page understands.`);
}

/** The part of a Socket.IO socket that a request needs. */
export interface Emitter {
  readonly connected: boolean;
  timeout(ms: number): {
    emit(name: string, payload: unknown, done: (error: Error | null, ack?: unknown) => void): unknown;
  };
}

/** Sends one request and waits for what the server says to it. */
export function request<Name extends RequestName>(
  socket: Emitter,
  name: Name,
  payload: Requests[Name]['payload'],
  timeoutMs: number = ACK_TIMEOUT_MS,
): Promise<Requests[Name]['ack']> {
  return new Promise<unknown>((resolve, reject) => {
    // Socket.IO would keep it and send it on the next connection, where it makes no sense.
    if (!socket.connected) {
      reject(new RequestFailed('lost', `Not connected, so ${name} was not sent.`));
      return;
    }
    socket.timeout(timeoutMs).emit(name, toWire(payload), (error, ack) => {
      if (!error) resolve(fromWire(ack));
      else reject(new RequestFailed(socket.connected ? 'timeout' : 'lost', `No answer to ${name}.`));
    });
  }).then((ack) => readAck(name, ack));
}

/** Opens the wire to the server this page came from. `hello` is asked anew for each attempt. */
export function openSocket(hello: () => Hello, listener: SocketListener): RoomSocket {
  const socket = io({
    transports: ['websocket'],
    parser: msgpack,
    autoConnect: false,
    // The call decides when to try again: it knows refusals, restarts and the network's return.
    reconnection: false,
    timeout: OPEN_TIMEOUT_MS,
    auth: (send) => send({ ...hello() }),
  });
  socket.on('connect', () => listener.letIn());
  socket.on('connect_error', (error: Error & { data?: unknown }) => {
    if (isProblem(error.data)) listener.refused(error.data);
    else listener.lost();
  });
  socket.on('disconnect', () => listener.lost());
  const on = <T>(event: string, fits: (value: unknown) => value is T, tell: (value: T) => void) => {
    // A malformed event is left aside: the next one, or the next join, puts things right.
    socket.on(event, (value: unknown) => {
      if (fits(value)) tell(value);
    });
  };
  on('welcome', isWelcome, (welcome) => listener.welcome(welcome));
  on('roster', isRoster, (roster) => listener.roster(roster));
  on('stopping', isStopping, (stopping) => listener.stopping(stopping));
  on('removed', isRemoved, (removed) => listener.removed(removed));
  on('waiting', isInWaitingRoom, (waiting) => listener.waiting(waiting));
  on('let_in', isRecord, () => listener.letInside());
  on('waiting_room', isWaitingRoom, (room) => listener.waitingRoom(room));
  for (const name of SESSION_EVENTS)
    socket.on(name, (payload: unknown) => {
      if (fits(name, payload)) listener.told({ name, payload } as SessionEvent);
    });
  for (const name of GROUP_EVENTS)
    socket.on(name, (value: unknown) => {
      const payload = fromWire(value);
      if (fitsGroup(name, payload)) listener.toldOfGroup({ name, payload } as GroupEvent);
    });

  return {
    connect: () => void socket.connect(),
    disconnect: () => void socket.disconnect(),
    request: (name, payload, timeoutMs) => request(socket, name, payload, timeoutMs),
  };
}
