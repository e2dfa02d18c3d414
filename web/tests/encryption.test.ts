/**
 * Pages with true MLS groups around a delivery service that is small, and honest unless a test
 * speaks in its place. Only frames are not there: what they would be told is written down.
 */
import {
  decodeMlsMessage,
  encodeMlsMessage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type MLSMessage,
} from 'ts-mls';
import { signKeyPackage } from 'ts-mls/keyPackage.js';
import { signLeafNodeKeyPackage } from 'ts-mls/leafNode.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Admissions } from '../src/e2ee/admissions';
import type { ChatReceived } from '../src/e2ee/audience';
import { Encryption } from '../src/e2ee/encryption';
import type { EpochKeys } from '../src/e2ee/epoch-keys';
import { Group } from '../src/e2ee/group';
import { personId, signingKeys, type Role, type SigningKeys } from '../src/e2ee/identity';
import { inspectKeyPackage } from '../src/e2ee/key-package';
import { safetyOf } from '../src/e2ee/safety';
import type { FrameTransforms } from '../src/e2ee/transforms';
import type { EncryptionView } from '../src/e2ee/view';
import type { GroupEvent } from '../src/wire/group-events';
import type { Chat, CommitDue, GroupStanding, Participant } from '../src/wire/messages';
import { RequestFailed, type Requests } from '../src/wire/socket';

const SUITE = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519';

type Name = 'commit' | 'catch_up' | 'renew' | 'chat';
type Ask = Requests[Name]['payload'];
type Ack = Requests[Name]['ack'];

const refuse = (code: 'stale_epoch' | 'epoch_gone' | 'too_fast') =>
  new RequestFailed('refused', code, { code, message: code });
const noAnswer = () => new RequestFailed('timeout', 'No answer.');
const never = () => new Promise<never>(() => undefined);

/** A page, as far as its encryption goes. */
class Page {
  readonly encryption: Encryption;
  readonly announced: string[] = [];
  readonly received: ChatReceived[] = [];
  readonly asked: Name[] = [];
  epochs: EpochKeys[] = [];
  places: Record<string, string> = {};
  whole: boolean | null = null;
  sealing = false;
  id = '';
  online = false;
  readonly admissions: Admissions;
  /** Stands in the way of a request; null lets it through. */
  intercept: ((name: Name, go: () => Promise<Ack>) => Promise<Ack> | null) | null = null;

  constructor(
    readonly service: Service,
    readonly name: string,
    readonly role: Role,
    readonly keys: SigningKeys,
    store = new Map<string, string>(),
  ) {
    this.admissions = new Admissions('room', {
      getItem: (key) => store.get(key) ?? null,
      setItem: (key, value) => void store.set(key, value),
    });
    const transforms: FrameTransforms = {
      seal: () => undefined,
      open: () => undefined,
      setEpoch: (keys) => {
        this.epochs.push(keys);
        this.sealing = true;
      },
      stopSealing: () => (this.sealing = false),
      setPlaces: (places) => (this.places = places),
      setWholeFrames: (whole) => (this.whole = whole),
      stats: never,
      close: () => undefined,
    };
    this.encryption = new Encryption({
      openGroup: (suite, name, role) => Group.open(suite, keys, { name, role }),
      transforms,
      ownId: () => personId(keys.publicKey),
      admissions: this.admissions,
      request: async (name, payload) => {
        this.asked.push(name);
        const go = async () => service.asked(this, name, payload);
        return await (this.intercept?.(name, go) ?? go());
      },
      show: () => undefined,
      namesChanged: () => undefined,
      announce: (text) => void this.announced.push(text),
      received: (chat) => void this.received.push(chat),
    });
  }

  get view(): EncryptionView {
    return this.encryption.view;
  }

  get warnings(): string[] {
    return this.view.warnings.map(({ key }) => key);
  }

  get names(): string[] {
    return this.view.members.map(({ name }) => name);
  }

  get key(): Uint8Array | undefined {
    return this.epochs.at(-1)?.baseKey;
  }

  async join(): Promise<void> {
    const welcome = { role: this.role, capacity: 12, present: 0, ciphersuite: SUITE, name: null, waits: false, session: null } as const;
    const introduction = await this.encryption.introduce(welcome, this.name);
    const standing = await this.service.join(this, introduction.key_package, introduction.position);
    this.encryption.joined(this.id, standing);
    this.service.settle();
  }

  drop(): void {
    this.online = false;
    this.encryption.offline();
  }

  leave(): void {
    this.online = false;
    this.encryption.left();
    this.service.leave(this.id);
  }

  /** After everything that it was told before. Nothing can be said with no words. */
  async idle(): Promise<void> {
    await this.encryption.say('room', null, '').catch(() => undefined);
  }
}

interface Leaf {
  id: string;
  due: boolean;
}

/** As `signaling/delivery.py`, without turns, times and checks. */
class Service {
  readonly pages = new Map<string, Page>();
  readonly all: Page[] = [];
  group = new Uint8Array(16);
  epoch = 0;
  /** Whether a facilitator lets people in to its groups. */
  kept = false;
  leaves: (Leaf | null)[] = [];
  log = new Map<number, Uint8Array>();
  waiting = new Map<string, Uint8Array>();
  /** By id, what each came with. */
  packages = new Map<string, Uint8Array>();
  activity = 0;
  /** Events that do not reach their page. */
  loses: (to: Page, event: GroupEvent) => boolean = () => false;
  /** What the roster says else than it should. */
  lies: (people: Participant[]) => Participant[] = (people) => people;
  told: { to: string; event: GroupEvent }[] = [];

