/**
 * The room's end-to-end encryption as one page takes part in it: each epoch of the MLS group goes
 * to the frames, the names, the chat and the words that people see. How the page comes to be in
 * the group is `Delivery`'s.
 */
import type { Introduction } from '../call/edges';
import { midOf } from '../call/roster';
import type { GroupEvent } from '../wire/group-events';
import type { GroupStanding, Participant, Roster, Welcome } from '../wire/messages';
import { RequestFailed, type Requests } from '../wire/socket';
import { decodeDoor, encodeDoor, type Admissions, type DoorNews, type Person } from './admissions';
import { asReceived, sealFor, type Audience, type ChatReceived } from './audience';
import { sameBytes } from './bytes';
import { decodeChat } from './chat';
import type { Ciphersuite } from './ciphersuite';
import { Delivery } from './delivery';
import type { EpochState, Group } from './group';
import type { Role } from './identity';
import { comings, shownNames } from './membership';
import type { FrameTransforms } from './transforms';
import { Turns } from './turns';
import { NO_ENCRYPTION, type EncryptionView, type Warning } from './view';
import { OF_A_FAULT, ofFrames, ofNotSecured, ofUnattended, Warnings } from './warnings';
import type { Trouble } from './worker-messages';

export interface EncryptionEdges {
  openGroup(ciphersuite: Ciphersuite, name: string, role: Role): Promise<Group>;
  /** The id of the key that the group is, or will be, opened with. */
  ownId(): Promise<string>;
  transforms: FrameTransforms;
  /** Whom this page may add. */
  admissions: Admissions;
  /** Comes to an end within seconds, if only by RequestFailed. */
  request<Name extends 'commit' | 'catch_up' | 'renew' | 'chat'>(
    name: Name,
    payload: Requests[Name]['payload'],
  ): Promise<Requests[Name]['ack']>;
  show(view: EncryptionView): void;
  /** The names that `named` gives have changed. */
  namesChanged(): void;
  announce(text: string): void;
  received(chat: ChatReceived): void;
}

const LOOK_AGAIN_MS = 1_000;
/** How long it may take to be let in until people are told that it does not work. */
const PATIENCE_MS = 20_000;

