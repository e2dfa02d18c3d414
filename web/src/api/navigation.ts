/** Going to another page from within one; the router is set by who knows all pages. */
import type { Router } from './router.svelte';

let router: Router | null = null;

export function useRouter(one: Router): Router {
  router = one;
  return one;
}

export function go(address: string, how: { replace?: boolean } = {}): void {
  if (router) router.go(address, how);
  else location.assign(address);
}
