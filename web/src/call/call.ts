/**
 * One person's visit to a room, as a state machine: what they want (to be in the lobby, to be in
 * the room, to be out) against what the connection is doing. It knows no DOM and no WebRTC; those
 * come in through `CallEdges`.
 */
import type { SessionEvent } from '../wire/events';
import type { GroupEvent } from '../wire/group-events';
import type {
  FormatInfo,
  GroupPosition,
  GroupStanding,
  Hello,
  Participant,
  Problem,
  Removed,
  Roster,
  WaitingPerson,
  WaitingRoom,
  Welcome,
} from '../wire/messages';
import type { SessionRequestName, SessionRequests } from '../wire/requests';
import {
  PROTOCOL_VERSION,
  RequestFailed,
  type Requests,
  type RoomSocket,
  type SocketListener,
} from '../wire/socket';
import type { LocalTracks, PathState, Peer } from './peer';
import { changes, holding, newer, whoShares } from './roster';

export interface CallEdges {
  openSocket(hello: () => Hello, listener: SocketListener): RoomSocket;
  createPeer(onPath: (state: PathState) => void): Peer;
  /** The room's end-to-end encryption, which is not the call's business either. */
  encryption: {
    /** What to show at the door: made anew for each join. */
    introduce(welcome: Welcome, name: string): Promise<Introduction>;
    joined(selfId: string, group: GroupStanding): void;
    roster(roster: Roster): void;
    /** The same people, called as their own credentials call them. */
    named(roster: Roster): Roster;
    told(event: GroupEvent): void;
    /** This connection is gone; what was asked on it has no answer any more. */
    offline(): void;
    /** Out of the room for good. */
    left(): void;
  };
  /** What this person sends, asked whenever it is needed. */
  media: {
    readonly tracks: LocalTracks;
    readonly sending: { mic: boolean; camera: boolean };
    openScreen(onEnded: () => void): Promise<boolean>;
    closeScreen(): void;
    stop(): void;
  };
  memory: { readonly token: string | null; resume: string | null };
  announce(text: string): void;
  /** Moderation is not the call's business; it hands on what comes, and says when all is new. */
  session: {
    joined(selfId: string, formats: FormatInfo[]): void;
    roster(participants: Participant[]): void;
    told(event: SessionEvent): void;
  };
}

export interface Introduction {
  key_package: Uint8Array;
  position: GroupPosition | null;
}

/** What the encryption may ask on the call's connection. */
export type GroupRequestName = 'commit' | 'catch_up' | 'renew' | 'chat';

export type ErrorCode = Problem['code'];
export type EndCode = ErrorCode | Removed['code'] | 'left';

/** The visit is over, for now: what to say, and whether trying again makes sense. */
export interface End {
  code: EndCode;
  message: string;
  retry: boolean;
}

/** Someone who waits. */
export interface Waiting extends WaitingPerson {
  /** On the page's steady clock, in ms. */
  since: number;
}

export type Link = 'connecting' | 'connected' | 'reconnecting';

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
  link: Link;
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

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 3_000;
const CONNECT_TIMEOUT_MS = 8_000;
const DISCONNECTED_FOR_MS = 3_000;
const MEDIA_TIMEOUT_MS = 8_000;
const PROBE_TIMEOUT_MS = 2_000;
const LEAVE_TIMEOUT_MS = 1_500;
/** After a restart of the server everyone comes back one by one; their tiles wait so long. */
const HOLD_PLACES_MS = 6_000;
/** After so many attempts in vain, say so. */
const TELL_AFTER_ATTEMPTS = 3;