  members(): Page[] {
    return this.leaves.flatMap((leaf) => {
      const page = leaf && !leaf.due ? this.pages.get(leaf.id) : undefined;
      return page ? [page] : [];
    });
  }

  async join(
    page: Page,
    keyPackage: Uint8Array,
    position: { group: Uint8Array; epoch: number } | null,
  ): Promise<GroupStanding> {
    const inspected = await inspectKeyPackage(keyPackage, SUITE);
    page.id = inspected?.id ?? expect.fail('not a good key package');
    this.pages.set(page.id, page);
    this.packages.set(page.id, keyPackage);
    if (!this.all.includes(page)) this.all.push(page);
    page.online = true;
    const leaf = this.leaves.find((one) => one?.id === page.id && !one.due);
    const commits = position && leaf && this.#since(position.group, position.epoch);
    if (commits) return { group: this.group, standing: 'member', commits };
    return this.#admit(page.id, keyPackage);
  }

  leave(id: string): void {
    this.pages.delete(id);
    this.waiting.delete(id);
    for (const leaf of this.leaves) if (leaf?.id === id) leaf.due = true;
    this.settle();
  }

  async asked(page: Page, name: Name, payload: Ask): Promise<Ack> {
    this.activity += 1;
    await Promise.resolve();
    if (!page.online) throw new RequestFailed('lost', 'Not connected.');
    if (name === 'chat') return this.#chat(page, payload as Chat);
    if (name === 'catch_up') {
      const { group, epoch } = payload as Requests['catch_up']['payload'];
      const commits = this.#since(group, epoch);
      if (commits === null) throw refuse('epoch_gone');
      return { ok: true, commits };
    }
    if (name === 'renew') {
      const { key_package } = payload as Requests['renew']['payload'];
      const group = this.#admit(page.id, key_package);
      this.settle();
      return { ok: true, group };
    }
    return this.#commit(page, payload as Requests['commit']['payload']);
  }

  /** Tells everyone who is there, and whose duty it is to commit what is due. */
  settle(): void {
    const people = [...this.pages.values()].map((one, slot): Participant => ({
      id: one.id,
      name: one.name,
      role: one.role,
      slot,
      mic: true,
      camera: true,
      screen: false,
      connection: one.online ? 'connected' : 'reconnecting',
    }));
    const roster = { version: 1, participants: this.lies(people), whole_frames: true };
    for (const one of this.pages.values()) if (one.online) one.encryption.roster(roster);
    const due = this.due();
    const able = this.members().filter((one) => one.online);
    const committer = able.find((one) => one.role === 'facilitator') ?? able[0];
    if (committer && due.add.length + due.remove.length > 0)
      this.tell(committer, { name: 'commit_due', payload: due });
  }

  due(): CommitDue {
    return {
      group: this.group,
      epoch: this.epoch,
      add: [...this.waiting].map(([id, key_package]) => ({ id, key_package })),
      remove: this.leaves.flatMap((one, leaf) => (one?.due ? [{ id: one.id, leaf }] : [])),
    };
  }

  tell(to: Page, event: GroupEvent): void {
    this.activity += 1;
    if (!to.online || this.loses(to, event)) return;
    this.told.push({ to: to.id, event });
    to.encryption.told(event);
  }

