import { expect, it, vi } from 'vitest';
import { Group } from '../src/e2ee/group';
import { rehearse } from '../src/e2ee/rehearsal';

it.each([
  'MLS_256_XWING_AES256GCM_SHA512_Ed25519',
  'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519',
] as const)('goes all the way to two members in %s', async (ciphersuite) => {
  const join = vi.spyOn(Group.prototype, 'join');
  await rehearse(ciphersuite);
  const state = await (join.mock.results[0]?.value as ReturnType<Group['join']>);
  expect(state.members).toHaveLength(2);
  join.mockRestore();
});
