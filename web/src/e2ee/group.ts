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
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  emptyPskIndex,
  encodeMlsMessage,
  joinGroup,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
  zeroOutUint8Array,
  type CiphersuiteImpl,
  type ClientConfig,
  type ClientState,
  type PrivateMessage,
  type Proposal,
} from 'ts-mls';
import { decryptWithLabel, encryptWithLabel } from 'ts-mls/crypto/hpke.js';
import { decryptSenderData } from 'ts-mls/privateMessage.js';
import { sameBytes } from './bytes';
import { loadSuite, type Ciphersuite } from './ciphersuite';
import { checkCommit, checkKeysAreNew } from './commit-rules';
import { GroupError } from './group-error';
import type { Credential, SigningKeys } from './identity';
import {
  decodeKeyPackage,
  encodeKeyPackage,
  makeKeyPackage,
  wipe,
  type OwnKeyPackage,
} from './key-package';
import { credentialOf, membersOf } from './leaves';
import { decodeMessage } from './mls-message';
import type { Member } from './view';

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

/** Epochs that are over and whose messages can still be read. */
const KEPT_EPOCHS = 8;
/** A Welcome may be on its way for a key package that is no longer the latest. */
const KEPT_KEY_PACKAGES = 4;
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
  readonly #credential: Credential;
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
    this.#credential = credential;
  }

  static async open(
    ciphersuite: Ciphersuite,
    keys: SigningKeys,
    credential: Credential,
  ): Promise<Group> {
    return new Group(await loadSuite(ciphersuite), ciphersuite, keys, credential);
  }

  get state(): EpochState | null {
    return this.#state;
  }

  /** A new one as an MLSMessage; its private part is kept here. */
  freshKeyPackage(): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const made = await makeKeyPackage(
        this.#credential,
        this.#keys,
        this.#suite,
        this.ciphersuite,
      );
      for (const old of this.#keyPackages.splice(KEPT_KEY_PACKAGES - 1)) wipe(old.privatePackage);
      this.#keyPackages.unshift(made);
      return encodeKeyPackage(made.publicPackage);
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
      const message = decodeMessage(welcome, 'mls_welcome');
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
          sameBytes(before.group, mls.groupContext.groupId) &&
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
      const keyPackages = add.map(decodeKeyPackage);
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
      if (this.#pending !== null && sameBytes(this.#pending.commit, commit)) return this.#accept();
      const { publicMessage } = decodeMessage(commit, 'mls_public_message');
      checkPosition(publicMessage.content, state);
      if (publicMessage.content.epoch < state.epoch)
        throw new GroupError('stale', 'a commit of an epoch that is over');
      checkCommit(publicMessage, mls.ratchetTree);
      const result = await processPublicMessage(
        mls,
        publicMessage,
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
      const sealed = decodeMessage(message, 'mls_private_message').privateMessage;
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
    if (before !== null && !sameBytes(before.groupContext.groupId, groupContext.groupId))
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

function checkPosition(
  { groupId, epoch }: { groupId: Uint8Array; epoch: bigint },
  state: EpochState,
): void {
  if (!sameBytes(groupId, state.group)) throw new GroupError('stale', 'of another group');
  if (epoch > state.epoch) throw new GroupError('ahead', 'of an epoch that has not come yet');
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
