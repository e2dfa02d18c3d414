/** Getting ready, while there is time. */
import type { Ciphersuite } from './ciphersuite';
import { Group } from './group';
import { newSigningKeys } from './identity';

const WHO = { name: '-', role: 'participant' } as const;

/**
 * Goes through what it takes to add someone to a group and to come into one, by keys that are
 * thrown away: a browser runs faster what it has run before, and when it counts, people wait for it.
 */
export async function rehearse(ciphersuite: Ciphersuite): Promise<void> {
  const [host, guest] = await Promise.all([member(ciphersuite), member(ciphersuite)]);
  await host.freshKeyPackage();
  await host.found(crypto.getRandomValues(new Uint8Array(16)));
  const { welcome } = await host.commit([await guest.freshKeyPackage()], []);
  await host.accepted();
  if (welcome !== null) await guest.join(welcome);
}

async function member(ciphersuite: Ciphersuite): Promise<Group> {
  return Group.open(ciphersuite, await newSigningKeys(), WHO);
}
