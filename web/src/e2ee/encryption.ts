/**
 * The room's end-to-end encryption as one page takes part in it: what the delivery service says
 * goes to the MLS group, and each epoch of the group to the frames, the names and the words that
 * people see. The service is not trusted: it decides the order of things, not who is who.
 */
import type { Introduction } from '../call/call';
import type { GroupEvent } from '../wire/group-events';
import type {
  Chat,
  CommitDue,
  GroupPosition,
  GroupStanding,
  Leaving,
  Roster,
  Welcome,
} from '../wire/messages';
import { RequestFailed, type Requests } from '../wire/socket';
import { decodeChat, encodePrivate, encodeRoom } from './chat';
import {
  GroupError,
  inspectKeyPackage,
  type Ciphersuite,
  type EpochState,
  type Group,
} from './group';
import type { Role } from './identity';
import { comings, Comparison, decide, shownNames, type Inspected } from './membership';
import { safetyOf } from './safety';
import type { FrameTransforms } from './transforms';
import type { Trouble } from './worker-messages';
import { NO_ENCRYPTION, type EncryptionView, type Member, type Warning } from './view';

export type Audience = Chat['audience'];

export interface ChatReceived {
  from: Member;
  audience: Audience;
  to: string | null;
  text: string;
}

export interface EncryptionEdges {
  openGroup(ciphersuite: Ciphersuite, name: string, role: Role): Promise<Group>;
  transforms: FrameTransforms;
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

/** What the service told has a gap: what is missing may still come by itself for so long. */
const GAP_MS = 1_000;
/** After a request that came to nothing. */
const ASK_AGAIN_MS = 3_000;
const LOOK_AGAIN_MS = 1_000;
const TROUBLE_SHOWN_MS = 30_000;
/** How long it may take to be let in until people are told that it does not work. */
const PATIENCE_MS = 20_000;
/** In a row; whoever has been in the group for `FORGIVEN_MS` after them begins anew. */
const MAX_RENEWALS = 3;
const FORGIVEN_MS = 60_000;
/** Commits so far ahead are not kept: the service's log is no longer than this. */
const MAX_AHEAD = 64;
/** Events that come before the answer to the join. */
const MAX_EARLY = 128;

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);

export class Encryption {
  readonly #edges: EncryptionEdges;
  #group: Group | null = null;
  /** What `#group` was opened for. */
  #openedFor = '';
  #view: EncryptionView = NO_ENCRYPTION;
  /** Since when it has been in its phase, in ms. */
  #phaseSince = 0;
  /** The epoch that was begun last. */
  #begun: EpochState | null = null;
  #selfId: string | null = null;
  #roster: Roster | null = null;
  /** Of everyone who is or was in the group: words of someone who has left may still come. */
  #names: ReadonlyMap<string, string> = new Map();
  /** Where this page said it is when it asked to join. */
  #position: GroupPosition | null = null;
  /** What was told before the answer to the join, which comes first; null from then on. */
  #early: GroupEvent[] | null = [];
  /** Commits that are not processed yet, by the epoch they end. */
  #commits = new Map<number, Uint8Array>();
  #due: CommitDue | null = null;
  /** The request of ours that has no answer so far. */
  #asked: symbol | null = null;
  /** When to ask for commits that this page may have missed, in ms; nothing is committed before. */
  #catchUpAt: number | null = null;
  /** When to ask once more to be added anew, in ms. */
  #renewAt: number | null = null;
  #renewals = 0;
  readonly #comparison = new Comparison();
  #troubles = new Map<string, { warning: Warning; until: number }>();
  /** By m-line, when frames of an unknown epoch were first noticed there. */
  #lagging = new Map<string, number>();
  /** There is a connection, and on it a place in the room. */
  #online = false;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** What was to be done on one connection means nothing on the next. */
  #turn = 0;
  /** Everything goes one after the other. Answers are not waited for in it. */
  #queue: Promise<void> = Promise.resolve();

  constructor(edges: EncryptionEdges) {
    this.#edges = edges;
  }

  get view(): EncryptionView {
    return this.#view;
  }

