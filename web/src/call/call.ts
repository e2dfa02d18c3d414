/**
 * One person's visit to a room, as a state machine: what they want (to be in the lobby, to be in
 * the room, to be out) against what the connection is doing. It knows no DOM and no WebRTC; those
 * come in through `CallEdges`.
 */
import type {
  Admit,
  Hello,
  Participant,
  Problem,
  RemovePerson,
  Roster,
  WaitingRoom,
  Welcome,
} from '../wire/messages';
import type { SessionRequestName, SessionRequests } from '../wire/requests';
import { PROTOCOL_VERSION, RequestFailed, type Requests, type RoomSocket } from '../wire/socket';
import type { CallEdges } from './edges';
import { MediaTold } from './media-told';
import type { PathState, Peer } from './peer';
import { FINAL, FIRST_DELAY_MS, FULL, MAX_DELAY_MS, PASSING, retryDelay } from './retry';
import { changes, holding, newer, whoShares } from './roster';
import { IN_LOBBY, type CallState, type End } from './state';
import { Timers } from './timers';

/** What the encryption may ask on the call's connection. */
export type GroupRequestName = 'commit' | 'catch_up' | 'renew' | 'chat';

const CONNECT_TIMEOUT_MS = 8_000;
const DISCONNECTED_FOR_MS = 3_000;
const MEDIA_TIMEOUT_MS = 8_000;
const PROBE_TIMEOUT_MS = 2_000;
const LEAVE_TIMEOUT_MS = 1_500;
/** After a restart of the server everyone comes back one by one; their tiles wait so long. */
const HOLD_PLACES_MS = 6_000;
/** After so many attempts in vain, say so. */
const TELL_AFTER_ATTEMPTS = 3;

export class Call {
  #state = IN_LOBBY;
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
  readonly #timers = new Timers<'retry' | 'connect' | 'path' | 'stop' | 'hold'>();
  readonly #mediaTold: MediaTold;

  constructor(room: string, edges: CallEdges, onState: (state: CallState) => void) {
    this.#room = room;
    this.#edges = edges;
    this.#onState = onState;
    this.#mediaTold = new MediaTold(
      () => edges.media.sending,
      (sending) => this.#socket.request('media', sending),
    );
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
    this.#mediaTold.gone();
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
    this.#timers.clearAll();
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
    await this.#mediaTold.keepUp();
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
    this.#noteAtDoor(name, payload);
    await this.#socket.request(name, payload);
  }

  /** Before it is asked: whom it brings in may be there before the answer is. */
  #noteAtDoor(name: SessionRequestName, payload: object): void {
    const { encryption } = this.#edges;
    if (name === 'admit') {
      const { who } = payload as Admit;
      const people = this.#state.waitingRoom.filter(({ id }) => who.includes(id));
      encryption.letIn(people.map(({ mls_id, name, role }) => ({ id: mls_id, name, role })));
    }
    if (name === 'remove_person') encryption.putOut([(payload as RemovePerson).who]);
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
    this.#mediaTold.gone();
    this.#timers.clearAll();
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
    this.#timers.clear('retry');
    this.#timers.after('connect', CONNECT_TIMEOUT_MS, () => this.#reconnect());
    this.#socket.connect();
  }

  /** At once, instead of after the delay that is running. */
  #connectNow(): void {
    if (!this.#timers.isRunning('retry') || Date.now() < this.#notBefore) return;
    this.#attempts = 0;
    this.#connect();
  }

  #letIn(): void {
    this.#timers.clear('stop');
    this.#turn += 1;
    this.#attempts = 0;
    this.#notBefore = 0;
    this.#roster = null;
    this.#welcome = null;
    this.#mediaTold.gone();
    this.#change({ online: true, unreachable: false, restarting: false });
  }

  /** The first thing that comes on a new connection. */
  #welcomed(welcome: Welcome): void {
    this.#timers.clear('connect');
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
    this.#timers.clear('connect');
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
    this.#timers.clear('connect');
    if (this.#state.phase === 'ended') {
      if (this.#state.online) this.#change({ online: false });
      return;
    }
    if (this.#timers.isRunning('retry')) return;
    this.#turn += 1;
    this.#edges.encryption.offline();
    this.#mediaTold.gone();
    this.#timers.clear('path');
    this.#timers.clear('stop');
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
    this.#timers.after('retry', wait, () => this.#connect());
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
    this.#timers.after('stop', retryAfterMs + MAX_DELAY_MS, () => this.#reconnect());
  }

  #finish(end: End): void {
    this.#turn += 1;
    this.#timers.clearAll();
    this.#mediaTold.gone();
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
      const mls_id = await this.#edges.encryption.ownId();
      if (turn !== this.#turn) return;
      await this.#socket.request('knock', { mls_id });
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
      this.#mediaTold.joined(told);
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
      const answered = this.#socket.request('answer', { sdp });
      // Before anything can be sent, or the camera would begin as in a room of two.
      this.#limit(opened, this.#state.roster);
      await answered;
      if (stale()) return;
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
    if (this.#state.phase === 'room' && this.#mediaTold.isInRoom) this.#showRoster(roster);
  }

  #showRoster(roster: Roster): void {
    const { roster: before, selfId } = this.#state;
    this.#edges.encryption.roster(roster);
    const after = this.#edges.encryption.named(holding(roster, this.#held, selfId));
    this.#edges.session.roster(after.participants);
    this.#change({ roster: after });
    for (const text of changes(before, after, selfId)) this.#edges.announce(text);
    this.#limit(this.#state.peer, after);
  }

  #holdPlaces(): void {
    this.#held = this.#state.roster?.participants ?? [];
    this.#timers.after('hold', HOLD_PLACES_MS, () => {
      this.#held = [];
      if (this.#roster && this.#state.phase === 'room') this.#showRoster(this.#roster);
    });
  }

  #limit(peer: Peer | null, roster: Roster | null): void {
    if (peer && roster)
      void peer.limit(roster.participants.length, whoShares(roster) !== null).catch(() => undefined);
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
        this.#timers.clear('path');
        this.#mediaFailures = 0;
        if (this.#state.online && this.#state.link === 'reconnecting')
          this.#edges.announce('You are connected again.');
        this.#change({ mediaBlocked: false, ...(this.#state.online ? { link: 'connected' } : {}) });
        return;
      case 'disconnected':
        this.#timers.after('path', DISCONNECTED_FOR_MS, () => void this.#restartIce(peer));
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
    this.#timers.after('path', MEDIA_TIMEOUT_MS, () => this.#mediaFailed());
  }

  #mediaFailed(): void {
    this.#timers.clear('path');
    if (!this.#state.online || this.#state.phase !== 'room') return;
    this.#mediaFailures += 1;
    if (this.#mediaFailures >= 2) this.#change({ mediaBlocked: true });
    this.#change({ link: 'reconnecting' });
    this.#reconnectAfter(this.#mediaFailures);
  }

  async #restartIce(peer: Peer): Promise<void> {
    this.#timers.clear('path');
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

  #change(change: Partial<CallState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onState(this.#state);
  }
}
