/**
 * One page's membership in the room's MLS group (RFC 9420), on ts-mls: no network, no timers.
 *
 * Calls are carried out one after the other, and one that fails changes nothing.
 */
import {
  acceptAll,
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
  zeroOutUint8Array,
  type Capabilities,
  type CiphersuiteImpl,
  type ClientConfig,
  type ClientState,
  type Credential as MlsCredential,
  type KeyPackage,
  type Lifetime,
  type MLSMessage,
  type PrivateKeyPackage,
  type PrivateMessage,
  type Proposal,
  type PublicMessage,
  type RatchetTree,
} from 'ts-mls';
import { decryptWithLabel, encryptWithLabel } from 'ts-mls/crypto/hpke.js';
import { verifyKeyPackage } from 'ts-mls/keyPackage.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import { decryptSenderData } from 'ts-mls/privateMessage.js';
import type { Welcome } from '../wire/messages';
import { toBase64 } from './base64';
import {
  decodeCredential,
  encodeCredential,
  personId,
  type Credential,
  type SigningKeys,
} from './identity';
import type { Member } from './view';

export type Ciphersuite = Welcome['ciphersuite'];

/** What holds in one epoch of the group. */
export interface EpochState {
  group: Uint8Array;
  epoch: number;
  ownLeaf: number;
  /** In order of leaf. */
  members: Member[];
  /** SFrame's, of RFC 9605 section 5.2; its length is Nk: 16 or 32 bytes. */
  baseKey: Uint8Array;
  /** RFC 9420 section 8.7. */
  authenticator: Uint8Array;
}

/** To one leaf's encryption key, as by EncryptWithLabel. */
export interface Sealed {
  kem: Uint8Array;
  ciphertext: Uint8Array;
}

export type GroupErrorCode =
  /** There is no group that this page is in, or no commit of its own to accept. */
  | 'no_group'
  /** Of another group, or of an epoch that is over, or too long over. */
  | 'stale'
  /** Of an epoch that has not come yet. */
  | 'ahead'
  /** Not well-formed, not genuine, not for us, or not allowed here. */
  | 'bad';

export class GroupError extends Error {
  constructor(
    readonly code: GroupErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'GroupError';
  }
}

/**
 * No two nodes of a tree may have the same encryption key, nor two leaves the same signature key
 * (RFC 9420 section 7.3). ts-mls does not look at the added ones, but at the whole tree when the
 * next one joins: so one copied key would keep out all who come later.
 */
function checkKeysAreNew(
  added: readonly KeyPackage[],
  tree: RatchetTree,
  removed: readonly number[],
): void {
  const taken = new Set<string>();
  tree.forEach((node, at) => {
    if (node === undefined || (at % 2 === 0 && removed.includes(at / 2))) return;
    if (node.nodeType === 'parent') taken.add(toBase64(node.parent.hpkePublicKey));
    else {
      taken.add(toBase64(node.leaf.hpkePublicKey));
      taken.add(toBase64(node.leaf.signaturePublicKey));
    }
  });
  for (const { leafNode } of added)
    for (const key of [leafNode.hpkePublicKey, leafNode.signaturePublicKey].map(toBase64)) {
      if (taken.has(key)) throw new GroupError('bad', 'the key of another');
      taken.add(key);
    }
}

/** Epochs that are over and whose messages can still be read. */
const KEPT_EPOCHS = 8;
/** A Welcome may be on its way for a key package that is no longer the latest. */
const KEPT_KEY_PACKAGES = 4;
/** Either way, since people's clocks may be wrong by their time zone. */
const LIFETIME_S = 86_400n;
/** Nk of the SFrame suites that go with the two MLS suites (RFC 9605 section 4.5). */
const BASE_KEY_BYTES: Record<Ciphersuite, 16 | 32> = {
  MLS_256_XWING_AES256GCM_SHA512_Ed25519: 32,
  MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: 16,
};