export class Encryption {
  readonly #edges: EncryptionEdges;
  readonly #turns = new Turns((error) => this.#failed(error));
  readonly #delivery: Delivery;
  readonly #warnings = new Warnings();
  /** What the group was opened for. */
  #openedFor = '';
  #view: EncryptionView = NO_ENCRYPTION;
  /** In a group's session, not by a link. */
  #inSession = false;
  /** Since when it has been `setting_up`, in ms. */
  #setUpSince = 0;
  /** The epoch that was begun last. */
  #begun: EpochState | null = null;
  #selfId: string | null = null;
  #roster: Roster | null = null;
  /** Of everyone who is or was in the group: words of someone who has left may still come. */
  #names: ReadonlyMap<string, string> = new Map();
  /** There is a connection, and on it a place in the room. */
  #online = false;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(edges: EncryptionEdges) {
    this.#edges = edges;
    this.#delivery = new Delivery(this.#turns, {
      request: (name, payload) => edges.request(name, payload),
      door: edges.admissions,
      listed: () => this.#roster?.participants ?? null,
      began: (state, missed) => this.#begin(state, missed),
      waits: () => this.#wait(),
      message: (message) => this.#read(message),
      warn: (warning) => this.#warn(warning),
      failed: (error) => this.#failed(error),
    });
  }

  get view(): EncryptionView {
    return this.#view;
  }

  // --- The visit ---------------------------------------------------------------------------

  ownId(): Promise<string> {
    return this.#edges.ownId();
  }

  async introduce(welcome: Welcome, name: string): Promise<Introduction> {
    const turn = this.#turns.now;
    const wanted = JSON.stringify([welcome.ciphersuite, welcome.role, name]);
    let group = this.#openedFor === wanted ? this.#delivery.group : null;
    if (group === null) {
      this.#forgetGroup();
      group = await this.#edges.openGroup(welcome.ciphersuite, name, welcome.role);
      if (turn === this.#turns.now) {
        this.#delivery.use(group);
        this.#openedFor = wanted;
      }
    }
    this.#inSession = welcome.name !== null;
    const key_package = await group.freshKeyPackage();
    const { state } = group;
    const position = state && { group: state.group, epoch: state.epoch };
    if (turn === this.#turns.now) this.#delivery.joining(position);
    return { key_package, position };
  }

  joined(selfId: string, group: GroupStanding): void {
    this.#selfId = selfId;
    this.#online = true;
    this.#warnings.reconnected();
    if (this.#timer === null) this.#timer = setInterval(() => this.#tend(), LOOK_AGAIN_MS);
    this.#delivery.joined(group);
  }

  roster(roster: Roster): void {
    this.#roster = roster;
    this.#edges.transforms.setPlaces(placesOf(roster, this.#selfId));
    this.#edges.transforms.setWholeFrames(roster.whole_frames);
    this.#turns.enqueue(async () => {
      this.#look();
      // Someone whom the service wanted added may have been missing in the roster so far.
      await this.#delivery.work();
    });
  }

  named(roster: Roster): Roster {
    const participants = roster.participants.map((one) => {
      const name = this.#names.get(one.id);
      return name === undefined || name === one.name ? one : { ...one, name };
    });
    return { ...roster, participants };
  }

  told(event: GroupEvent): void {
    this.#delivery.told(event);
  }

  offline(): void {
    this.#turns.next();
    this.#online = false;
    this.#delivery.offline();
  }

  left(): void {
    this.offline();
    this.#edges.transforms.stopSealing();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#selfId = null;
    this.#roster = null;
    this.#warnings.reset();
    this.#forgetGroup();
  }

  // --- The door ----------------------------------------------------------------------------

  /** The facilitator at this page lets people in. */
  letIn(people: readonly Person[]): void {
    this.#edges.admissions.letIn(people);
    this.#tellDoor({ let_in: [...people], put_out: [] });
    this.#turns.enqueue(() => this.#delivery.work());
    this.#look();
  }

  /** She takes them out of the room, or keeps them out of the call. */
  putOut(ids: readonly string[]): void {
    this.#edges.admissions.putOut(ids);
    this.#tellDoor({ let_in: [], put_out: [...ids] });
    this.#look();
  }

  /** To the others, as one of them may have to make the commit. */
  #tellDoor(news: DoorNews): void {
    this.#turns.enqueue(async () => {
      const { group, member: state } = this.#delivery;
      if (group === null || state === null || state.members.length === 1) return;
      if (!this.#edges.admissions.kept) return;
      const message = await group.write(encodeDoor(news));
      // Whom it does not reach asks the facilitator, or leaves the commit to this page.
      this.#edges.request('chat', { audience: 'room', message }).catch(() => undefined);
    });
  }

  // --- Chat --------------------------------------------------------------------------------

  /** Where it rejects with RequestFailed of kind `refused`, that is a sentence for the person. */
  async say(audience: Audience, to: string | null, text: string): Promise<void> {
    const message = await this.#turns.inOrder(() => this.#sealed(audience, to, text));
    try {
      await this.#edges.request(
        'chat',
        to === null ? { audience, message } : { audience, to, message },
      );
    } catch (error) {
      const code = error instanceof RequestFailed ? error.problem?.code : undefined;
      // The service is further than this page, which nobody told it.
      if (code === 'not_in_group' || code === 'bad_chat') this.#delivery.behind();
      throw error;
    }
  }

  async #sealed(audience: Audience, to: string | null, text: string): Promise<Uint8Array> {
    const { group, member: state } = this.#delivery;
    if (group === null || state === null)
      throw new RequestFailed(
        'refused',
        'Your connection is still being secured. Please try again in a moment.',
      );
    return sealFor(audience, to, text, group, state);
  }

  async #read(message: Uint8Array): Promise<void> {
    const { group } = this.#delivery;
    if (!group?.state) return;
    try {
      const { sender, plaintext, epoch } = await group.read(message);
      const news = decodeDoor(plaintext);
      if (news !== null) {
        // A facilitator whom nobody let in has no say.
        if (sender.role !== 'facilitator' || !this.#edges.admissions.knows(sender)) return;
        this.#edges.admissions.heard(news);
        this.#look();
        return;
      }
      const chat = await decodeChat(group, sender, epoch, plaintext);
      if (chat === null) return;
      const from = { ...sender, name: this.#names.get(sender.id) ?? sender.name };
      this.#edges.received(asReceived(from, chat, group.state.members));
    } catch {
      // Not for us, from before we came, or no honest message: there is nothing to show.
    }
  }

  // --- The group ---------------------------------------------------------------------------

  /** In no group, or in one that leads nowhere any more: a Welcome is to come. */
  #wait(): void {
    // Whoever was removed, or removed this page, has the old keys.
    this.#edges.transforms.stopSealing();
    if (this.#view.phase === 'setting_up') return;
    this.#setUpSince = Date.now();
    this.#show({ phase: 'setting_up', epoch: null, authenticator: null });
  }

  /** A new epoch: from here on it is what we send with, and what people see. */
  #begin(state: EpochState, missed: boolean): void {
    const before = this.#begun;
    this.#begun = state;
    this.#edges.transforms.setEpoch({
      epoch: state.epoch,
      baseKey: state.baseKey,
      ownLeaf: state.ownLeaf,
      leaves: Object.fromEntries(state.members.map((one) => [one.id, one.leaf])),
    });
    if (before !== state) this.#welcomeAll(before, state, missed);
    const names = shownNames(state.members, this.#names);
    this.#names = new Map([...this.#names, ...names]);
    const members = state.members.map((one) => ({
      ...one,
      name: names.get(one.id) ?? one.name,
    }));
    if (before !== null && sameBytes(before.group, state.group))
      for (const text of comings(this.#view.members, members, this.#selfId))
        this.#edges.announce(text);
    const { epoch, authenticator } = state;
    const admission = this.#edges.admissions.kept ? 'facilitator' : 'open';
    this.#show({ phase: 'secured', epoch, authenticator, members, admission });
    this.#edges.namesChanged();
    this.#look();
  }

  /** Who is new in the group, as to the door. */
  #welcomeAll(before: EpochState | null, state: EpochState, missed: boolean): void {
    const { admissions } = this.#edges;
    const goesOn =
      this.#view.phase === 'secured' &&
      before !== null &&
      sameBytes(before.group, state.group);
    const { group, members, ownLeaf } = state;
    const earlier = goesOn ? before.members : null;
    const unattended = admissions.begin(group, earlier, members, ownLeaf, missed);
    for (const one of unattended) this.#warn(ofUnattended(one));
    const self = members.find(({ leaf }) => leaf === ownLeaf);
    // Who has just come in vouches for nobody whom they found there.
    const newcomers = members.filter(
      ({ id, leaf }) => earlier?.some((one) => one.id === id && one.leaf === leaf) === false,
    );
    // They have not heard of those who are about to come.
    const news = admissions.newsFor(newcomers, members);
    const isNews = news.let_in.length > 0 && (earlier === null || newcomers.length > 0);
    if (isNews && self?.role === 'facilitator') this.#tellDoor(news);
  }

  #forgetGroup(): void {
    this.#delivery.use(null);
    this.#openedFor = '';
    this.#begun = null;
    this.#names = new Map();
    this.#view = NO_ENCRYPTION;
    this.#edges.show(this.#view);
  }

  // --- What people see -----------------------------------------------------------------------

  /** Frames that came on an m-line could not be opened. */
  trouble(trouble: Trouble): void {
    const { mid, kind } = trouble;
    if (this.#view.phase !== 'secured') return;
    // Cut off from the service, too: what the others did meanwhile comes with the new connection.
    if (kind === 'no_key' && !this.#online) return;
    if (kind === 'no_key' && this.#warnings.lags(mid, Date.now())) {
      // The others may be in a later epoch, of which this page was not told.
      this.#delivery.behind();
      this.#tend();
      return;
    }
    const place = this.#roster?.participants.find((one) => midsOf(one).includes(mid));
    const name = place ? (this.#names.get(place.id) ?? place.name) : 'someone';
    this.#warn(ofFrames(trouble, name));
  }

  #warn(warning: Warning): void {
    this.#warnings.add(warning, Date.now());
    this.#look();
  }

  #tend(): void {
    this.#delivery.tend(Date.now());
    this.#look();
  }

  #look(): void {
    const now = Date.now();
    // While there is no connection, the roster is old.
    const roster = this.#delivery.isJoined ? this.#roster : null;
    const { warnings, questions } = this.#warnings.look(
      this.#delivery.member,
      roster?.participants ?? null,
      this.#edges.admissions,
      now,
    );
    if (this.#view.phase === 'setting_up' && now - this.#setUpSince > PATIENCE_MS)
      warnings.push(ofNotSecured(this.#inSession));
    const { warnings: formerly, questions: askedSoFar } = this.#view;
    if (JSON.stringify([warnings, questions]) !== JSON.stringify([formerly, askedSoFar]))
      this.#show({ warnings, questions });
  }

  #show(change: Partial<EncryptionView>): void {
    this.#view = { ...this.#view, ...change };
    this.#edges.show(this.#view);
  }

  #failed(error: unknown): void {
    console.error('encryption', error);
    this.#warn(OF_A_FAULT);
  }
}

function placesOf(roster: Roster, selfId: string | null): Record<string, string> {
  const others = roster.participants.filter(({ id }) => id !== selfId);
  return Object.fromEntries(others.flatMap((one) => midsOf(one).map((mid) => [mid, one.id])));
}

/** The m-lines that bring someone's sound and video. */
function midsOf({ slot, screen }: Participant): string[] {
  return [midOf('a', slot), midOf('v', slot), ...(screen ? ['s0'] : [])];
}