  /** Until nothing more comes of anything. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.activity;) {
      before = this.activity;
      for (let n = 0; n < 3; n++) for (const one of this.all) await one.idle();
    }
  }

  #since(group: Uint8Array, epoch: number): Uint8Array[] | null {
    if (String(group) !== String(this.group)) return null;
    const commits = [];
    for (let at = epoch; at < this.epoch; at++) {
      const commit = this.log.get(at);
      if (commit === undefined) return null;
      commits.push(commit);
    }
    return commits;
  }

  #admit(id: string, keyPackage: Uint8Array): GroupStanding {
    for (const leaf of this.leaves) if (leaf?.id === id) leaf.due = true;
    if (this.members().length === 0) {
      this.group = crypto.getRandomValues(new Uint8Array(16));
      this.group[0] = Number(this.kept);
      this.epoch = 0;
      this.leaves = [{ id, due: false }];
      this.log.clear();
      return { group: this.group, standing: 'founder', commits: [] };
    }
    this.waiting.set(id, keyPackage);
    return { group: this.group, standing: 'waiting', commits: [] };
  }

  #commit(page: Page, { epoch, commit, welcome }: Requests['commit']['payload']): Ack {
    if (epoch !== this.epoch) throw refuse('stale_epoch');
    const message = decodeMlsMessage(commit, 0)?.[0];
    if (message?.wireformat !== 'mls_public_message') return expect.fail('no commit');
    const { content } = message.publicMessage;
    if (content.contentType !== 'commit') return expect.fail('no commit');
    const newcomers: string[] = [];
    for (const one of content.commit.proposals) {
      if (one.proposalOrRefType !== 'proposal') continue;
      if (one.proposal.proposalType === 'remove') this.leaves[one.proposal.remove.removed] = null;
      if (one.proposal.proposalType !== 'add') continue;
      const { keyPackage } = one.proposal.add;
      const bytes = encodeMlsMessage({
        version: 'mls10',
        wireformat: 'mls_key_package',
        keyPackage,
      });
      const [id] =
        [...this.waiting].find(([, known]) => String(known) === String(bytes)) ??
        expect.fail('adds someone who does not wait');
      newcomers.push(id);
    }
    const others = this.members().filter((one) => one !== page);
    for (const id of newcomers) {
      const blank = this.leaves.indexOf(null);
      this.leaves[blank < 0 ? this.leaves.length : blank] = { id, due: false };
      this.waiting.delete(id);
    }
    this.log.set(epoch, commit);
    this.epoch += 1;
    const { group } = this;
    for (const one of others)
      this.tell(one, { name: 'committed', payload: { group, epoch, commit } });
    for (const id of newcomers) {
      const newcomer = this.pages.get(id);
      if (newcomer && welcome)
        this.tell(newcomer, { name: 'group_welcome', payload: { group, welcome } });
    }
    this.settle();
    return { ok: true };
  }

  #chat(page: Page, { audience, to = null, message }: Chat): Ack {
    const payload = { sender: page.id, audience, to, message };
    for (const one of this.members())
      if (one !== page && (audience === 'room' || one.role === 'facilitator' || one.id === to))
        this.tell(one, { name: 'chat_message', payload });
    return { ok: true };
  }
}

const visits: Page[] = [];

async function open(service: Service, name: string, keys?: SigningKeys): Promise<Page> {
  const role = name === 'Fay' || name === 'Gil' ? 'facilitator' : 'participant';
  const nowhere = { getItem: () => null, setItem: () => undefined };
  const page = new Page(service, name, role, keys ?? (await signingKeys('room', nowhere)));
  visits.push(page);
  return page;
}

async function enter(service: Service, ...names: string[]): Promise<Page[]> {
  const pages = [];
  for (const name of names) {
    const page = await open(service, name);
    await page.join();
    await service.quiet();
    pages.push(page);
  }
  return pages;
}

type Three = [Page, Page, Page];

function expectTogether(...pages: Page[]): void {
  const { epoch, members } = pages[0]?.view ?? expect.fail('nobody');
  for (const { view, key } of pages) {
    expect(view).toMatchObject({ phase: 'secured', epoch, members });
    expect(key).toEqual(pages[0]?.key);
  }
  expect(members).toHaveLength(pages.length);
}

// Much true cryptography, on machines that may be busy.
vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

let service: Service;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
  });
  service = new Service();
});

afterEach(() => {
  for (const page of visits.splice(0)) page.encryption.left();
  // Nothing that was open keeps a timer.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    vi.advanceTimersByTime(Math.min(left, 1_000));
    await service.quiet();
  }
}

describe('a room', () => {
  it('is founded, joined and left, with new keys each time', async () => {
    const [fay] = (await enter(service, 'Fay')) as [Page];
    expectTogether(fay);
    const [ada, ben] = (await enter(service, 'Ada', 'Ben')) as [Page, Page];
    expectTogether(fay, ada, ben);
    expect(fay.names).toEqual(['Fay', 'Ada', 'Ben']);
    const before = fay.key;
    ben.leave();
    await service.quiet();
    expectTogether(fay, ada);
    expect(fay.key).not.toEqual(before);
    expect(ada.epochs.at(-1)?.leaves).toEqual({ [fay.id]: 0, [ada.id]: 1 });
    expect(ben.view).toMatchObject({ phase: 'off', members: [] });
    expect(fay.announced).toEqual(['Ada joined.', 'Ben joined.', 'Ben left.']);
    expect(ada.announced).toEqual(['Ben joined.', 'Ben left.']);
  });

  it('shows all the same safety words, others in each epoch', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    const words = ({ view }: Page) => safetyOf(view.authenticator ?? new Uint8Array());
    const before = await words(fay);
    expect(await words(ada)).toEqual(before);
    await enter(service, 'Ben');
    await vi.waitFor(async () => expect(await words(fay)).not.toEqual(before));
  });

  it('gives the frames everyone’s place but one’s own', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    expect(fay.places).toEqual({ a1: ada.id, v1: ada.id });
    expect(ada.places).toEqual({ a0: fay.id, v0: fay.id });
    expect(ada.whole).toBe(true);
  });

  it('tells people of the same name apart', async () => {
    const [fay] = await enter(service, 'Fay', 'Ada', 'Ada');
    expect(fay?.names).toEqual(['Fay', 'Ada', 'Ada (2)']);
    expect(fay?.announced).toEqual(['Ada joined.', 'Ada (2) joined.']);
  });

  it('takes someone back who comes back as the same person after leaving', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    ada.leave();
    await service.quiet();
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada);
  });

  it('does not add anyone twice, nor loses anyone, when two commit at once', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    const cyd = await open(service, 'Cyd');
    await cyd.join();
    service.tell(ada, { name: 'commit_due', payload: service.due() });
    await service.quiet();
    expect([...fay.asked, ...ada.asked].filter((one) => one === 'commit')).toHaveLength(3);
    expectTogether(fay, ada, cyd);
    await enter(service, 'Dee');
    expect(ada.names).toEqual(['Fay', 'Ada', 'Cyd', 'Dee']);
  });

  it('works on what was told before the answer to the join', async () => {
    const [fay] = (await enter(service, 'Fay')) as [Page];
    const ada = await open(service, 'Ada');
    const welcome = { role: ada.role, capacity: 12, present: 0, ciphersuite: SUITE, name: null, waits: false, session: null } as const;
    const shown = await ada.encryption.introduce(welcome, 'Ada');
    const standing = await service.join(ada, shown.key_package, shown.position);
    service.settle();
    await service.quiet();
    expect(service.told.at(-1)).toMatchObject({ to: ada.id, event: { name: 'group_welcome' } });
    ada.encryption.joined(ada.id, standing);
    await service.quiet();
    expectTogether(fay, ada);
  });
});

describe('on a flaky network', () => {
  it('catches up when the answer to a commit was lost', async () => {
    const [fay] = (await enter(service, 'Fay')) as [Page];
    fay.intercept = (name, go) =>
      name === 'commit' ? go().then(() => Promise.reject(noAnswer())) : null;
    const [ada] = (await enter(service, 'Ada')) as [Page];
    expect(fay.asked).toEqual(['commit', 'catch_up']);
    expectTogether(fay, ada);
  });

  it('goes on asking what it missed until it is answered, and commits nothing before', async () => {
    const [fay] = (await enter(service, 'Fay')) as [Page];
    fay.intercept = (name, go) =>
      name === 'commit' ? go().then(() => Promise.reject(noAnswer())) : Promise.reject(noAnswer());
    const [ada] = (await enter(service, 'Ada')) as [Page];
    expect(fay.view.epoch).toBe(0);
    const due = service.told.find(({ event }) => event.name === 'commit_due')?.event;
    fay.encryption.told(due ?? expect.fail('nothing was due'));
    await pass(10_000);
    expect(fay.asked.filter((one) => one === 'commit')).toHaveLength(1);
    expect(fay.asked.filter((one) => one === 'catch_up').length).toBeGreaterThan(1);
    fay.intercept = null;
    await pass(5_000);
    expectTogether(fay, ada);
  });

  it('goes along when its commit has no answer and another’s wins', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    fay.intercept = (name) => (name === 'commit' ? never() : null);
    const cyd = await open(service, 'Cyd');
    await cyd.join();
    await service.quiet();
    service.tell(ada, { name: 'commit_due', payload: service.due() });
    await service.quiet();
    expectTogether(fay, ada, cyd);
  });

  it('fills a gap', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    service.loses = (to, { name }) => to === ada && name === 'committed';
    const [cyd] = (await enter(service, 'Cyd')) as [Page];
    expect(ada.view.epoch).toBe(1);
    service.loses = () => false;
    const [dee] = (await enter(service, 'Dee')) as [Page];
    expect(ada.view.epoch).toBe(1);
    await pass(2_000);
    expectTogether(fay, ada, cyd, dee);
    expect(ada.asked).toEqual(['catch_up']);
    expect(ada.announced).toEqual(['Cyd joined.', 'Dee joined.']);
  });

  it('notices by frames that it was not told of an epoch', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    service.loses = (to, { name }) => to === ada && name === 'committed';
    const [cyd] = (await enter(service, 'Cyd')) as [Page];
    ada.encryption.trouble({ mid: 'a0', kind: 'no_key' });
    await service.quiet();
    expectTogether(fay, ada, cyd);
    expect(ada.warnings).toEqual([]);
    ada.encryption.trouble({ mid: 'a0', kind: 'no_key' });
    expect(ada.view.warnings[0]?.text).toContain('hear or see Fay');
  });

  it('asks to be added anew when the log is gone, but not when it asked too fast', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    service.loses = (to, { name }) => to === ada && name === 'committed';
    const [cyd] = (await enter(service, 'Cyd')) as [Page];
    service.log.clear();
    ada.intercept = (name) => (name === 'catch_up' ? Promise.reject(refuse('too_fast')) : null);
    ada.encryption.trouble({ mid: 'a0', kind: 'no_key' });
    await service.quiet();
    expect(ada.asked).toEqual(['catch_up']);
    ada.intercept = null;
    await pass(4_000);
    expect(ada.asked).toEqual(['catch_up', 'catch_up', 'renew']);
    expectTogether(fay, ada, cyd);
    // Nobody came or went.
    expect(fay.announced).toEqual(['Ada joined.', 'Cyd joined.']);
  });

  it('asks once more to be added anew when that has no answer', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    ada.intercept = () => Promise.reject(noAnswer());
    const { group, epoch } = service;
    const commit = new Uint8Array(9);
    service.tell(ada, { name: 'committed', payload: { group, epoch, commit } });
    await service.quiet();
    expect(ada.view).toMatchObject({ phase: 'setting_up', epoch: null, authenticator: null });
    expect(ada.sealing).toBe(false);
    ada.intercept = null;
    await pass(5_000);
    expect(ada.asked).toEqual(['renew', 'renew']);
    expectTogether(fay, ada);
  });

  it('is a member again when the service never heard that it wanted to be added anew', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    ada.intercept = never;
    const { group, epoch } = service;
    const commit = new Uint8Array(9);
    service.tell(ada, { name: 'committed', payload: { group, epoch, commit } });
    await service.quiet();
    expect(ada.view.phase).toBe('setting_up');
    ada.drop();
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada);
  });

  it('comes back to where it was, with what it missed', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    ada.drop();
    const [cyd] = (await enter(service, 'Cyd')) as [Page];
    expect(ada.view).toMatchObject({ phase: 'secured', epoch: 1 });
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada, cyd);
    expect(ada.asked).toEqual([]);
    ada.drop();
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada, cyd);
  });

  it('comes back after the connection broke in the middle of its own commit', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    fay.intercept = (name, go) => (name === 'commit' ? go().then(never) : null);
    const cyd = await open(service, 'Cyd');
    await cyd.join();
    await service.quiet();
    expect(fay.view.epoch).toBe(1);
    fay.drop();
    fay.intercept = null;
    await fay.join();
    await service.quiet();
    expectTogether(fay, ada, cyd);
  });

  it('founds anew after the service has forgotten all', async () => {
    const [fay, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    const before = fay.key;
    fay.drop();
    ada.drop();
    service.leaves = [];
    await fay.join();
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada);
    expect(fay.key).not.toEqual(before);
  });

  it('begins no epoch any more once it has left', async () => {
    const [, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    const late: GroupEvent[] = [];
    service.loses = (to, event) => to === ada && late.push(event) > 0;
    await enter(service, 'Cyd');
    for (const event of late) ada.encryption.told(event);
    for (let n = 0; n < 5; n++) await Promise.resolve();
    ada.leave();
    await service.quiet();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ada.view.phase).toBe('off');
    expect(ada.epochs).toHaveLength(1);
    expect(ada.sealing).toBe(false);
  });

  it('lets nothing of an earlier visit into the next', async () => {
    const [, ada] = (await enter(service, 'Fay', 'Ada')) as [Page, Page];
    let answer: (ack: Ack) => void = () => undefined;
    ada.intercept = () => new Promise((resolve) => (answer = resolve));
    ada.encryption.trouble({ mid: 'a0', kind: 'no_key' });
    await service.quiet();
    expect(ada.asked).toEqual(['catch_up']);
    ada.leave();
    const epochs = ada.epochs.length;
    answer({ ok: true, commits: [new Uint8Array(9)] });
    await service.quiet();
    expect(ada.view.phase).toBe('off');
    expect(ada.epochs).toHaveLength(epochs);
    expect(ada.asked).toEqual(['catch_up']);
  });
});

describe('chat', () => {
  let fay: Page, gil: Page, ada: Page, ben: Page;
  beforeEach(async () => {
    [fay, gil, ada, ben] = (await enter(service, 'Fay', 'Gil', 'Ada', 'Ben')) as [...Three, Page];
  });

  /** Gives the message to everyone, whomever it is for. */
  async function leak(from: Page): Promise<void> {
    const event = service.told.findLast(({ event }) => event.name === 'chat_message')?.event;
    if (event?.name !== 'chat_message') throw new Error('no chat');
    // Relabelled, as if it had been for all.
    const payload = { ...event.payload, sender: gil.id, audience: 'room', to: null } as const;
    for (const one of [fay, gil, ada, ben])
      if (one !== from) service.tell(one, { name: 'chat_message', payload });
    await service.quiet();
  }

