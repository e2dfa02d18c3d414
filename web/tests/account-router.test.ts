import { describe, expect, it, vi } from 'vitest';
import { findPage, page, Router, type Place } from '../src/api/router.svelte';

const none = () => Promise.reject(new Error('not loaded here'));
const ROUTES = [
  page('/sign-in', none, 'anyone'),
  page('/groups', none),
  page('/groups/new', none),
  page('/groups/{group}', none),
  page('/groups/{group}/sessions/{session}', none),
];

describe('finding a page', () => {
  it.each([
    ['/groups', '/groups', {}],
    ['/groups/', '/groups', {}],
    ['/groups/new', '/groups/new', {}],
    ['/groups/g1', '/groups/{group}', { group: 'g1' }],
    ['/groups/g1/sessions/20270105T180000Z', '/groups/{group}/sessions/{session}', { group: 'g1', session: '20270105T180000Z' }],
  ])('%s', (address, path, parts) => {
    const found = findPage(ROUTES, address);
    expect(found?.route.path).toBe(path);
    expect(found?.parts).toEqual(parts);
  });

  it.each(['/', '/nothing', '/groups//', '/groups/a%2Fb', '/groups/..', '/groups/g1/sessions', '/groups/g1/x/y/z', '/Groups'])(
    'none for %s',
    (address) => {
      expect(findPage(ROUTES, address)).toBeNull();
    },
  );

  it('takes nothing that an object has by itself for a part', () => {
    expect(findPage(ROUTES, '/groups/__proto__')?.parts).toEqual({ group: '__proto__' });
  });
});

/** A browser's address bar and history. */
function browser(start: string) {
  const url = new URL(start, 'https://here.example');
  const past: string[] = [];
  const left: string[] = [];
  const place: Place = {
    get pathname() {
      return url.pathname;
    },
    get search() {
      return url.search;
    },
    get hash() {
      return url.hash;
    },
    origin: url.origin,
    assign: (to) => void left.push(String(to)),
  };
  const show = (to: string) => {
    url.href = new URL(to, url).href;
  };
  const history = {
    pushState: (_: unknown, __: string, to?: string | URL | null) => {
      past.push(url.pathname);
      show(String(to));
    },
    replaceState: (_: unknown, __: string, to?: string | URL | null) => show(String(to)),
  };
  const toTop = vi.fn();
  const router = new Router(ROUTES, place, history, toTop);
  return { router, past, left, toTop, back: () => show(past.pop() ?? '/') };
}

describe('going to a page', () => {
  it('changes the address and starts at the top', () => {
    const { router, past, left, toTop } = browser('/groups');
    router.go('/groups/g1');
    expect(router.pathname).toBe('/groups/g1');
    expect(router.found?.parts).toEqual({ group: 'g1' });
    expect(past).toEqual(['/groups']);
    expect(left).toEqual([]);
    expect(toTop).toHaveBeenCalledOnce();
  });

  it('goes back with the browser', () => {
    const { router, back } = browser('/groups');
    router.go('/groups/g1');
    const { turn } = router;
    back();
    router.arrived();
    expect(router.pathname).toBe('/groups');
    expect(router.turn).toBe(turn + 1);
  });

  it('leaves no trace where it replaces', () => {
    const { router, past } = browser('/sign-in');
    router.go('/', { replace: true });
    expect(router.pathname).toBe('/');
    expect(past).toEqual([]);
  });

  it('comes anew to the page that is there', () => {
    const { router } = browser('/groups');
    router.go('/groups');
    expect(router.turn).toBe(1);
  });

  it.each(['/room/circle#token', '/api/docs', 'https://elsewhere.example/groups', '//elsewhere.example/groups'])(
    'loads %s instead',
    (address) => {
      const { router, left, past } = browser('/groups');
      router.go(address);
      expect(left).toEqual([new URL(address, 'https://here.example/groups').href]);
      expect(past).toEqual([]);
      expect(router.pathname).toBe('/groups');
    },
  );
});

describe('a click', () => {
  function click(href: string, more: Partial<MouseEvent> = {}, link: { target?: string; download?: boolean } = {}) {
    const anchor = { href, target: link.target ?? '', hasAttribute: () => link.download ?? false };
    return {
      defaultPrevented: false,
      button: 0,
      metaKey: false,
      ctrlKey: false,
      shiftKey: false,
      altKey: false,
      target: { closest: () => anchor },
      preventDefault: vi.fn(),
      ...more,
    } as unknown as MouseEvent;
  }
  const here = 'https://here.example';

  it('on a page of ours stays on the page', () => {
    const { router } = browser('/groups');
    const event = click(`${here}/groups/g1`);
    router.clicked(event);
    expect(vi.mocked(event).preventDefault.mock.calls).toHaveLength(1);
    expect(router.pathname).toBe('/groups/g1');
  });

  it.each([
    ['with a key, for another tab', click(`${here}/groups/g1`, { ctrlKey: true })],
    ['with another button', click(`${here}/groups/g1`, { button: 1 })],
    ['that something else took', click(`${here}/groups/g1`, { defaultPrevented: true })],
    ['for a new window', click(`${here}/groups/g1`, {}, { target: '_blank' })],
    ['for a download', click(`${here}/groups/g1`, {}, { download: true })],
    ['to elsewhere', click('https://elsewhere.example/groups')],
    ['to a room', click(`${here}/room/circle#token`)],
    ['to an app', click('otpauth://totp/Holdspace')],
    ['to a place on this page', click(`${here}/groups#rules`)],
    ['on nothing', click('', { target: { closest: () => null } as unknown as Element })],
  ])('%s is the browser’s', (_, event) => {
    const { router } = browser('/groups');
    router.clicked(event);
    expect(router.pathname).toBe('/groups');
    expect(router.turn).toBe(0);
  });
});
