/** The two edges of a call, played by hand: the socket and the peer connection. */
import { vi } from 'vitest';
import { Call } from '../src/call/call';
import type { Introduction } from '../src/call/edges';
import type { LocalTracks, PathState, Peer } from '../src/call/peer';
import type { CallState } from '../src/call/state';
import type { SessionEvent } from '../src/wire/events';
import type { GroupEvent } from '../src/wire/group-events';
import type {
  GroupStanding,
  Hello,
  Joined,
  Participant,
  Problem,
  Roster,
  Welcome,
} from '../src/wire/messages';
import {
  RequestFailed,
  type RequestName,
  type Requests,
  type RoomSocket,
  type SocketListener,
} from '../src/wire/socket';

export function person(slot: number, change: Partial<Participant> = {}): Participant {
  return {
    id: `id-${slot}`,
    name: `Person ${slot}`,
    role: 'participant',
    slot,
    mic: true,
    camera: true,
    screen: false,
    connection: 'connected',
    ...change,
  };
}

export function roster(version: number, ...participants: Participant[]): Roster {
  return { version, participants, whole_frames: true };
}

export function welcome(change: Partial<Welcome> = {}): Welcome {
  return {
    role: 'participant',
    capacity: 12,
    present: 0,
    ciphersuite: 'MLS_256_XWING_AES256GCM_SHA512_Ed25519',
    name: null,
    waits: false,
    session: null,
    ...change,
  };
}

export function joined(change: Partial<Joined> = {}): Joined {
  return {
    ok: true,
    sdp: 'offer',
    id: 'id-0',
    resume: 'resume-1',
    roster: roster(1, person(0), person(1)),
    formats: [{ name: 'open', title: 'Open floor', kind: 'open' }],
    group: { group: new Uint8Array(16), standing: 'waiting', commits: [] },
    ...change,
  };
}

export const refuse = (code: Problem['code'], message = `Refused: ${code}.`) =>
  new RequestFailed('refused', message, { code, message });

interface Asked {
  name: RequestName;
  payload: unknown;
  ok: (ack: object) => Promise<void>;
  fail: (error: RequestFailed) => Promise<void>;
}