/** Refusals that trying again cannot change. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>([
  'bad_token',
  'expired_token',
  'wrong_room',
  'outdated_page',
  'may_not_enter',
  'wrong_name',
]);
/** No place now; there may be one later. */
const FULL: ReadonlySet<string> = new Set<ErrorCode>(['room_full', 'server_full']);
/** Refusals that pass by themselves, so that someone who was in the room is best kept waiting. */
const PASSING: ReadonlySet<string> = new Set<ErrorCode>([
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

type TimerName = 'retry' | 'connect' | 'path' | 'stop' | 'hold';

export class Call {
  #state: CallState = {
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
  readonly #edges: CallEdges;
  readonly #room: string;
  readonly #onState: (state: CallState) => void;
  readonly #socket: RoomSocket;
  /** The name to be in the room with; null while one only looks in from the lobby. */
  #wantsInAs: string | null = null;
  #attempts = 0;
  #mediaFailures = 0;
  /** Failed joins in a row, before the first one that worked. */
  #joinFailures = 0;
  #notBefore = 0;
  /** Each connection of the socket has its turn; what an earlier one left behind is dropped. */
  #turn = 0;
  /** The turn in which the peer connection was made. */
  #peerTurn = 0;
  /** The latest roster of this connection: it may come before the join is through. */
  #roster: Roster | null = null;
  /** Of this connection. */
  #welcome: Welcome | null = null;
  /** Who was here before a reconnection and may be about to come back, too. */
  #held: Participant[] = [];
  readonly #timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  /** What the server knows of what is sent; null while this connection is not in the room. */
  #mediaTold: { mic: boolean; camera: boolean } | null = null;
  #mediaTelling = false;

  constructor(room: string, edges: CallEdges, onState: (state: CallState) => void) {
    this.#room = room;
    this.#edges = edges;
    this.#onState = onState;
    this.#socket = edges.openSocket(() => this.#hello(), {
      letIn: () => this.#letIn(),
      refused: (problem) => this.#refused(problem),
      lost: () => this.#lost(),
      welcome: (welcome) => this.#welcomed(welcome),
      roster: (roster) => this.#rosterCame(roster),
      stopping: ({ retry_after_ms }) => this.#stopping(retry_after_ms),
      removed: ({ code, message }) => this.#finish({ code, message, retry: code !== 'kept_out' }),
      waiting: ({ text }) => this.#waits(text),
      letInside: () => this.#letInside(),
      waitingRoom: (room) => this.#waitingRoomCame(room),
      told: (event) => this.#edges.session.told(event),
      toldOfGroup: (event) => this.#edges.encryption.told(event),
    });
  }

  get state(): CallState {
    return this.#state;
  }

  // --- What the person wants ---------------------------------------------------------------

  /** Opens the connection, to look in from the lobby. */
  start(): void {
    this.#connect();
  }

  join(name: string): void {
    if (this.#state.phase !== 'lobby') return;
    this.#wantsInAs = name;
    this.#joinFailures = 0;
    this.#change({ phase: 'joining', notice: null });
    if (!this.#state.online) this.#connectNow();
    else if (this.#welcome) this.#come(this.#welcome);
  }

  async leave(): Promise<void> {
    if (this.#state.phase === 'ended') return;
    const farewell = this.#state.online
      ? this.#socket.request('leave', {}, LEAVE_TIMEOUT_MS).catch(() => undefined)
      : Promise.resolve();
    this.#turn += 1;
    // The page changes at once; the goodbye to the server may take its moment.
    this.#mediaTold = null;
    this.#edges.media.stop();
    this.#wantsInAs = null;
    this.#forgetPeer();
    this.#edges.encryption.left();
    const left = this.#turn;
    this.#change({
      phase: 'ended',
      link: 'connecting',
      sharing: 'off',
      waitingRoom: [],
      end: { code: 'left', message: 'Your camera and microphone are off.', retry: true },
    });
    this.#stopTimers();
    await farewell;
    // Unless they came back in the meantime.
    if (left === this.#turn) {
      this.#socket.disconnect();
      this.#change({ online: false });
    }
  }

  /** From the end page: back to where one was. After leaving, that is the lobby. */
  again(): void {
    if (this.#state.phase !== 'ended') return;
    this.#turn += 1;
    this.#socket.disconnect();
    this.#attempts = 0;
    this.#joinFailures = 0;
    this.#change({
      phase: this.#wantsInAs === null ? 'lobby' : 'joining',
      online: false,
      end: null,
      notice: null,
      roster: null,
      selfId: null,
      welcome: null,
      link: 'connecting',
      restarting: false,
      mediaBlocked: false,
    });
    this.#connect();
  }

  /** The local tracks or what is muted changed. */
  async mediaChanged(): Promise<void> {
    const { peer } = this.#state;
    if (peer) await peer.send(this.#edges.media.tracks).catch(() => undefined);
    await this.#tellMedia();
  }

  async shareScreen(): Promise<void> {
    if (this.#state.phase !== 'room' || this.#state.sharing !== 'off') return;
    this.#change({ sharing: 'asking', notice: null });
    const turn = this.#turn;
    try {
      await this.#socket.request('share_screen', { on: true });
    } catch (error) {
      const refused = error instanceof RequestFailed && error.kind === 'refused';
      this.#change({
        sharing: 'off',
        notice: refused ? error.message : 'Sharing did not work just now. Please try again.',
      });
      return;
    }
    const chosen = await this.#edges.media.openScreen(() => void this.stopSharing());
    if (!chosen || (this.#state.phase as string) !== 'room') {
      this.#edges.media.closeScreen();
      this.#change({ sharing: 'off' });
      await this.#freeScreen();
      return;
    }
    this.#change({ sharing: 'on' });
    this.#edges.announce('You are sharing your screen.');
    await this.mediaChanged();
    // The connection was lost while they chose: the screen's place went with it.
    if (turn !== this.#turn && this.#state.online) await this.#reclaimScreen();
  }

  async stopSharing(): Promise<void> {
    if (this.#state.sharing !== 'on') return;
    this.#edges.media.closeScreen();
    this.#change({ sharing: 'off' });
    this.#edges.announce('You stopped sharing your screen.');
    await this.mediaChanged();
    await this.#freeScreen();
  }

  /** One of the session's requests; rejects with RequestFailed. */
  async ask<Name extends SessionRequestName>(
    name: Name,
    payload: SessionRequests[Name]['payload'],
  ): Promise<void> {
    await this.#socket.request(name, payload);
  }

  /** The same for the room's encryption. */
  async askOfGroup<Name extends GroupRequestName>(
    name: Name,
    payload: Requests[Name]['payload'],
  ): Promise<Requests[Name]['ack']> {
    return this.#socket.request(name, payload);
  }

  /** How people are called has changed. */
  namesChanged(): void {
    if (this.#state.phase === 'room' && this.#roster) this.#showRoster(this.#roster);
  }

  dismissNotice(): void {
    this.#change({ notice: null });
  }

  /** The network came back, or the page woke up: do not wait for timers to find out. */
  async wake(): Promise<void> {
    if (this.#state.phase === 'ended') return;
    if (!this.#state.online) {
      this.#connectNow();
      return;
    }
    if (this.#state.phase !== 'room') return;
    const turn = this.#turn;
    try {
      await this.#socket.request('media', this.#edges.media.sending, PROBE_TIMEOUT_MS);
    } catch (error) {
      // The old connection may look open for another ten seconds; on a new network it is dead.
      if (turn === this.#turn && error instanceof RequestFailed && error.kind === 'timeout')
        this.#reconnect();
    }
  }

  dispose(): void {
    this.#turn += 1;
    this.#stopTimers();
    this.#socket.disconnect();
    this.#forgetPeer();
  }

  // --- The socket --------------------------------------------------------------------------

  #hello(): Hello {
    const { token, resume } = this.#edges.memory;
    const hello: Hello = { protocol: PROTOCOL_VERSION, room: this.#room, token: token ?? '' };
    // Left out rather than undefined: msgpack would send an undefined as a value of its own.
    if (resume !== null) hello.resume = resume;
    return hello;
  }

  #connect(): void {
    this.#clear('retry');
    this.#after('connect', CONNECT_TIMEOUT_MS, () => this.#reconnect());
    this.#socket.connect();
  }

  /** At once, instead of after the delay that is running. */
  #connectNow(): void {
    if (!this.#timers.has('retry') || Date.now() < this.#notBefore) return;
    this.#attempts = 0;
    this.#connect();
  }

  #letIn(): void {
    this.#clear('stop');
    this.#turn += 1;
    this.#attempts = 0;
    this.#notBefore = 0;
    this.#roster = null;
    this.#welcome = null;
    this.#mediaTold = null;
    this.#change({ online: true, unreachable: false, restarting: false });
  }

  /** The first thing that comes on a new connection. */
  #welcomed(welcome: Welcome): void {
    this.#clear('connect');
    this.#welcome = welcome;
    this.#change({ welcome });
    this.#come(welcome);
  }

  /** Into the room, if that is what the person wants, or first into the waiting room. */
  #come(welcome: Welcome): void {
    if (this.#wantsInAs === null) return;
    void (welcome.waits ? this.#knock() : this.#enter(welcome));
  }

  #refused(problem: Problem): void {
    this.#clear('connect');
    const { code, message } = problem;
    const wasIn = this.#state.phase === 'room';
    if (FINAL.has(code)) {
      this.#finish({ code, message, retry: false });
    } else if (code === 'stopping' || (wasIn && PASSING.has(code))) {
      this.#lost();
    } else {
      this.#finish({ code, message, retry: true });
    }
  }

  /** No socket: whether it broke or did not come about, try again after a moment. */
  #lost(): void {
    this.#clear('connect');
    if (this.#state.phase === 'ended') {
      if (this.#state.online) this.#change({ online: false });
      return;
    }
    if (this.#timers.has('retry')) return;
    this.#turn += 1;
    this.#edges.encryption.offline();
    this.#clear('path');
    this.#clear('stop');
    const attempt = this.#attempts++;
    const random = Math.random();
    const wait = Math.max(
      retryDelay(attempt, random),
      this.#notBefore - Date.now() + random * 2 * FIRST_DELAY_MS,
    );
    if (this.#state.phase === 'room' && this.#state.link !== 'reconnecting')
      this.#edges.announce('Connection lost. Getting you back.');
    this.#change({
      online: false,
      unreachable: this.#attempts >= TELL_AFTER_ATTEMPTS,
      ...(this.#state.phase === 'room' ? { link: 'reconnecting' as const } : {}),
    });
    this.#after('retry', wait, () => this.#connect());
  }

  /** Gives up this socket for a new one. */
  #reconnect(): void {
    // This tells `lost` only of a socket that had been open.
    this.#socket.disconnect();
    this.#lost();
  }

  #stopping(retryAfterMs: number): void {
    if (this.#state.phase === 'ended') return;
    this.#notBefore = Date.now() + retryAfterMs;
    this.#change({ restarting: true });
    // Should the server forget to hang up, hang up ourselves.
    this.#after('stop', retryAfterMs + MAX_DELAY_MS, () => this.#reconnect());
  }

  #finish(end: End): void {
    this.#turn += 1;
    this.#stopTimers();
    this.#mediaTold = null;
    this.#edges.media.stop();
    this.#forgetPeer();
    this.#edges.encryption.left();
    this.#change({ phase: 'ended', end, sharing: 'off', online: false, waitingRoom: [] });
    this.#socket.disconnect();
  }

  // --- The waiting room --------------------------------------------------------------------

  async #knock(): Promise<void> {
    const turn = this.#turn;
    // Someone who was taken out of the room while the connection was lost.
    if (this.#state.phase === 'room') {
      this.#forgetPeer();
      this.#edges.encryption.left();
      this.#edges.media.closeScreen();
      this.#change({ phase: 'joining', roster: null, selfId: null, sharing: 'off' });
    }
    try {
      await this.#socket.request('knock', {});
    } catch (error) {
      if (turn === this.#turn) this.#enterFailed(error);
    }
  }

  #waits(text: string): void {
    const { phase } = this.#state;
    if (this.#wantsInAs === null || (phase !== 'joining' && phase !== 'waiting')) return;
    this.#joinFailures = 0;
    if (this.#state.waitingFor !== text || phase === 'joining') this.#edges.announce(text);
    this.#change({ phase: 'waiting', waitingFor: text });
  }

  #letInside(): void {
    const { phase } = this.#state;
    const welcome = this.#welcome;
    if (welcome === null || (phase !== 'joining' && phase !== 'waiting')) return;
    this.#edges.announce('You are being let in.');
    this.#change({ waitingFor: 'You are being let in.' });
    void this.#enter(welcome);
  }

  #waitingRoomCame({ people }: WaitingRoom): void {
    const known = new Set(this.#state.waitingRoom.map((one) => one.id));
    const now = performance.now();
    for (const one of people)
      if (!known.has(one.id)) this.#edges.announce(`${one.name} is waiting to be let in.`);
    this.#change({
      waitingRoom: people.map((one) => ({ ...one, since: now - one.waited_ms })),
    });
  }

  // --- The room ----------------------------------------------------------------------------

  async #enter(welcome: Welcome): Promise<void> {
    if (this.#wantsInAs === null) return;
    // In a group, people have the name by which it knows them.
    const name = welcome.name ?? this.#wantsInAs;
    const turn = this.#turn;
    const stale = () => turn !== this.#turn;
    const { media } = this.#edges;
    let peer: Peer | null = null;
    try {
      const introduction = await this.#edges.encryption.introduce(welcome, name);
      if (stale()) return;
      const told = media.sending;
      const joined = await this.#socket.request('join', { name, ...told, ...introduction });
      if (stale()) return;
      this.#edges.encryption.joined(joined.id, joined.group);
      this.#edges.memory.resume = joined.resume;
      this.#mediaTold = told;
      this.#roster = newer(this.#roster, joined.roster);
      this.#edges.encryption.roster(this.#roster);
      this.#edges.session.joined(joined.id, joined.formats);
      this.#edges.session.roster(this.#edges.encryption.named(this.#roster).participants);
      const opened = this.#edges.createPeer((path) => this.#pathChanged(opened, path));
      peer = opened;
      const sdp = await opened.accept(joined.sdp, media.tracks);
      if (stale()) {
        opened.close();
        return;
      }
      // The earlier peer connection played on until here, so that there was less silence.
      this.#state.peer?.close();
      this.#joinFailures = 0;
      const wasIn = this.#state.phase === 'room';
      if (wasIn) this.#holdPlaces();
      this.#peerTurn = turn;
      this.#change({
        phase: 'room',
        waitingFor: '',
        selfId: joined.id,
        roster: this.#edges.encryption.named(holding(this.#roster, this.#held, joined.id)),
        peer: opened,
        link: wasIn ? 'reconnecting' : 'connecting',
      });
      // One may have come in the meantime.
      this.#edges.encryption.roster(this.#roster);
      this.#expectMedia();
      await this.#socket.request('answer', { sdp });
      if (stale()) return;
      this.#limit();
      await this.mediaChanged();
      if (this.#state.sharing === 'on') await this.#reclaimScreen();
    } catch (error) {
      if (peer && peer !== this.#state.peer) peer.close();
      if (!stale()) this.#enterFailed(error);
    }
  }

  #enterFailed(error: unknown): void {
    const failed = error instanceof RequestFailed ? error : null;
    const problem = failed?.problem ?? null;
    const wasIn = this.#state.phase === 'room';
    if (problem?.code === 'not_let_in') {
      void this.#knock();
      return;
    }
    if (problem?.code === 'malformed' && !wasIn) {
      // The name is the only thing in it that a person can change.
      this.#wantsInAs = null;
      this.#change({ phase: 'lobby', notice: problem.message });
      return;
    }
    if (problem && (FINAL.has(problem.code) || FULL.has(problem.code))) {
      this.#finish({ ...problem, retry: FULL.has(problem.code) });
      return;
    }
    this.#joinFailures += 1;
    if (!wasIn && this.#joinFailures >= TELL_AFTER_ATTEMPTS) {
      this.#finish({
        code: problem?.code ?? 'internal',
        message: problem?.message ?? 'We could not bring you into the room.',
        retry: true,
      });
      return;
    }
    this.#reconnectAfter(this.#joinFailures);
  }

  #reconnectAfter(failures: number): void {
    this.#attempts = Math.max(this.#attempts, failures - 1);
    this.#reconnect();
  }

  #rosterCame(roster: Roster): void {
    if (!this.#state.online || newer(this.#roster, roster) !== roster) return;
    this.#roster = roster;
    // Until the new join is through, the roster on screen is from before it.
    if (this.#state.phase === 'room' && this.#mediaTold !== null) this.#showRoster(roster);
  }

  #showRoster(roster: Roster): void {
    const { roster: before, selfId } = this.#state;
    this.#edges.encryption.roster(roster);
    const after = this.#edges.encryption.named(holding(roster, this.#held, selfId));
    this.#edges.session.roster(after.participants);
    this.#change({ roster: after });
    for (const text of changes(before, after, selfId)) this.#edges.announce(text);
    this.#limit();
  }

  #holdPlaces(): void {
    this.#held = this.#state.roster?.participants ?? [];
    this.#after('hold', HOLD_PLACES_MS, () => {
      this.#held = [];
      if (this.#roster && this.#state.phase === 'room') this.#showRoster(this.#roster);
    });
  }

  #limit(): void {
    const { peer, roster } = this.#state;
    if (peer && roster)
      void peer.limit(roster.participants.length, whoShares(roster) !== null).catch(() => undefined);
  }

  /** Tells the server what is sent, the latest only, however fast someone clicks. */
  async #tellMedia(): Promise<void> {
    if (this.#mediaTelling) return;
    this.#mediaTelling = true;
    try {
      for (;;) {
        const now = this.#edges.media.sending;
        const told = this.#mediaTold;
        if (!this.#state.online || told === null) return;
        if (told.mic === now.mic && told.camera === now.camera) return;
        const turn = this.#turn;
        try {
          await this.#socket.request('media', now);
          if (turn === this.#turn) this.#mediaTold = now;
        } catch (error) {
          // A lost socket tells it anew when it joins again.
          if (!(error instanceof RequestFailed) || error.kind === 'lost') return;
          if (turn !== this.#turn) continue;
          if (error.problem && error.problem.code !== 'too_fast') return;
          await new Promise((resume) => setTimeout(resume, 1_000));
        }
      }
    } finally {
      this.#mediaTelling = false;
    }
  }

  async #freeScreen(): Promise<void> {
    // If this does not get through, the server frees it with the place itself.
    await this.#socket.request('share_screen', { on: false }).catch(() => undefined);
  }

  async #reclaimScreen(): Promise<void> {
    try {
      await this.#socket.request('share_screen', { on: true });
    } catch (error) {
      if (!(error instanceof RequestFailed) || error.kind !== 'refused') return;
      this.#edges.media.closeScreen();
      this.#change({ sharing: 'off', notice: `Your screen is no longer shared. ${error.message}` });
      await this.mediaChanged();
    }
  }

  // --- The media path ----------------------------------------------------------------------

  #pathChanged(peer: Peer, path: PathState): void {
    // On rejoining, the server hangs up the earlier peer connection: no news of this one.
    if (peer !== this.#state.peer || this.#peerTurn !== this.#turn) return;
    switch (path) {
      case 'connecting':
        return;
      case 'connected':
        this.#clear('path');
        this.#mediaFailures = 0;
        if (this.#state.online && this.#state.link === 'reconnecting')
          this.#edges.announce('You are connected again.');
        this.#change({ mediaBlocked: false, ...(this.#state.online ? { link: 'connected' } : {}) });
        return;
      case 'disconnected':
        this.#after('path', DISCONNECTED_FOR_MS, () => void this.#restartIce(peer));
        return;
      case 'failed':
        void this.#restartIce(peer);
        return;
      case 'broken':
        this.#mediaFailed();
    }
  }

  /** From now on media must get through in time. */
  #expectMedia(): void {
    this.#after('path', MEDIA_TIMEOUT_MS, () => this.#mediaFailed());
  }

  #mediaFailed(): void {
    this.#clear('path');
    if (!this.#state.online || this.#state.phase !== 'room') return;
    this.#mediaFailures += 1;
    if (this.#mediaFailures >= 2) this.#change({ mediaBlocked: true });
    this.#change({ link: 'reconnecting' });
    this.#reconnectAfter(this.#mediaFailures);
  }

  async #restartIce(peer: Peer): Promise<void> {
    this.#clear('path');
    // Without a socket, the new join brings a new path anyway.
    if (!this.#state.online || peer !== this.#state.peer) return;
    const turn = this.#turn;
    this.#change({ link: 'reconnecting' });
    this.#expectMedia();
    try {
      const { sdp } = await this.#socket.request('restart_ice', {}, MEDIA_TIMEOUT_MS);
      const answer = await peer.accept(sdp, this.#edges.media.tracks);
      if (turn !== this.#turn) return;
      await this.#socket.request('answer', { sdp: answer }, MEDIA_TIMEOUT_MS);
    } catch {
      if (turn === this.#turn) this.#mediaFailed();
    }
  }

  #forgetPeer(): void {
    this.#state.peer?.close();
    this.#change({ peer: null });
  }

  // --- Odds and ends of the machine --------------------------------------------------------

  /** One timer of each name: a new one takes the place of the one before. */
  #after(name: TimerName, ms: number, action: () => void): void {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        action();
      }, ms),
    );
  }

  #clear(name: TimerName): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #stopTimers(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #change(change: Partial<CallState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onState(this.#state);
  }
}

/** How someone's connection is, one's own as it is known here. */
export function connectionOf(one: Participant, state: CallState): Participant['connection'] {
  return one.id === state.selfId ? state.link : one.connection;
}
