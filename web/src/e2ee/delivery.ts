/**
 * How this page stands towards the room's MLS group, in conversation with the delivery service
 * (`signaling/delivery.py`): commits that come, those it makes when they are due, what it missed,
 * and being added anew where that leads nowhere. The service is not trusted: it decides the order
 * of things, not who is who.
 */
import type { GroupEvent } from '../wire/group-events';
import type {
  CommitDue,
  GroupPosition,
  GroupStanding,
  Leaving,
  Participant,
} from '../wire/messages';
import { RequestFailed, type Requests } from '../wire/socket';
import type { Door } from './admissions';
import { sameBytes } from './bytes';
import type { EpochState, Group } from './group';
import { GroupError } from './group-error';
import { inspectKeyPackage } from './key-package';
import { decide, type Inspected } from './membership';
import type { Turns } from './turns';
import type { Warning } from './view';
import { ofNotAddable } from './warnings';

export interface DeliveryEdges {
  /** Comes to an end within seconds, if only by RequestFailed. */
  request<Name extends 'commit' | 'catch_up' | 'renew'>(
    name: Name,
    payload: Requests[Name]['payload'],
  ): Promise<Requests[Name]['ack']>;
  /** Whom this page may add. */
  door: Door;
  /** The people in the roster; null before there is one. */
  listed(): readonly Participant[] | null;
  /**
   * A new epoch, or the same again on a new connection. `missed`: the page was away when it began.
   */
  began(state: EpochState, missed: boolean): void;
  /** In no group, or in one that leads nowhere any more: a Welcome is to come. */
  waits(): void;
  /** A message that someone in the group has written. */
  message(message: Uint8Array): Promise<void>;
  warn(warning: Warning): void;
  failed(error: unknown): void;
}

/** What the service told has a gap: what is missing may still come by itself for so long. */
const GAP_MS = 1_000;
/** After a request that came to nothing. */
const ASK_AGAIN_MS = 3_000;
/** In a row; whoever has been in the group for `FORGIVEN_MS` after them begins anew. */
const MAX_RENEWALS = 3;
const FORGIVEN_MS = 60_000;
/** Commits so far ahead are not kept: the service's log is no longer than this. */
const MAX_AHEAD = 64;
/** Events that come before the answer to the join. */
const MAX_EARLY = 128;

export class Delivery {
  readonly #turns: Turns;
  readonly #edges: DeliveryEdges;
  #group: Group | null = null;
  /** Since when it has been in the group as far as it knows, in ms; null while it is in none. */
  #memberSince: number | null = null;
  /** Where this page said it is when it asked to join. */
  #position: GroupPosition | null = null;
  /** What was told before the answer to the join, which comes first; null from then on. */
  #early: GroupEvent[] | null = [];
  /** It processes what it missed while it was away. */
  #returning = false;
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

  constructor(turns: Turns, edges: DeliveryEdges) {
    this.#turns = turns;
    this.#edges = edges;
  }

  get group(): Group | null {
    return this.#group;
  }

  /** Where this page is in the group, while it is in it as far as it knows. */
  get member(): EpochState | null {
    return this.#memberSince === null ? null : (this.#group?.state ?? null);
  }

  /** It has a place in the room, on this connection. */
  get isJoined(): boolean {
    return this.#early === null;
  }

  // --- The visit ---------------------------------------------------------------------------

  /** From here on it is about this group, of which this page is not a member yet. */
  use(group: Group | null): void {
    this.#group = group;
    this.#memberSince = null;
    this.#position = null;
  }