  it('to the room is read by all', async () => {
    await ada.encryption.say('room', null, 'Hello.');
    await service.quiet();
    for (const { received } of [fay, gil, ben])
      expect(received).toMatchObject([
        { from: { id: ada.id, name: 'Ada' }, audience: 'room', to: null, text: 'Hello.' },
      ]);
    expect(ada.received).toEqual([]);
  });

  it('to the facilitators is read by them alone, whatever the service does', async () => {
    await ada.encryption.say('facilitators', null, 'Help.');
    await leak(ada);
    for (const { received } of [fay, gil])
      expect(received).toMatchObject([
        { from: { id: ada.id }, audience: 'facilitators', to: null },
      ]);
    expect(ben.received).toEqual([]);
  });

  it('to a person is read by them and the facilitators', async () => {
    await fay.encryption.say('person', ada.id, 'Are you well?');
    await leak(fay);
    for (const { received } of [gil, ada])
      expect(received).toMatchObject([{ from: { id: fay.id }, audience: 'person', to: ada.id }]);
    expect(ben.received).toEqual([]);
  });

  it('is not sent where nobody could read it', async () => {
    await expect(fay.encryption.say('person', 'gone', 'Hello?')).rejects.toMatchObject({
      kind: 'refused',
    });
    fay.leave();
    gil.leave();
    await service.quiet();
    await expect(ada.encryption.say('facilitators', null, 'Hello?')).rejects.toMatchObject({
      kind: 'refused',
    });
    ada.drop();
    await expect(ada.encryption.say('room', null, 'Hello?')).rejects.toMatchObject({
      kind: 'lost',
    });
    ada.encryption.left();
    await expect(ada.encryption.say('room', null, 'Hello?')).rejects.toThrow(/being secured/);
  });

