/**
 * The secret at the end of a link, as in `/invitation#token`.
 *
 * It is taken out of sight: the address bar is seen by whoever looks at a shared screen. A reload
 * finds it in the tab's storage.
 */
import { sessionStore } from '../call/memory';

export function linkToken(page: string): string | null {
  const store = sessionStore();
  const key = `holdspace:link:${page}`;
  const token = location.hash.slice(1);
  if (token === '') return store.getItem(key);
  store.setItem(key, token);
  history.replaceState(history.state, '', location.pathname + location.search);
  return token;
}

/** It is used up. */
export function forgetLinkToken(page: string): void {
  sessionStore().removeItem(`holdspace:link:${page}`);
}