  /** The page is about to ask to join, and to say that it is there. */
  joining(position: GroupPosition | null): void {
    [this.#position, this.#early] = [position, []];
  }

  joined(standing: GroupStanding): void {
    this.#renewals = 0;
    const [early, position] = [this.#early ?? [], this.#position];
    this.#early = null;
    this.#turns.enqueue(() => this.#stand(standing, position));
    for (const event of early) this.#turns.enqueue(() => this.#hear(event));
  }

  told(event: GroupEvent): void {
    if (this.#early === null) this.#turns.enqueue(() => this.#hear(event));
    else if (this.#early.length < MAX_EARLY) this.#early.push(event);
  }

  offline(): void {
    this.#early = [];
    this.#asked = null;
    this.#forgetWhatIsDue();
  }

  /** What has its time; `now` in ms. */
  tend(now: number): void {
    if (this.#memberSince !== null && now - this.#memberSince >= FORGIVEN_MS) this.#renewals = 0;
    const isTime = (at: number | null) => at !== null && at <= now && this.#asked === null;
    if (isTime(this.#renewAt)) this.#turns.enqueue(() => this.#renew());
    else if (isTime(this.#catchUpAt)) this.#catchUp();
  }

  /** There may be commits that this page was not told of: asks for them in `ms`. */
  behind(ms = 0): void {
    this.#catchUpAt ??= Date.now() + ms;
  }

  // --- What the service tells ----------------------------------------------------------------

  async #hear(event: GroupEvent): Promise<void> {
    switch (event.name) {
      case 'found_group':
        // Only who is in no group needs one: nobody calls a page away from the others.
        if (this.member === null) await this.#found(event.payload.group);
        return;
      case 'group_welcome':
        if (this.member === null) await this.#enter(event.payload.welcome);
        return;
      case 'committed': {
        const { group, epoch, commit } = event.payload;
        const state = this.member;
        if (state === null || !sameBytes(group, state.group) || epoch < state.epoch) return;
        if (epoch < state.epoch + MAX_AHEAD) this.#commits.set(epoch, commit);
        else this.behind();
        await this.#drain();
        return;
      }
      case 'commit_due':
        this.#due = event.payload;
        await this.work();
        return;
      case 'chat_message':
        await this.#edges.message(event.payload.message);
    }
  }

  /** `position`: where this page told that it is. */
  async #stand(
    { group: id, standing, commits }: GroupStanding,
    position: GroupPosition | null,
  ): Promise<void> {
    this.#forgetWhatIsDue();
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
    this.#returning = true;
    try {
      if (!(await this.#process())) return;
    } finally {
      this.#returning = false;
    }
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

  // --- Commits that come ---------------------------------------------------------------------

  /** Processes what has come, as far as it goes without a gap; then does what is due. */
  async #drain(): Promise<void> {
    if (!(await this.#process())) return;
    if (this.#commits.size > 0) this.behind(GAP_MS);
    await this.work();
  }

  /** False where this page is not a member of the group after it. */
  async #process(): Promise<boolean> {
    const turn = this.#turns.now;
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
      if (turn !== this.#turns.now) return false;
      if (next === 'removed') {
        await this.#renew();
        return false;
      }
      // If this was not all, the next gap shows it.
      this.#catchUpAt = null;
    }
  }

  #catchUp(): void {
    const state = this.member;
    if (state === null || this.#asked !== null) return;
    this.#catchUpAt = null;
    const { group, epoch } = state;
    this.#ask('catch_up', { group, epoch }, async (answer) => {
      if (answer instanceof RequestFailed) {
        if (answer.problem?.code === 'epoch_gone') await this.#renew();
        else this.behind(ASK_AGAIN_MS);
        return;
      }
      answer.commits.forEach((commit, at) => this.#commits.set(epoch + at, commit));
      if (!(await this.#process())) return;
      // That was all there is. What does not follow from it never will.
      this.#commits.clear();
      const now = this.#group?.state?.epoch ?? 0;
      if (this.#due !== null && this.#due.epoch > now) this.#due = null;
      await this.work();
    });
  }

  /** A Welcome is to come. */
  #wait(): void {
    this.#forgetWhatIsDue();
    this.#memberSince = null;
    this.#edges.waits();
  }

  /** Asks to be added anew: what we have of the group leads nowhere. */
  async #renew(): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    this.#wait();
    if (this.#renewals >= MAX_RENEWALS) return; // people are told: see `ofNotSecured`
    this.#renewals += 1;
    const turn = this.#turns.now;
    const key_package = await group.freshKeyPackage();
    if (turn !== this.#turns.now) return;
    this.#ask('renew', { key_package }, async (answer) => {
      if (!(answer instanceof RequestFailed)) await this.#stand(answer.group, null);
      else if (this.member === null) this.#renewAt = Date.now() + ASK_AGAIN_MS;
    });
  }

  // --- Commits of our own --------------------------------------------------------------------

  /** Makes the commit that is due, if the service has it from us and the roster bears it out. */
  async work(): Promise<void> {
    const due = this.#due;
    const group = this.#group;
    const state = this.member;
    if (!due || !group || !state || this.#edges.listed() === null) return;
    // Nothing new on top of what is not settled yet.
    if (this.#asked !== null || this.#catchUpAt !== null) return;
    if (!sameBytes(due.group, state.group) || due.epoch < state.epoch) return;
    if (due.epoch > state.epoch) {
      this.behind(GAP_MS);
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
          this.behind();
          this.#catchUp();
          return;
        }
        group.forget();
        if (answer.problem?.code === 'not_in_group') {
          await this.#renew();
          return;
        }
        if (this.member?.epoch === made.epoch) this.behind(GAP_MS);
      } else {
        try {
          this.#begin(await group.accepted());
        } catch (error) {
          if (!(error instanceof GroupError)) throw error;
          this.behind(); // it cannot be that two have won
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
    const listed = this.#edges.listed() ?? [];
    const make = async (due: { add: readonly Inspected[]; remove: readonly Leaving[] }) => {
      const { add, remove, warnings } = decide(members, listed, due, ownLeaf, this.#edges.door);
      for (const one of warnings) this.#edges.warn(one);
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
      else this.#edges.warn(ofNotAddable(one.id, one.inspected?.credential.name));
    }
    made = await make({ add: addable, remove: leaving });
    if (made !== null && made !== 'failed') return made;
    group.forget();
    this.#due = null; // the service gives it to the next in turn
    return null;
  }

  // --- Odds and ends -------------------------------------------------------------------------

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
          this.#turns.enqueue(async () => {
            if (this.#asked !== asked) return;
            this.#asked = null;
            await answered(answer);
          }),
        (error: unknown) => {
          if (this.#asked === asked) this.#asked = null;
          this.#edges.failed(error);
        },
      );
  }

  /** A new epoch, or the same again. */
  #begin(state: EpochState): void {
    // Left in the meantime.
    if (this.#group?.state !== state) return;
    this.#memberSince ??= Date.now();
    this.#renewAt = null;
    this.#edges.began(state, this.#returning);
  }

  #forgetWhatIsDue(): void {
    this.#commits.clear();
    this.#due = null;
    this.#catchUpAt = this.#renewAt = null;
  }
}