  it('keeps the name of someone who has left since', async () => {
    const [other] = (await enter(service, 'Ada')) as [Page];
    const late: GroupEvent[] = [];
    service.loses = (to, event) =>
      to === fay && event.name === 'chat_message' && late.push(event) > 0;
    await other.encryption.say('room', null, 'Bye.');
    other.leave();
    await service.quiet();
    for (const event of late) fay.encryption.told(event);
    await service.quiet();
    expect(fay.received.map(({ from }) => from.name)).toEqual(['Ada (2)']);
  });
});

describe('a service that is not honest', () => {
  let fay: Page, ada: Page, ben: Page;
  beforeEach(async () => {
    [fay, ada, ben] = (await enter(service, 'Fay', 'Ada', 'Ben')) as Three;
  });

  const committed = (epoch: number, commit: Uint8Array): GroupEvent => ({
    name: 'committed',
    payload: { group: service.group, epoch, commit },
  });
  const due = (add: CommitDue['add']): GroupEvent => ({
    name: 'commit_due',
    payload: { group: service.group, epoch: service.epoch, add, remove: [] },
  });
  async function keyPackage(name: string): Promise<Uint8Array> {
    const page = await open(service, name);
    const welcome = { role: page.role, capacity: 12, present: 0, ciphersuite: SUITE, name: null, waits: false, session: null } as const;
    return (await page.encryption.introduce(welcome, name)).key_package;
  }
  const nobodyCame = () => {
    expect(service.epoch).toBe(2);
    expectTogether(fay, ada, ben);
  };

  it('gets nobody added who is not in the list', async () => {
    const key_package = await keyPackage('Mal');
    const id = (await inspectKeyPackage(key_package, SUITE))?.id ?? '';
    service.tell(fay, due([{ id, key_package }]));
    await service.quiet();
    nobodyCame();
  });

  it('gets nobody added in the place of another, nor by another name', async () => {
    const key_package = await keyPackage('Mal');
    const { id } = (await inspectKeyPackage(key_package, SUITE)) ?? expect.fail();
    const cyd = { id: 'c'.repeat(22), name: 'Cyd', role: 'participant', slot: 9 } as Participant;
    service.lies = (people) => [...people, cyd, { ...cyd, id, slot: 10 }];
    service.settle();
    service.tell(fay, due([{ id: cyd.id, key_package }]));
    service.tell(fay, due([{ id, key_package }]));
    await service.quiet();
    nobodyCame();
    expect(fay.warnings).toEqual([`not-let-in:${cyd.id}`, `not-let-in:${id}`]);
    await pass(31_000);
    expect(fay.warnings).not.toContain(`not-let-in:${id}`);
  });

  it('cannot keep the others out by someone whom the library cannot add', async () => {
    const suite = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE));
    const mal = await open(service, 'Mal');
    const group = await Group.open(SUITE, mal.keys, { name: 'Mal', role: 'participant' });
    const read = (bytes: Uint8Array) => {
      const [message] = decodeMlsMessage(bytes, 0) as [MLSMessage, number];
      if (message.wireformat !== 'mls_key_package') throw new Error('no key package');
      return message.keyPackage;
    };
    // Well made, but no two members may have the same encryption key.
    const own = read(await group.freshKeyPackage());
    const bens = read(service.packages.get(ben.id) ?? new Uint8Array());
    const leafNode = await signLeafNodeKeyPackage(
      { ...own.leafNode, hpkePublicKey: bens.leafNode.hpkePublicKey },
      mal.keys.signKey,
      suite.signature,
    );
    const signed = await signKeyPackage({ ...own, leafNode }, mal.keys.signKey, suite.signature);
    const bytes = encodeMlsMessage({
      version: 'mls10',
      wireformat: 'mls_key_package',
      keyPackage: signed,
    });
    await service.join(mal, bytes, null);
    service.settle();
    const [cyd] = (await enter(service, 'Cyd')) as [Page];
    expectTogether(fay, ada, ben, cyd);
    expect(fay.warnings).toEqual([`not-let-in:${mal.id}`]);
  });

  it('shows people by the names they gave themselves, and warns', async () => {
    service.lies = (people) =>
      people.map((one) => (one.id === ben.id ? { ...one, name: 'Fay' } : one));
    service.settle();
    await service.quiet();
    expect(ada.warnings).toEqual([`name:${ben.id}`]);
    const roster = { version: 1, whole_frames: true, participants: [] as Participant[] };
    roster.participants = [{ id: ben.id, name: 'Fay' } as Participant];
    expect(ada.encryption.named(roster).participants[0]?.name).toBe('Ben');
  });

  it('cannot hide someone in the group for long, nor someone who is kept out', async () => {
    const cyd = { id: 'c'.repeat(22), name: 'Cyd', role: 'participant', slot: 9 } as Participant;
    service.lies = (people) => [...people.filter(({ id }) => id !== ben.id), cyd];
    service.settle();
    await pass(9_000);
    expect(ada.warnings).toEqual([]);
    await pass(3_000);
    expect(ada.warnings).toEqual([`unlisted:${ben.id}`, `waiting:${cyd.id}`]);
    service.lies = (people) => people;
    service.settle();
    await service.quiet();
    expect(ada.warnings).toEqual([]);
  });

  it('achieves nothing by repeating, or by what is of another group or of a far future', async () => {
    const commits = [...service.log];
    const welcome = service.told.find(
      ({ to, event }) => to === ada.id && event.name === 'group_welcome',
    );
    const epochs = ada.epochs.length;
    for (const [epoch, commit] of commits) service.tell(ada, committed(epoch, commit));
    service.tell(ada, welcome?.event ?? expect.fail('no welcome'));
    service.tell(ada, { name: 'found_group', payload: { group: new Uint8Array(16) } });
    const [, commit] = commits[0] ?? expect.fail('no commits');
    const elsewhere = { group: new Uint8Array(16), epoch: service.epoch, commit };
    service.tell(ada, { name: 'committed', payload: elsewhere });
    await service.quiet();
    expect(ada.asked).toEqual([]);
    for (const ahead of [1, 5, 1_000_000])
      service.tell(ada, committed(service.epoch + ahead, commit));
    await pass(60_000);
    // It asked once for each gap it saw, and then took what was there for all there is.
    expect(ada.asked).toEqual(['catch_up']);
    expect(ada.epochs).toHaveLength(epochs);
    nobodyCame();
  });

  it('makes a page come in anew by a commit that is none, three times at most', async () => {
    const nonsense = async () => {
      service.tell(ada, committed(service.epoch, crypto.getRandomValues(new Uint8Array(99))));
      await service.quiet();
    };
    for (let n = 0; n < 3; n++) {
      await nonsense();
      expectTogether(fay, ada, ben);
    }
    await nonsense();
    expect(ada.view.phase).toBe('setting_up');
    expect(ada.asked).toEqual(['renew', 'renew', 'renew']);
    // It does not stay so in silence.
    await pass(22_000);
    expect(ada.warnings).toEqual(['not-secured']);
    await expect(ada.encryption.say('room', null, 'Hello?')).rejects.toThrow(/being secured/);
    await pass(60_000);
    expect(ada.warnings).toEqual(['not-secured']);
    ada.drop();
    service.leave(ada.id);
    await ada.join();
    await service.quiet();
    expectTogether(fay, ada, ben);
    expect(ada.warnings).toEqual([]);
  });

  it('is forgiven those three times after a minute in the group', async () => {
    for (let n = 0; n < 5; n++) {
      service.tell(ada, committed(service.epoch, new Uint8Array(99)));
      await service.quiet();
      expectTogether(fay, ada, ben);
      await pass(61_000);
    }
    expect(ada.asked).toHaveLength(5);
  });

  it('cannot have a page send on as a member that was removed', async () => {
    const { group, epoch } = service;
    // By an accomplice: the others have not left.
    const { commit } = await inTheNameOf(fay, [ada, ben]);
    service.leaves[1] = service.leaves[2] = null;
    service.tell(ada, { name: 'committed', payload: { group, epoch, commit } });
    ada.intercept = never;
    await service.quiet();
    expect(ada.view.phase).toBe('setting_up');
    expect(ada.sealing).toBe(false);
    expect(ada.asked).toEqual(['renew']);
  });

  /** A commit that Fay makes and that removes these, taken before it reaches the service. */
  async function inTheNameOf(from: Page, gone: Page[]): Promise<{ commit: Uint8Array }> {
    const remove = gone.map(({ id }) => ({
      id,
      leaf: service.leaves.findIndex((l) => l?.id === id),
    }));
    const taken = vi.spyOn(service, 'asked');
    taken.mockImplementation(never);
    service.lies = (people) => people.filter(({ id }) => !gone.some((one) => one.id === id));
    from.encryption.roster({
      version: 1,
      whole_frames: true,
      participants: [{ id: from.id, name: from.name, role: from.role, slot: 0 } as Participant],
    });
    const { group, epoch } = service;
    service.tell(from, { name: 'commit_due', payload: { group, epoch, add: [], remove } });
    await service.quiet();
    const payload = taken.mock.lastCall?.[2] as Requests['commit']['payload'];
    taken.mockRestore();
    return payload;
  }

  it('is found out when frames come that do not belong', async () => {
    ada.encryption.trouble({ mid: 'v2', kind: 'wrong_sender' });
    ada.encryption.trouble({ mid: 'a0', kind: 'forged' });
    expect(ada.view.warnings.map(({ text }) => text)).toEqual([
      expect.stringContaining('not from Ben'),
      expect.stringContaining('from Fay was changed'),
    ]);
    await pass(31_000);
    expect(ada.warnings).toEqual([]);
  });

  it('is found out when frames of a shared screen are not of whoever shares it', async () => {
    service.lies = (all) => all.map((one) => ({ ...one, screen: one.name === 'Ben' }));
    service.settle();
    await service.quiet();
    ada.encryption.trouble({ mid: 's0', kind: 'wrong_sender' });
    expect(ada.view.warnings[0]?.text).toContain('in Ben’s place');
  });
});

