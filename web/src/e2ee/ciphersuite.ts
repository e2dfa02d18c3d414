/** The MLS ciphersuites of the rooms. */
import { getCiphersuiteFromName, getCiphersuiteImpl, type CiphersuiteImpl } from 'ts-mls';
import type { Welcome } from '../wire/messages';

export type Ciphersuite = Welcome['ciphersuite'];

const loaded = new Map<Ciphersuite, Promise<CiphersuiteImpl>>();

export function loadSuite(name: Ciphersuite): Promise<CiphersuiteImpl> {
  const suite = loaded.get(name) ?? getCiphersuiteImpl(getCiphersuiteFromName(name));
  loaded.set(name, suite);
  return suite;
}
