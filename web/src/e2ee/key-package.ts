/** Key packages (RFC 9420 section 10): what someone is added to the group by. */
import {
  encodeMlsMessage,
  generateKeyPackageWithKey,
  zeroOutUint8Array,
  type Capabilities,
  type CiphersuiteImpl,
  type KeyPackage,
  type Lifetime,
  type PrivateKeyPackage,
} from 'ts-mls';
import { verifyKeyPackage } from 'ts-mls/keyPackage.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import { sameBytes } from './bytes';
import { loadSuite, type Ciphersuite } from './ciphersuite';
import { encodeCredential, personId, type Credential, type SigningKeys } from './identity';
import { credentialOf } from './leaves';
import { decodeMessage } from './mls-message';

/** Either way, since people's clocks may be wrong by their time zone. */
const LIFETIME_S = 86_400n;

export interface OwnKeyPackage {
  publicPackage: KeyPackage;
  privatePackage: PrivateKeyPackage;
}

export function makeKeyPackage(
  credential: Credential,
  keys: SigningKeys,
  suite: CiphersuiteImpl,
  ciphersuite: Ciphersuite,
): Promise<OwnKeyPackage> {
  return generateKeyPackageWithKey(
    { credentialType: 'basic', identity: encodeCredential(credential) },
    capabilities(ciphersuite),
    lifetime(),
    [],
    keys,
    suite,
  );
}

export function encodeKeyPackage(keyPackage: KeyPackage): Uint8Array {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage });
}

/** Throws GroupError. */
export function decodeKeyPackage(bytes: Uint8Array): KeyPackage {
  return decodeMessage(bytes, 'mls_key_package').keyPackage;
}

/**
 * Who a key package is for, if it is genuine and can be added (RFC 9420 section 10.1): version,
 * suite, lifetime, credential and both signatures.
 */
export async function inspectKeyPackage(
  bytes: Uint8Array,
  ciphersuite: Ciphersuite,
): Promise<{ id: string; credential: Credential } | null> {
  const suite = await loadSuite(ciphersuite);
  try {
    const keyPackage = decodeKeyPackage(bytes);
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
      !sameBytes(keyPackage.initKey, leafNode.hpkePublicKey);
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

export function wipe({ initPrivateKey, hpkePrivateKey }: PrivateKeyPackage): void {
  zeroOutUint8Array(initPrivateKey);
  zeroOutUint8Array(hpkePrivateKey);
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
