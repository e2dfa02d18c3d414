/** The server's API as all pages use it. */
import { askWith, type Ask } from './client';
import type { Me } from './me';
import { sharedStore } from './shared-store';
import { SignedIn } from './signed-in.svelte';
import { StepUp } from './step-up.svelte';

export { ApiError, sentenceOf, withQuery } from './client';
export type { Me } from './me';

export const stepUp = new StepUp();

export const signedIn: SignedIn = new SignedIn({
  me: () => call<Me>('GET', '/me'),
  signOut: () => call('POST', '/sign-out'),
  now: () => Date.now(),
  store: sharedStore(),
});

export const call: Ask = askWith({
  fetch: (...how) => fetch(...how),
  proveAgain: () => stepUp.ask(),
  answered: () => signedIn.answered(),
  signedOut: () => signedIn.ended(),
});

/** With a fresh proof of at least this long, what the browser asks for itself is answered. */
const LEFT_MS = 30_000;

/** Before a download, which the browser asks for by itself: whether there is a fresh proof now. */
export async function proven(): Promise<boolean> {
  const until = signedIn.me?.session.stepped_up_until ?? null;
  if (until !== null && Date.parse(until) - Date.now() > LEFT_MS) return true;
  return stepUp.ask();
}
