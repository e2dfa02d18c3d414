/** What a commit may hold, beyond what ts-mls looks at. */
import type { KeyPackage, PublicMessage, RatchetTree } from 'ts-mls';
import { toBase64 } from './base64';
import { sameBytes } from './bytes';
import { GroupError } from './group-error';

/**
 * No two nodes of a tree may have the same encryption key, nor two leaves the same signature key
 * (RFC 9420 section 7.3). ts-mls does not look at the added ones, but at the whole tree when the
 * next one joins: so one copied key would keep out all who come later.
 */
export function checkKeysAreNew(
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

/**
 * More narrow than MLS: members add and remove, by value, and nothing else. Above all nobody may
 * turn into someone else, which the leaf of a commit's path could bring about: its key and
 * credential are the committer's to choose.
 */
export function checkCommit({ content }: PublicMessage, tree: RatchetTree): void {
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
    !sameBytes(before.leaf.signaturePublicKey, signaturePublicKey) ||
    !('identity' in credential && 'identity' in before.leaf.credential) ||
    !sameBytes(before.leaf.credential.identity, credential.identity)
  )
    throw new GroupError('bad', 'a commit that changes who the committer is');
}
