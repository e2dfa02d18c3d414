/** Which page an address leads to, without loading everything anew. */
import type { Component } from 'svelte';

/** The names in "/groups/{group}/members/{membership}". */
type PartOf<Path extends string> = Path extends `${string}{${infer Part}}${infer Rest}`
  ? Part | PartOf<Rest>
  : never;

type Parts = Record<string, string>;
type Loads<Props extends Parts> = () => Promise<{ default: Component<Props> }>;

/** Who sees a page: everyone, or people who are signed in. The server decides what is in it. */
export type Audience = 'anyone' | 'signed_in';

export interface PageRoute {
  path: string;
  audience: Audience;
  load: Loads<Parts>;
}

/**
 * A page at an address.
 *
 * @param path such as "/groups/{group}"; the component gets each part as a property of its name.
 * @param load brings the component, so that who comes for one page does not load all of them.
 */
export function page<Path extends string>(
  path: Path,
  load: Loads<Record<PartOf<Path>, string>>,
  audience: Audience = 'signed_in',
): PageRoute {
  return { path, audience, load: load as Loads<Parts> };
}

export interface Found {
  route: PageRoute;
  parts: Parts;
}

/** The first page that fits; plain addresses are to stand before those with parts. */
export function findPage(routes: readonly PageRoute[], pathname: string): Found | null {
  const given = segments(pathname);
  for (const route of routes) {
    const parts = partsOf(segments(route.path), given);
    if (parts) return { route, parts };
  }
  return null;
}

function segments(path: string): string[] {
  return path.replace(/\/$/, '').split('/').slice(1);
}

// As the server takes them in its own addresses.
const PART = /^[0-9A-Za-z_-][0-9A-Za-z_.:-]{0,127}$/;

function partsOf(wanted: string[], given: string[]): Parts | null {
  if (wanted.length !== given.length) return null;
  const parts: Parts = {};
  for (const [at, name] of wanted.entries()) {
    const value = given[at] ?? '';
    if (name.startsWith('{')) {
      if (!PART.test(value)) return null;
      parts[name.slice(1, -1)] = value;
    } else if (name !== value) {
      return null;
    }
  }
  return parts;
}

export type Place = Pick<Location, 'pathname' | 'search' | 'hash' | 'origin' | 'assign'>;

export class Router {
  pathname = $state('');
  /** Another each time that a page is gone to, also to the one that is there. */
  turn = $state(0);
  readonly #routes: readonly PageRoute[];
  readonly #place: Place;
  readonly #history: Pick<History, 'pushState' | 'replaceState'>;
  readonly #toTop: () => void;

  constructor(
    routes: readonly PageRoute[],
    place: Place,
    history: Pick<History, 'pushState' | 'replaceState'>,
    toTop: () => void,
  ) {
    this.#routes = routes;
    this.#place = place;
    this.#history = history;
    this.#toTop = toTop;
    this.pathname = place.pathname;
  }

  get found(): Found | null {
    return findPage(this.#routes, this.pathname);
  }

  /** To an address of this server; what is no page of ours is loaded. */
  go(address: string, { replace = false } = {}): void {
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing watches it
    const url = new URL(address, this.#place.origin + this.#place.pathname);
    if (url.origin !== this.#place.origin || !this.#isOurs(url.pathname)) {
      this.#place.assign(url.href);
      return;
    }
    const to = url.pathname + url.search + url.hash;
    if (replace) this.#history.replaceState(null, '', to);
    else this.#history.pushState(null, '', to);
    this.arrived();
    this.#toTop();
  }

  /** The address is another one: by `go`, by the browser's buttons or by hand. */
  arrived(): void {
    this.pathname = this.#place.pathname;
    this.turn += 1;
  }

  /** A click on a link to a page of ours does not load it from the server. */
  clicked(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest('a');
    if (!link || link.target !== '' || link.hasAttribute('download')) return;
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing watches it
    const url = new URL(link.href);
    if (url.origin !== this.#place.origin || !this.#isOurs(url.pathname)) return;
    // To a place on the same page.
    if (url.hash !== '' && url.pathname === this.#place.pathname) return;
    event.preventDefault();
    this.go(link.href);
  }

  #isOurs(pathname: string): boolean {
    return pathname === '/' || findPage(this.#routes, pathname) !== null;
  }
}