/** Lets everything that waits on promises go on, while timers stand still. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

export class FakePeer implements Peer {
  accepted: string[] = [];
  sent: LocalTracks[] = [];
  limits: [number, boolean][] = [];
  closed = false;
  constructor(readonly path: (state: PathState) => void) {}
  accept(offer: string): Promise<string> {
    this.accepted.push(offer);
    return Promise.resolve(`answer to ${offer}`);
  }
  send(tracks: LocalTracks): Promise<void> {
    this.sent.push(tracks);
    return Promise.resolve();
  }
  limit(people: number, shared: boolean): Promise<void> {
    this.limits.push([people, shared]);
    return Promise.resolve();
  }
  track = () => null;
  audioLevel = () => 0;
  stats = () => Promise.resolve(new Map() as unknown as RTCStatsReport);
  close(): void {
    this.closed = true;
  }
}

export class Stage {
  /** How many times the page tried to connect. */
  attempts = 0;
  connected = false;
  asked: Asked[] = [];
  peers: FakePeer[] = [];
  announced: string[] = [];
  memory: { token: string | null; resume: string | null } = { token: 'token', resume: null };
  media = {
    tracks: { mic: null, camera: null, screen: null } as LocalTracks,
    sending: { mic: true, camera: true },
    stopped: 0,
    screenChosen: true,
    screenOpen: false,
    openScreen: () => {
      this.media.screenOpen = this.media.screenChosen;
      return Promise.resolve(this.media.screenChosen);
    },
    closeScreen: () => {
      this.media.screenOpen = false;
    },
    stop: () => {
      this.media.stopped += 1;
    },
  };
  /** What the session heard of the call, in order. */
  heard: unknown[] = [];
  session = {
    joined: (id: string) => void this.heard.push(['joined', id]),
    roster: (people: Participant[]) => void this.heard.push(['roster', people.length]),
    told: (event: SessionEvent) => void this.heard.push(event),
  };
  /** The encryption, which here does nothing but take note. */
  encryption = {
    introduction: { key_package: new Uint8Array([1, 2, 3]), position: null } as Introduction,
    heard: [] as unknown[],
    names: new Map<string, string>(),
    introduce: () => Promise.resolve(this.encryption.introduction),
    ownId: () => Promise.resolve('own-key'),
    letIn: (people: object[]) => void this.encryption.heard.push(['letIn', ...people]),
    putOut: (ids: string[]) => void this.encryption.heard.push(['putOut', ...ids]),
    joined: (id: string, group: GroupStanding) =>
      void this.encryption.heard.push(['joined', id, group.standing]),
    roster: (one: Roster) => void this.encryption.heard.push(['roster', one.version]),
    named: (one: Roster): Roster => ({
      ...one,
      participants: one.participants.map((who) => ({
        ...who,
        name: this.encryption.names.get(who.id) ?? who.name,
      })),
    }),
    told: (event: GroupEvent) => void this.encryption.heard.push(event),
    offline: () => void this.encryption.heard.push('offline'),
    left: () => void this.encryption.heard.push('left'),
  };
  call: Call;
  hello!: () => Hello;
  listener!: SocketListener;

  constructor() {
    this.call = new Call(
      'garden',
      {
        openSocket: (hello, listener) => {
          this.hello = hello;
          this.listener = listener;
          return this.#socket;
        },
        createPeer: (onPath) => {
          const peer = new FakePeer(onPath);
          this.peers.push(peer);
          return peer;
        },
        media: this.media,
        memory: this.memory,
        announce: (text) => this.announced.push(text),
        session: this.session,
        encryption: this.encryption,
      },
      () => undefined,
    );
  }

  readonly #socket: RoomSocket = {
    connect: () => {
      this.attempts += 1;
    },
    disconnect: () => {
      if (this.connected) this.drop();
    },
    request: (name, payload, timeoutMs) =>
      new Promise((resolve, reject) => {
        if (!this.connected) {
          reject(new RequestFailed('lost', 'not connected'));
          return;
        }
        const timer = setTimeout(
          () => reject(new RequestFailed('timeout', 'no answer')),
          timeoutMs ?? 10_000,
        );
        this.asked.push({
          name,
          payload,
          ok: (ack) => {
            clearTimeout(timer);
            resolve(ack as Requests[typeof name]['ack']);
            return settle();
          },
          fail: (error) => {
            clearTimeout(timer);
            reject(error);
            return settle();
          },
        });
      }),
  };

  get state(): CallState {
    return this.call.state;
  }

  get peer(): FakePeer {
    const last = this.peers.at(-1);
    if (!last) throw new Error('no peer connection was made');
    return last;
  }

  /** The server lets the socket in. */
  letIn(change: Partial<Welcome> = {}): Promise<void> {
    this.connected = true;
    this.listener.letIn();
    this.listener.welcome(welcome(change));
    return settle();
  }

  /** The socket breaks. */
  drop(): void {
    this.connected = false;
    this.listener.lost();
  }

  refuseSocket(code: Problem['code']): void {
    this.connected = false;
    this.listener.refused({ code, message: `Refused: ${code}.` });
  }

  /** Takes the oldest request of this name that nobody answered yet. */
  request(name: RequestName): Asked {
    const at = this.asked.findIndex((one) => one.name === name);
    const [found] = at < 0 ? [] : this.asked.splice(at, 1);
    if (!found) throw new Error(`no ${name} among [${this.asked.map((one) => one.name).join()}]`);
    return found;
  }

  /** All the way into the room, media flowing. */
  async enter(ack: Joined = joined()): Promise<void> {
    this.call.start();
    await this.letIn();
    this.call.join('Ada');
    await this.reenter(ack);
  }

  async reenter(ack: Joined = joined()): Promise<void> {
    await settle();
    await this.request('join').ok(ack);
    await this.request('answer').ok({ ok: true });
    this.peer.path('connected');
  }
}
