/** Who someone is by their leaf of the ratchet tree. */
import type { Credential as MlsCredential, RatchetTree } from 'ts-mls';
import { GroupError } from './group-error';
import { decodeCredential, personId, type Credential } from './identity';
import type { Member } from './view';

/** Null where it is not one of Holdspace's. */
export function credentialOf(credential: MlsCredential): Credential | null {
  return credential.credentialType === 'basic' && 'identity' in credential
    ? decodeCredential(credential.identity)
    : null;
}

/** In order of leaf. Throws GroupError. */
export async function membersOf(tree: RatchetTree): Promise<Member[]> {
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