describe('where a facilitator lets people in', () => {
  let fay: Page, ada: Page;
  beforeEach(async () => {
    service.kept = true;
    [fay, ada] = (await enter(service, 'Fay')) as [Page, Page];
    ada = await open(service, 'Ada');
    await admitted(fay, ada);
  });

  const asPerson = async ({ name, role, keys }: Page) => ({
    id: await personId(keys.publicKey),
    name,
    role,
  });
  async function letIn(by: Page, who: Page): Promise<void> {
    by.encryption.letIn([await asPerson(who)]);
  }
  async function admitted(by: Page, who: Page): Promise<void> {
    await letIn(by, who);
    await who.join();
    await service.quiet();
  }
  /** As the service does after 2 s without a commit. */
  async function nextInTurn(to: Page): Promise<void> {
    service.tell(to, { name: 'commit_due', payload: service.due() });
    await service.quiet();
  }
  const asks = (page: Page) =>
    page.view.questions.map(({ name, where }) => `${name} ${where}`);

  it('adds those she let in, without a question', async () => {
    expectTogether(fay, ada);
    expect(fay.view.admission).toBe('facilitator');
    await pass(5_000);
    expect([asks(fay), asks(ada), fay.warnings, ada.warnings]).toEqual([[], [], [], []]);
  });

  it('adds nobody else by itself, nor does the next in turn: she is asked', async () => {
    const [dan] = (await enter(service, 'Dan')) as [Page];
    await nextInTurn(ada);
    await pass(5_000);
    expectTogether(fay, ada);
    expect(dan.view.phase).toBe('setting_up');
    expect(fay.view.questions).toMatchObject([
      { id: dan.id, name: 'Dan', where: 'outside', text: expect.stringContaining('let Dan in') as string },
    ]);
    expect(asks(ada)).toEqual([]);
    await pass(10_000);
    expect(fay.warnings).toEqual([]);
    expect(ada.view.warnings[0]?.text).toContain('no facilitator has let them in');

    await letIn(fay, dan);
    await service.quiet();
    expectTogether(fay, ada, dan);
    expect(asks(fay)).toEqual([]);
  });

  it('keeps out whom she does not want, until she thinks otherwise', async () => {
    const [dan] = (await enter(service, 'Dan')) as [Page];
    await pass(4_000);
    fay.encryption.putOut([dan.id]);
    await service.quiet();
    await pass(4_000);
    expect(asks(fay)).toEqual(['Dan kept_out']);
    const cyd = await open(service, 'Cyd');
    await admitted(fay, cyd);
    expectTogether(fay, ada, cyd);
    await letIn(fay, dan);
    await service.quiet();
    expectTogether(fay, ada, cyd, dan);
  });

  it('lets another page commit whom she let in, as she has told it', async () => {
    const cyd = await open(service, 'Cyd');
    await letIn(fay, cyd);
    await service.quiet();
    service.loses = (to, { name }) => to === fay && name === 'commit_due';
    await cyd.join();
    await service.quiet();
    expectTogether(fay, ada);
    await nextInTurn(ada);
    expectTogether(fay, ada, cyd);
  });

  it('honours no such word of a participant', async () => {
    const cyd = await open(service, 'Cyd');
    await letIn(ada, cyd);
    await service.quiet();
    await cyd.join();
    await service.quiet();
    await pass(4_000);
    expectTogether(fay, ada);
    expect(asks(fay)).toEqual(['Cyd outside']);
  });

  it('asks her about another facilitator, whose word counts from then on', async () => {
    const [gil] = (await enter(service, 'Gil')) as [Page];
    await pass(4_000);
    expect(fay.view.questions[0]?.text).toContain('Gil is a facilitator');
    await letIn(fay, gil);
    await service.quiet();
    expectTogether(fay, ada, gil);
    await pass(4_000);
    // He takes those whom he found there as let in.
    expect([asks(fay), asks(gil)]).toEqual([[], []]);
    const cyd = await open(service, 'Cyd');
    await admitted(gil, cyd);
    await pass(4_000);
    expectTogether(fay, ada, gil, cyd);
    expect([asks(fay), asks(gil)]).toEqual([[], []]);
  });

  it('tells someone who has just come of those who are about to', async () => {
    const cyd = await open(service, 'Cyd');
    await letIn(fay, cyd);
    await service.quiet();
    const ben = await open(service, 'Ben');
    await admitted(fay, ben);
    service.loses = (to, { name }) => to === fay && name === 'commit_due';
    await cyd.join();
    await service.quiet();
    await nextInTurn(ben);
    expectTogether(fay, ada, ben, cyd);
  });

  it('needs no word for who comes back, after a reload or a restart of the server', async () => {
    ada.leave();
    await service.quiet();
    const reloaded = await open(service, 'Ada', ada.keys);
    await reloaded.join();
    await service.quiet();
    expectTogether(fay, reloaded);
    fay.drop();
    reloaded.drop();
    service.leaves = [];
    await reloaded.join();
    await fay.join();
    await service.quiet();
    await pass(4_000);
    expectTogether(fay, reloaded);
    expect([...fay.warnings, ...reloaded.warnings, ...asks(fay)]).toEqual([]);
  });

  it('has no way around her by one whom it shows as a facilitator, or as gone', async () => {
    // The pages believe that Fay has left, and add whom the server lists; but not unseen.
    service.lies = (people) => people.filter(({ id }) => id !== fay.id);
    service.leaves[0] = { id: fay.id, due: true };
    fay.online = false;
    service.settle();
    await service.quiet();
    expectTogether(ada);
    const [gil] = (await enter(service, 'Gil')) as [Page];
    expectTogether(ada, gil);
    expect(ada.warnings).toEqual([`unattended:${gil.id}`]);
    expect(ada.view.warnings[0]?.text).toContain('while no facilitator was in it');
    // As soon as she is back, she is asked, and his word counts for nothing with her.
    service.lies = (people) => people;
    await fay.join();
    await service.quiet();
    await nextInTurn(ada);
    expectTogether(fay, ada, gil);
    await pass(4_000);
    expect(asks(fay)).toEqual(['Gil inside']);
    const cyd = await open(service, 'Cyd');
    await letIn(gil, cyd);
    await service.quiet();
    expect(fay.admissions.knows(await asPerson(cyd))).toBe(false);
    await cyd.join();
    await service.quiet();
    await pass(4_000);
    expectTogether(fay, ada, gil, cyd);
    expect(asks(fay).sort()).toEqual(['Cyd inside', 'Gil inside']);
  });

  it('asks her who is there already when she comes in late', async () => {
    service = new Service();
    service.kept = true;
    const [cora] = (await enter(service, 'Cora')) as [Page];
    const [hers] = (await enter(service, 'Fay')) as [Page];
    expectTogether(cora, hers);
    await pass(4_000);
    expect(asks(hers)).toEqual(['Cora inside']);
    expect(hers.view.questions[0]?.text).toContain('no facilitator let them in');
    await letIn(hers, cora);
    expect(asks(hers)).toEqual([]);
  });

  it('stays so in this visit, whatever the next group’s id says', async () => {
    service.kept = false;
    fay.drop();
    ada.drop();
    service.leaves = [];
    await fay.join();
    await ada.join();
    await service.quiet();
    expect(service.group[0]).toBe(0);
    await enter(service, 'Dan');
    await pass(4_000);
    expectTogether(fay, ada);
    expect(asks(fay)).toEqual(['Dan outside']);
  });
});