  // --- The visit ---------------------------------------------------------------------------

  async introduce(welcome: Welcome, name: string): Promise<Introduction> {
    const turn = this.#turn;
    const wanted = JSON.stringify([welcome.ciphersuite, welcome.role, name]);
    let group = this.#openedFor === wanted ? this.#group : null;
    if (group === null) {
      this.#forgetGroup();
      group = await this.#edges.openGroup(welcome.ciphersuite, name, welcome.role);
      if (turn === this.#turn) [this.#group, this.#openedFor] = [group, wanted];
    }
    const key_package = await group.freshKeyPackage();
    const { state } = group;
    const position = state && { group: state.group, epoch: state.epoch };
    if (turn === this.#turn) [this.#position, this.#early] = [position, []];
    return { key_package, position };
  }

  joined(selfId: string, group: GroupStanding): void {
    this.#selfId = selfId;
    this.#online = true;
    // What did not open before has its reason in the connection that was lost.
    this.#lagging.clear();
    this.#renewals = 0;
    if (this.#timer === null) this.#timer = setInterval(() => this.#tend(), LOOK_AGAIN_MS);
    const [early, position] = [this.#early ?? [], this.#position];
    this.#early = null;
    this.#enqueue(() => this.#stand(group, position));
    for (const event of early) this.#enqueue(() => this.#hear(event));
  }

  roster(roster: Roster): void {
    this.#roster = roster;
    const places: Record<string, string> = {};
    for (const one of roster.participants) {
      if (one.id === this.#selfId) continue;
      const slot = one.slot.toString(16);
      places[`a${slot}`] = one.id;
      places[`v${slot}`] = one.id;
      if (one.screen) places.s0 = one.id;
    }
    this.#edges.transforms.setPlaces(places);
    this.#edges.transforms.setWholeFrames(roster.whole_frames);
    this.#enqueue(async () => {
      this.#look();
      // Someone whom the service wanted added may have been missing in the roster so far.
      await this.#work();
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
    if (this.#early === null) this.#enqueue(() => this.#hear(event));
    else if (this.#early.length < MAX_EARLY) this.#early.push(event);
  }

  offline(): void {
    this.#turn += 1;
    this.#online = false;
    this.#early = [];
    this.#asked = null;
    this.#due = null;
    this.#commits.clear();
    this.#catchUpAt = this.#renewAt = null;
  }

  left(): void {
    this.offline();
    this.#edges.transforms.stopSealing();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#selfId = null;
    this.#roster = null;
    this.#troubles.clear();
    this.#lagging.clear();
    this.#comparison.reset();
    this.#forgetGroup();
  }

  /** Frames that came on an m-line could not be opened. */
  trouble({ mid, kind }: Trouble): void {
    if (this.#view.phase !== 'secured') return;
    // Cut off from the service, too: what the others did meanwhile comes with the new connection.
    if (kind === 'no_key' && !this.#online) return;
    const key = `frames:${mid}`;
    if (kind === 'no_key' && !this.#lagging.has(mid)) {
      // The others may be in a later epoch, of which this page was not told.
      this.#lagging.set(mid, Date.now());
      this.#behind(0);
      this.#tend();
      return;
    }
    const place = this.#roster?.participants.find(
      (one) => mid.slice(1) === one.slot.toString(16) || (mid === 's0' && one.screen),
    );
    const name = place ? (this.#names.get(place.id) ?? place.name) : 'someone';
    const text = {
      wrong_sender:
        `Sound or video came in ${name}’s place that is not from ${name}. It is not played. ` +
        'If it goes on, tell the facilitator.',
      forged:
        `Sound or video from ${name} was changed on its way. It is not played. ` +
        'If it goes on, tell the facilitator.',
      no_key:
        `You cannot hear or see ${name}, since your page was cut off from the others’ keys. ` +
        'If it goes on, leave and join again, and tell the facilitator.',
    }[kind];
    this.#warn(key, text);
  }

  // --- Chat --------------------------------------------------------------------------------

  /** Where it rejects with RequestFailed of kind `refused`, that is a sentence for the person. */
  async say(audience: Audience, to: string | null, text: string): Promise<void> {
    const message = await this.#inTurn(() => this.#sealed(audience, to, text));
    try {
      await this.#edges.request(
        'chat',
        to === null ? { audience, message } : { audience, to, message },
      );
    } catch (error) {
      const code = error instanceof RequestFailed ? error.problem?.code : undefined;
      // The service is further than this page, which nobody told it.
      if (code === 'not_in_group' || code === 'bad_chat') this.#behind(0);
      throw error;
    }
  }

  async #sealed(audience: Audience, to: string | null, text: string): Promise<Uint8Array> {
    const group = this.#group;
    const state = this.#member();
    if (group === null || state === null)
      throw new RequestFailed(
        'refused',
        'Your connection is still being secured. Please try again in a moment.',
      );
    if (audience === 'room') return group.write(encodeRoom(text));
    const readers = state.members.filter(
      (one) => one.leaf !== state.ownLeaf && (one.role === 'facilitator' || one.id === to),
    );
    if (readers.length === 0 || (to !== null && !readers.some((one) => one.id === to)))
      throw new RequestFailed('refused', 'Nobody who could read this is here right now.');
    try {
      return await group.write(await encodePrivate(group, readers, text));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RequestFailed(
        'refused',
        'This is too long to be sent to so many people privately. Please send it in parts.',
      );
    }
  }

  async #read(message: Uint8Array): Promise<void> {
    const group = this.#group;
    if (!group?.state) return;
    try {
      const { sender, plaintext, epoch } = await group.read(message);
      const chat = await decodeChat(group, sender, epoch, plaintext);
      if (chat === null) return;
      const named = {
        ...sender,
        name: this.#names.get(sender.id) ?? sender.name,
      };
      if (chat.kind === 'room') {
        this.#edges.received({
          from: named,
          audience: 'room',
          to: null,
          text: chat.text,
        });
        return;
      }
      // Whom it was for is what its writer sealed into it, not what the server says.
      const roles = new Map(group.state.members.map((one) => [one.id, one.role]));
      const to = chat.to.find((id) => roles.get(id) === 'participant') ?? null;
      this.#edges.received({
        from: named,
        audience: to !== null && sender.role === 'facilitator' ? 'person' : 'facilitators',
        to: sender.role === 'facilitator' ? to : null,
        text: chat.text,
      });
    } catch {
      // Not for us, from before we came, or no honest message: there is nothing to show.
    }
  }

  // --- The group ---------------------------------------------------------------------------

  /** Where this page is in the group, while it is in it as far as it knows. */
  #member(): EpochState | null {
    return this.#view.phase === 'secured' ? (this.#group?.state ?? null) : null;
  }

  async #hear(event: GroupEvent): Promise<void> {
    switch (event.name) {
      case 'found_group':
        // Only who is in no group needs one: nobody calls a page away from the others.
        if (this.#member() === null) await this.#found(event.payload.group);
        return;
      case 'group_welcome':
        if (this.#member() === null) await this.#enter(event.payload.welcome);
        return;
      case 'committed': {
        const { group, epoch, commit } = event.payload;
        const state = this.#member();
        if (state === null || !sameBytes(group, state.group) || epoch < state.epoch) return;
        if (epoch < state.epoch + MAX_AHEAD) this.#commits.set(epoch, commit);
        else this.#behind(0);
        await this.#drain();
        return;
      }
      case 'commit_due':
        this.#due = event.payload;
        await this.#work();
        return;
      case 'chat_message':
        await this.#read(event.payload.message);
    }
  }

  /** `position`: where this page told that it is. */
  async #stand(
    { group: id, standing, commits }: GroupStanding,
    position: GroupPosition | null,
  ): Promise<void> {
    this.#commits.clear();
    this.#due = null;
    this.#catchUpAt = this.#renewAt = null;
    if (standing === 'founder') {
      await this.#found(id);
      return;
    }
    if (standing === 'waiting') {
      this.#wait();
      return;
    }
    const state = this.#group?.state;
    if (
      !state ||
      position === null ||
      ![state.group, position.group].every((one) => sameBytes(one, id))
    ) {
      await this.#renew();
      return;
    }
    commits.forEach((commit, at) => this.#commits.set(position.epoch + at, commit));
    if (!(await this.#process())) return;
    // Without anything missed, it is the same epoch again.
    if (this.#group?.state === state) this.#begin(state);
    await this.#drain();
  }

  async #found(id: Uint8Array): Promise<void> {
    try {
      const state = await this.#group?.found(id);
      if (state) this.#begin(state);
    } catch (error) {
      if (!(error instanceof GroupError)) throw error;
      await this.#renew();
    }
  }

  async #enter(welcome: Uint8Array): Promise<void> {
    try {
      const state = await this.#group?.join(welcome);
      if (state) this.#begin(state);
    } catch (error) {
      if (!(error instanceof GroupError)) throw error;
      await this.#renew();
    }
  }

  /** Processes what has come, as far as it goes without a gap; then does what is due. */
  async #drain(): Promise<void> {
    if (!(await this.#process())) return;
    if (this.#commits.size > 0) this.#behind(GAP_MS);
    await this.#work();
  }

  /** False where this page is not a member of the group after it. */
  async #process(): Promise<boolean> {
    const turn = this.#turn;
    const group = this.#group;
    for (;;) {
      const state = group?.state;
      if (!group || !state) return false;
      for (const epoch of this.#commits.keys())
        if (epoch < state.epoch) this.#commits.delete(epoch);
      const commit = this.#commits.get(state.epoch);
      if (commit === undefined) return true;
      this.#commits.delete(state.epoch);
      let next: EpochState | 'removed';
      try {
        next = await group.process(commit);
      } catch (error) {
        if (!(error instanceof GroupError)) throw error;
        next = 'removed';
      }
      if (next !== 'removed') this.#begin(next);
      if (turn !== this.#turn) return false;
      if (next === 'removed') {
        await this.#renew();
        return false;
      }
      // If this was not all, the next gap shows it.
      this.#catchUpAt = null;
    }
  }

  /** There may be commits that this page was not told of: asks for them in `ms`. */
  #behind(ms: number): void {
    this.#catchUpAt ??= Date.now() + ms;
  }

  #catchUp(): void {
    const state = this.#member();
    if (state === null || this.#asked !== null) return;
    this.#catchUpAt = null;
    const { group, epoch } = state;
    this.#ask('catch_up', { group, epoch }, async (answer) => {
      if (answer instanceof RequestFailed) {
        if (answer.problem?.code === 'epoch_gone') await this.#renew();
        else this.#behind(ASK_AGAIN_MS);
        return;
      }
      answer.commits.forEach((commit, at) => this.#commits.set(epoch + at, commit));
      if (!(await this.#process())) return;
      // That was all there is. What does not follow from it never will.
      this.#commits.clear();
      const now = this.#group?.state?.epoch ?? 0;
      if (this.#due !== null && this.#due.epoch > now) this.#due = null;
      await this.#work();
    });
  }

  /** In no group, or in one that leads nowhere any more: a Welcome is to come. */
  #wait(): void {
    this.#commits.clear();
    this.#due = null;
    this.#catchUpAt = this.#renewAt = null;
    // Whoever was removed, or removed this page, has the old keys.
    this.#edges.transforms.stopSealing();
    if (this.#view.phase === 'setting_up') return;
    this.#phaseSince = Date.now();
    this.#show({ phase: 'setting_up', epoch: null, safety: null });
  }

  /** Asks to be added anew: what we have of the group leads nowhere. */
  async #renew(): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    this.#wait();
    if (this.#renewals >= MAX_RENEWALS) return; // people are told: see `#look`
    this.#renewals += 1;
    const turn = this.#turn;
    const key_package = await group.freshKeyPackage();
    if (turn !== this.#turn) return;
    this.#ask('renew', { key_package }, async (answer) => {
      if (!(answer instanceof RequestFailed)) await this.#stand(answer.group, null);
      else if (this.#member() === null) this.#renewAt = Date.now() + ASK_AGAIN_MS;
    });
  }

  /** Makes the commit that is due, if the service has it from us and the roster bears it out. */
  async #work(): Promise<void> {
    const due = this.#due;
    const group = this.#group;
    const state = this.#member();
    if (!due || !group || !state || !this.#roster) return;
    // Nothing new on top of what is not settled yet.
    if (this.#asked !== null || this.#catchUpAt !== null) return;
    if (!sameBytes(due.group, state.group) || due.epoch < state.epoch) return;
    if (due.epoch > state.epoch) {
      this.#behind(GAP_MS);
      return;
    }
    const waiting: Inspected[] = await Promise.all(
      due.add.map(async (one) => ({
        id: one.id,
        keyPackage: one.key_package,
        inspected: await inspectKeyPackage(one.key_package, group.ciphersuite),
      })),
    );
    const made = await this.#makeCommit(group, state, waiting, due.remove);
    if (made === null || this.#due !== due) return;
    this.#due = null;
    // If another's commit wins, it has to be processed before the answer comes.
    this.#ask('commit', { group: state.group, ...made }, async (answer) => {
      if (answer instanceof RequestFailed) {
        // Without an answer: if it was taken, it is in the log.
        if (answer.kind !== 'refused') {
          this.#behind(0);
          this.#catchUp();
          return;
        }
        group.forget();
        if (answer.problem?.code === 'not_in_group') {
          await this.#renew();
          return;
        }
        if (this.#member()?.epoch === made.epoch) this.#behind(GAP_MS);
      } else {
        try {
          this.#begin(await group.accepted());
        } catch (error) {
          if (!(error instanceof GroupError)) throw error;
          this.#behind(0); // it cannot be that two have won
        }
      }
      await this.#drain();
    });
  }

  /** Someone whom the MLS library cannot add keeps nobody else out. */
  async #makeCommit(
    group: Group,
    { members, ownLeaf }: EpochState,
    waiting: readonly Inspected[],
    leaving: readonly Leaving[],
  ): Promise<Awaited<ReturnType<Group['commit']>> | null> {
    const listed = this.#roster?.participants ?? [];
    const make = async (due: { add: readonly Inspected[]; remove: readonly Leaving[] }) => {
      const { add, remove, warnings } = decide(members, listed, due, ownLeaf);
      for (const { key, text } of warnings) this.#warn(key, text);
      if (add.length === 0 && remove.length === 0) return null;
      try {
        return await group.commit(add, remove);
      } catch (error) {
        if (!(error instanceof GroupError)) throw error;
        return 'failed' as const;
      }
    };
    let made = await make({ add: waiting, remove: leaving });
    if (made !== 'failed') return made;
    const addable: Inspected[] = [];
    for (const one of waiting) {
      const own = leaving.filter(({ id }) => id === one.id);
      if ((await make({ add: [one], remove: own })) !== 'failed') addable.push(one);
      else
        this.#warn(
          `not-let-in:${one.id}`,
          `${one.inspected?.credential.name ?? 'Someone'} could not be let in to the encrypted ` +
            'call. Please ask them to join again.',
        );
    }
    made = await make({ add: addable, remove: leaving });
    if (made !== null && made !== 'failed') return made;
    group.forget();
    this.#due = null; // the service gives it to the next in turn
    return null;
  }

  /** One request at a time; its answer is worked on in its turn, if it still means anything then. */
  #ask<Name extends 'commit' | 'catch_up' | 'renew'>(
    name: Name,
    payload: Requests[Name]['payload'],
    answered: (answer: Requests[Name]['ack'] | RequestFailed) => Promise<void>,
  ): void {
    if (this.#early !== null) return;
    const asked = (this.#asked = Symbol(name));
    this.#edges
      .request(name, payload)
      .catch((error: unknown) => {
        if (error instanceof RequestFailed) return error;
        throw error;
      })
      .then(
        (answer) =>
          this.#enqueue(async () => {
            if (this.#asked !== asked) return;
            this.#asked = null;
            await answered(answer);
          }),
        (error: unknown) => {
          if (this.#asked === asked) this.#asked = null;
          this.#failed(error);
        },
      );
  }

  /** A new epoch: from here on it is what we send with, and what people see. */
  #begin(state: EpochState): void {
    // Left in the meantime.
    if (this.#group?.state !== state) return;
    const before = this.#begun;
    this.#begun = state;
    this.#renewAt = null;
    this.#edges.transforms.setEpoch({
      epoch: state.epoch,
      baseKey: state.baseKey,
      ownLeaf: state.ownLeaf,
      leaves: Object.fromEntries(state.members.map((one) => [one.id, one.leaf])),
    });
    const names = shownNames(state.members, this.#names);
    this.#names = new Map([...this.#names, ...names]);
    const members = state.members.map((one) => ({
      ...one,
      name: names.get(one.id) ?? one.name,
    }));
    if (before !== null && sameBytes(before.group, state.group))
      for (const text of comings(this.#view.members, members, this.#selfId))
        this.#edges.announce(text);
    if (this.#view.phase !== 'secured') this.#phaseSince = Date.now();
    const safety = before === state ? this.#view.safety : null;
    this.#show({ phase: 'secured', epoch: state.epoch, members, safety });
    this.#edges.namesChanged();
    this.#look();
    if (safety !== null) return;
    void safetyOf(state.authenticator).then((safety) => {
      if (this.#view.phase === 'secured' && this.#group?.state === state) this.#show({ safety });
    });
  }

  #forgetGroup(): void {
    this.#group = null;
    this.#openedFor = '';
    this.#begun = null;
    this.#position = null;
    this.#names = new Map();
    this.#view = NO_ENCRYPTION;
    this.#edges.show(this.#view);
  }

  // --- What people see -----------------------------------------------------------------------

  #warn(key: string, text: string): void {
    this.#troubles.set(key, {
      warning: { key, text },
      until: Date.now() + TROUBLE_SHOWN_MS,
    });
    this.#look();
  }

  #tend(): void {
    const now = Date.now();
    const { phase } = this.#view;
    if (phase === 'secured' && now - this.#phaseSince >= FORGIVEN_MS) this.#renewals = 0;
    const isTime = (at: number | null) => at !== null && at <= now && this.#asked === null;
    if (isTime(this.#renewAt)) this.#enqueue(() => this.#renew());
    else if (isTime(this.#catchUpAt)) this.#catchUp();
    this.#look();
  }

  #look(): void {
    const now = Date.now();
    for (const [key, { until }] of this.#troubles) if (until <= now) this.#troubles.delete(key);
    for (const [mid, since] of this.#lagging)
      if (since + TROUBLE_SHOWN_MS <= now) this.#lagging.delete(mid);
    const warnings = [...this.#troubles.values()].map(({ warning }) => warning);
    const state = this.#member();
    // While there is no connection, the roster is old.
    if (this.#early === null && state !== null && this.#roster !== null)
      warnings.push(...this.#comparison.look(state.members, this.#roster.participants, now));
    if (this.#view.phase === 'setting_up' && now - this.#phaseSince > PATIENCE_MS)
      warnings.push({
        key: 'not-secured',
        text:
          'Your connection could not be secured so far, so nobody can hear or see you. ' +
          'If it stays so, please leave and join again.',
      });
    const same =
      warnings.length === this.#view.warnings.length &&
      warnings.every((one, at) => one.text === this.#view.warnings[at]?.text);
    if (!same) this.#show({ warnings });
  }

  #show(change: Partial<EncryptionView>): void {
    this.#view = { ...this.#view, ...change };
    this.#edges.show(this.#view);
  }

  // --- One after the other -------------------------------------------------------------------

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  #enqueue(work: () => Promise<void>): void {
    const turn = this.#turn;
    this.#inTurn(async () => {
      if (turn === this.#turn) await work();
    }).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    console.error('encryption', error);
    this.#warn('internal', 'Something went wrong with the encryption. Please join again.');
  }
}