const CONFIG: ClientConfig = {
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  lifetimeConfig: defaultLifetimeConfig,
  keyRetentionConfig: {
    retainKeysForEpochs: KEPT_EPOCHS,
    // Not every chat message comes to everyone: what is private leaves gaps in the generations.
    retainKeysForGenerations: 64,
    maximumForwardRatchetSteps: 4_000,
  },
  // Chat has its own padding, which hides more.
  paddingConfig: { kind: 'alwaysPad', paddingLength: 0 },
  authService: {
    validateCredential: (credential) => Promise.resolve(credentialOf(credential) !== null),
  },
};

interface OwnKeyPackage {
  publicPackage: KeyPackage;
  privatePackage: PrivateKeyPackage;
}

interface Pending {
  commit: Uint8Array;
  next: ClientState;
  /** To be wiped once the commit has won. */
  consumed: Uint8Array[];
}

export class Group {
  readonly ciphersuite: Ciphersuite;
  readonly #suite: CiphersuiteImpl;
  readonly #keys: SigningKeys;
  readonly #credential: MlsCredential;
  /** Newest first. */
  #keyPackages: OwnKeyPackage[] = [];
  #mls: ClientState | null = null;
  #state: EpochState | null = null;
  #pending: Pending | null = null;
  /** Own leaf private keys of the last epochs. */
  #leafKeys = new Map<number, Uint8Array>();
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    suite: CiphersuiteImpl,
    ciphersuite: Ciphersuite,
    keys: SigningKeys,
    credential: Credential,
  ) {
    this.ciphersuite = ciphersuite;
    this.#suite = suite;
    this.#keys = keys;
    this.#credential = { credentialType: 'basic', identity: encodeCredential(credential) };
  }

  static async open(
    ciphersuite: Ciphersuite,
    keys: SigningKeys,
    credential: Credential,
  ): Promise<Group> {
    return new Group(await suiteOf(ciphersuite), ciphersuite, keys, credential);
  }

  get state(): EpochState | null {
    return this.#state;
  }

  /** A new one as an MLSMessage; its private part is kept here. */
  freshKeyPackage(): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const made = await generateKeyPackageWithKey(
        this.#credential,
        capabilities(this.ciphersuite),
        lifetime(),
        [],
        this.#keys,
        this.#suite,
      );
      for (const old of this.#keyPackages.splice(KEPT_KEY_PACKAGES - 1)) wipe(old.privatePackage);
      this.#keyPackages.unshift(made);
      return encodeMlsMessage({
        version: 'mls10',
        wireformat: 'mls_key_package',
        keyPackage: made.publicPackage,
      });
    });
  }

  /** Begin a group, alone in it, with the latest key package. */
  found(groupId: Uint8Array): Promise<EpochState> {
    return this.#inTurn(async () => {
      const own = this.#keyPackages[0];
      if (own === undefined) throw new GroupError('bad', 'no key package to found a group with');
      const mls = await createGroup(
        groupId,
        own.publicPackage,
        own.privatePackage,
        [],
        this.#suite,
        CONFIG,
      );
      this.#used(own);
      return this.#begin(mls);
    });
  }

  /** Enter the group by the Welcome, if one of the key packages kept here is the one it is for. */
  join(welcome: Uint8Array): Promise<EpochState> {
    return this.#inTurn(async () => {
      const message = decode(welcome);
      if (message.wireformat !== 'mls_welcome') throw new GroupError('bad', 'not a Welcome');
      let cause: unknown;
      for (const own of this.#keyPackages) {
        let mls: ClientState;
        try {
          mls = await joinGroup(
            message.welcome,
            own.publicPackage,
            own.privatePackage,
            emptyPskIndex,
            this.#suite,
            undefined,
            undefined,
            CONFIG,
          );
        } catch (error) {
          cause = error;
          continue;
        }
        const before = this.#state;
        if (
          before !== null &&
          same(before.group, mls.groupContext.groupId) &&
          mls.groupContext.epoch <= before.epoch
        )
          throw new GroupError('stale', 'a Welcome to an epoch that is over');
        this.#used(own);
        return this.#begin(mls);
      }
      throw new GroupError('bad', 'the Welcome cannot be opened', { cause });
    });
  }

  /**
   * Make a commit that adds these key packages (as MLSMessages) and removes these leaves. It holds
   * only once it is `accepted`; another one before that takes its place.
   */
  commit(
    add: Uint8Array[],
    remove: number[],
  ): Promise<{ epoch: number; commit: Uint8Array; welcome: Uint8Array | null }> {
    return this.#inTurn(async () => {
      const { mls, state } = this.#here();
      const keyPackages = add.map((bytes) => {
        const message = decode(bytes);
        if (message.wireformat !== 'mls_key_package')
          throw new GroupError('bad', 'not a key package');
        return message.keyPackage;
      });
      checkKeysAreNew(keyPackages, mls.ratchetTree, remove);
      const proposals: Proposal[] = [
        ...remove.map((removed): Proposal => ({ proposalType: 'remove', remove: { removed } })),
        ...keyPackages.map(
          (keyPackage): Proposal => ({ proposalType: 'add', add: { keyPackage } }),
        ),
      ];
      const made = await createCommit(
        { state: mls, cipherSuite: this.#suite },
        { wireAsPublicMessage: true, extraProposals: proposals, ratchetTreeExtension: true },
      );
      const commit = encodeMlsMessage(made.commit);
      this.#pending = { commit, next: made.newState, consumed: made.consumed };
      const welcome =
        made.welcome &&
        encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: made.welcome });
      return { epoch: state.epoch, commit, welcome: welcome ?? null };
    });
  }

  /** The commit made last has won. */
  accepted(): Promise<EpochState> {
    return this.#inTurn(() => this.#accept());
  }

  /** The commit made last has lost. */
  forget(): void {
    this.#pending = null;
  }

  /** Take over a commit that won; if it is not the own one, that has lost. */
  process(commit: Uint8Array): Promise<EpochState | 'removed'> {
    return this.#inTurn(async () => {
      const { mls, state } = this.#here();
      // An answer that was lost on its way: the page finds its own commit among those it missed.
      if (this.#pending !== null && same(this.#pending.commit, commit)) return this.#accept();
      const message = decode(commit);
      if (message.wireformat !== 'mls_public_message')
        throw new GroupError('bad', 'not a PublicMessage');
      checkPosition(message.publicMessage.content, state);
      if (message.publicMessage.content.epoch < state.epoch)
        throw new GroupError('stale', 'a commit of an epoch that is over');
      checkCommit(message.publicMessage, mls.ratchetTree);
      const result = await processPublicMessage(
        mls,
        message.publicMessage,
        emptyPskIndex,
        this.#suite,
        acceptAll,
      );
      if (result.newState.groupActiveState.kind === 'removedFromGroup') {
        this.#mls = this.#state = this.#pending = null;
        this.#leafKeys.clear();
        return 'removed';
      }
      const begun = await this.#begin(result.newState);
      result.consumed.forEach(zeroOutUint8Array);
      return begun;
    });
  }

  /** Application data for all members, as an MLSMessage. */
  write(plaintext: Uint8Array): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const { mls } = this.#here();
      const made = await createApplicationMessage(mls, plaintext, this.#suite);
      this.#mls = made.newState;
      made.consumed.forEach(zeroOutUint8Array);
      return encodeMlsMessage({
        version: 'mls10',
        wireformat: 'mls_private_message',
        privateMessage: made.privateMessage,
      });
    });
  }

  /** Application data of this epoch or one of the last; each can be read once. */
  read(message: Uint8Array): Promise<{ sender: Member; epoch: number; plaintext: Uint8Array }> {
    return this.#inTurn(async () => {
      const { mls, state } = this.#here();
      const decoded = decode(message);
      if (decoded.wireformat !== 'mls_private_message')
        throw new GroupError('bad', 'not a PrivateMessage');
      const sealed = decoded.privateMessage;
      if (sealed.contentType !== 'application')
        throw new GroupError('bad', 'not application data');
      checkPosition(sealed, state);
      const sender = await this.#senderOf(sealed, mls);
      const result = await processPrivateMessage(
        mls,
        sealed,
        emptyPskIndex,
        this.#suite,
        acceptAll,
      );
      if (result.kind !== 'applicationMessage')
        throw new GroupError('bad', 'not application data');
      this.#mls = result.newState;
      result.consumed.forEach(zeroOutUint8Array);
      return { sender, epoch: Number(sealed.epoch), plaintext: result.message };
    });
  }

  /** EncryptWithLabel (RFC 9420 section 5.1.3) to the encryption key of a leaf of this epoch. */
  sealTo(
    leaf: number,
    label: string,
    context: Uint8Array,
    plaintext: Uint8Array,
  ): Promise<Sealed> {
    return this.#inTurn(async () => {
      const node = this.#here().mls.ratchetTree[2 * leaf];
      if (node?.nodeType !== 'leaf') throw new GroupError('bad', 'there is nobody at that leaf');
      const { hpke } = this.#suite;
      const key = await hpke.importPublicKey(node.leaf.hpkePublicKey);
      const { enc, ct } = await encryptWithLabel(key, label, context, plaintext, hpke);
      return { kem: enc, ciphertext: ct };
    });
  }

  /** DecryptWithLabel by the own leaf's key of this epoch or one of the last. */
  openOwn(
    epoch: number,
    label: string,
    context: Uint8Array,
    { kem, ciphertext }: Sealed,
  ): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const bytes = this.#leafKeys.get(epoch);
      if (bytes === undefined) throw new GroupError('stale', 'of an epoch without a key');
      const { hpke } = this.#suite;
      const key = await hpke.importPrivateKey(bytes);
      return decryptWithLabel(key, label, context, kem, ciphertext, hpke);
    });
  }

  /** ts-mls checks the signature by this same leaf, but does not tell it. */
  async #senderOf(sealed: PrivateMessage, mls: ClientState): Promise<Member> {
    const epoch =
      sealed.epoch === mls.groupContext.epoch
        ? { senderDataSecret: mls.keySchedule.senderDataSecret, ratchetTree: mls.ratchetTree }
        : mls.historicalReceiverData.get(sealed.epoch);
    if (epoch === undefined) throw new GroupError('stale', 'a message of an epoch that is over');
    const data = await decryptSenderData(sealed, epoch.senderDataSecret, this.#suite);
    const members = await membersOf(epoch.ratchetTree);
    const sender = members.find(({ leaf }) => leaf === data?.leafIndex);
    if (sender === undefined) throw new GroupError('bad', 'a message from nobody');
    return sender;
  }

  async #accept(): Promise<EpochState> {
    const pending = this.#pending;
    const { mls } = this.#here();
    if (pending === null) throw new GroupError('no_group', 'there is no commit to accept');
    // What was written and read since has used up keys that the commit's copy still counts on.
    const history = new Map(pending.next.historicalReceiverData);
    for (const [epoch, kept] of history) {
      const secretTree =
        epoch === mls.groupContext.epoch
          ? mls.secretTree
          : mls.historicalReceiverData.get(epoch)?.secretTree;
      if (secretTree !== undefined) history.set(epoch, { ...kept, secretTree });
    }
    const begun = await this.#begin({ ...pending.next, historicalReceiverData: history });
    pending.consumed.forEach(zeroOutUint8Array);
    return begun;
  }

  /** From here on nothing can fail any more. */
  async #begin(mls: ClientState): Promise<EpochState> {
    const before = this.#mls;
    const { groupContext, keySchedule, privatePath } = mls;
    const ownKey = privatePath.privateKeys[2 * privatePath.leafIndex];
    if (ownKey === undefined) throw new GroupError('bad', 'no key for the own leaf');
    const state: EpochState = {
      group: groupContext.groupId,
      epoch: Number(groupContext.epoch),
      ownLeaf: privatePath.leafIndex,
      members: await membersOf(mls.ratchetTree),
      baseKey: await mlsExporter(
        keySchedule.exporterSecret,
        'SFrame 1.0 Base Key',
        new Uint8Array(),
        BASE_KEY_BYTES[this.ciphersuite],
        this.#suite,
      ),
      authenticator: keySchedule.epochAuthenticator.slice(),
    };
    if (before !== null && !same(before.groupContext.groupId, groupContext.groupId))
      this.#leafKeys.clear();
    this.#leafKeys.set(state.epoch, ownKey);
    for (const epoch of this.#leafKeys.keys())
      if (epoch < state.epoch - KEPT_EPOCHS) this.#leafKeys.delete(epoch);
    this.#mls = mls;
    this.#state = state;
    this.#pending = null;
    if (before !== null) wipeHistory(before, mls);
    return state;
  }

  /** The init key has done its work; what is older than it will not be asked for any more. */
  #used(own: OwnKeyPackage): void {
    zeroOutUint8Array(own.privatePackage.initPrivateKey);
    const [, ...older] = this.#keyPackages.splice(this.#keyPackages.indexOf(own));
    for (const one of older) wipe(one.privatePackage);
  }

  #here(): { mls: ClientState; state: EpochState } {
    if (this.#mls === null || this.#state === null)
      throw new GroupError('no_group', 'this page is in no group');
    return { mls: this.#mls, state: this.#state };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work).catch((error: unknown) => {
      if (error instanceof GroupError) throw error;
      throw new GroupError('bad', error instanceof Error ? error.message : 'failed', {
        cause: error,
      });
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

/**
 * Who a key package is for, if it is genuine and can be added (RFC 9420 section 10.1): version,
 * suite, lifetime, credential and both signatures.
 */
export async function inspectKeyPackage(
  bytes: Uint8Array,
  ciphersuite: Ciphersuite,
): Promise<{ id: string; credential: Credential } | null> {
  const suite = await suiteOf(ciphersuite);
  try {
    const message = decode(bytes);
    if (message.wireformat !== 'mls_key_package') return null;
    const { keyPackage } = message;
    const { leafNode } = keyPackage;
    const credential = credentialOf(leafNode.credential);
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const fits =
      keyPackage.cipherSuite === ciphersuite &&
      leafNode.capabilities.versions.includes('mls10') &&
      leafNode.capabilities.ciphersuites.includes(ciphersuite) &&
      leafNode.capabilities.credentials.includes('basic') &&
      leafNode.lifetime.notBefore <= now &&
      now <= leafNode.lifetime.notAfter &&
      !same(keyPackage.initKey, leafNode.hpkePublicKey);
    if (credential === null || !fits) return null;
    if (!(await verifyLeafNodeSignatureKeyPackage(leafNode, suite.signature))) return null;
    if (!(await verifyKeyPackage(keyPackage, suite.signature))) return null;
    // A key that nothing can be sealed to would spoil the commit for all, or each later one.
    for (const bytes of [keyPackage.initKey, leafNode.hpkePublicKey]) {
      const key = await suite.hpke.importPublicKey(bytes);
      await suite.hpke.seal(key, new Uint8Array(1), new Uint8Array());
    }
    return { id: await personId(leafNode.signaturePublicKey), credential };
  } catch {
    return null;
  }
}

const suites = new Map<Ciphersuite, Promise<CiphersuiteImpl>>();

function suiteOf(name: Ciphersuite): Promise<CiphersuiteImpl> {
  const suite = suites.get(name) ?? getCiphersuiteImpl(getCiphersuiteFromName(name));
  suites.set(name, suite);
  return suite;
}

function capabilities(ciphersuite: Ciphersuite): Capabilities {
  return {
    versions: ['mls10'],
    ciphersuites: [ciphersuite],
    extensions: [],
    proposals: [],
    credentials: ['basic'],
  };
}

function lifetime(): Lifetime {
  const now = BigInt(Math.floor(Date.now() / 1_000));
  return { notBefore: now - LIFETIME_S, notAfter: now + LIFETIME_S };
}

function credentialOf(credential: MlsCredential): Credential | null {
  return credential.credentialType === 'basic' && 'identity' in credential
    ? decodeCredential(credential.identity)
    : null;
}

async function membersOf(tree: RatchetTree): Promise<Member[]> {
  const members: Member[] = [];
  for (const [node, content] of tree.entries()) {
    if (content?.nodeType !== 'leaf') continue;
    const credential = credentialOf(content.leaf.credential);
    if (credential === null) throw new GroupError('bad', 'a leaf without a proper credential');
    const id = await personId(content.leaf.signaturePublicKey);
    members.push({ leaf: node / 2, id, ...credential });
  }
  return members;
}

function decode(bytes: Uint8Array): MLSMessage {
  const decoded = decodeMlsMessage(bytes, 0);
  if (decoded?.[1] !== bytes.length) throw new GroupError('bad', 'not an MLSMessage');
  return decoded[0];
}

function checkPosition(
  { groupId, epoch }: { groupId: Uint8Array; epoch: bigint },
  state: EpochState,
): void {
  if (!same(groupId, state.group)) throw new GroupError('stale', 'of another group');
  if (epoch > state.epoch) throw new GroupError('ahead', 'of an epoch that has not come yet');
}

/**
 * More narrow than MLS: members add and remove, by value, and nothing else. Above all nobody may
 * turn into someone else, which the leaf of a commit's path could bring about: its key and
 * credential are the committer's to choose.
 */
function checkCommit({ content }: PublicMessage, tree: RatchetTree): void {
  if (content.contentType !== 'commit' || content.sender.senderType !== 'member')
    throw new GroupError('bad', 'not a commit of a member');
  const { proposals, path } = content.commit;
  const plain = proposals.every(
    (one) =>
      one.proposalOrRefType === 'proposal' &&
      (one.proposal.proposalType === 'add' || one.proposal.proposalType === 'remove'),
  );
  if (!plain) throw new GroupError('bad', 'a commit with more than adds and removes');
  if (path === undefined) return;
  const before = tree[2 * content.sender.leafIndex];
  const { signaturePublicKey, credential } = path.leafNode;
  if (
    before?.nodeType !== 'leaf' ||
    !same(before.leaf.signaturePublicKey, signaturePublicKey) ||
    !('identity' in credential && 'identity' in before.leaf.credential) ||
    !same(before.leaf.credential.identity, credential.identity)
  )
    throw new GroupError('bad', 'a commit that changes who the committer is');
}

/** What ts-mls lets go of without wiping: the epochs that have become too old to be read. */
function wipeHistory(before: ClientState, after: ClientState): void {
  for (const [epoch, { secretTree, senderDataSecret }] of before.historicalReceiverData) {
    if (after.historicalReceiverData.has(epoch)) continue;
    zeroOutUint8Array(senderDataSecret);
    for (const { application, handshake } of secretTree) {
      for (const { secret, unusedGenerations } of [application, handshake]) {
        zeroOutUint8Array(secret);
        Object.values(unusedGenerations).forEach(zeroOutUint8Array);
      }
    }
  }
}

function wipe({ initPrivateKey, hpkePrivateKey }: PrivateKeyPackage): void {
  zeroOutUint8Array(initPrivateKey);
  zeroOutUint8Array(hpkePrivateKey);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
