/** What a call needs of the rest of the page. */
import type { SessionEvent } from '../wire/events';
import type { GroupEvent } from '../wire/group-events';
import type {
  FormatInfo,
  GroupPosition,
  GroupStanding,
  Hello,
  Participant,
  Roster,
  WaitingPerson,
  Welcome,
} from '../wire/messages';
import type { RoomSocket, SocketListener } from '../wire/socket';
import type { Sending } from './media-told';
import type { LocalTracks, PathState, Peer } from './peer';

export interface CallEdges {
  openSocket(hello: () => Hello, listener: SocketListener): RoomSocket;
  createPeer(onPath: (state: PathState) => void): Peer;
  /** The room's end-to-end encryption, which is not the call's business either. */
  encryption: {
    /** What to show at the door: made anew for each join. */
    introduce(welcome: Welcome, name: string): Promise<Introduction>;
    /** Of the key that it will be done with. */
    ownId(): Promise<string>;
    /** Whom this person lets in, and takes out, as a facilitator. */
    letIn(people: Pick<WaitingPerson, 'id' | 'name' | 'role'>[]): void;
    putOut(ids: string[]): void;
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
    readonly sending: Sending;
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
