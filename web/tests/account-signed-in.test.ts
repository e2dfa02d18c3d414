import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../src/api/client';
import { keepSignedIn, mayBeSignedIn, USED_KEY } from '../src/api/idle';
import type { Me } from '../src/api/me';
import { SignedIn } from '../src/api/signed-in.svelte';
import type { Store } from '../src/call/memory';

const MINUTE = 60_000;

function me(session = 's1'): Me {
  return {
    id: 'a1',
    is_administrator: false,
    may_make_groups: false,
    time_zone: null,
    email_verified: true,
    factors: { password: false, totp: false, passkeys: 1, recovery_codes: 10 },
    session: { id: session, idle_after_s: 15 * 60, stepped_up_until: null },
  };
}

function memory(): Store {
  const held = new Map<string, string>();
  return {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
  };
}

function someone(store = memory()) {
  const asked = vi.fn<() => Promise<Me>>(() => Promise.resolve(me()));
  const signOut = vi.fn<() => Promise<unknown>>(() => Promise.resolve(undefined));
  const signedIn = new SignedIn({ me: asked, signOut, now: () => Date.now(), store });
  return { signedIn, asked, signOut, store };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('who is signed in', () => {
  it('is asked of the server', async () => {
    const { signedIn } = someone();
    expect(signedIn.me).toBeUndefined();
    await signedIn.refresh();
    expect(signedIn.me?.id).toBe('a1');
  });

  it('is nobody if the server says so', async () => {
    const { signedIn, asked, store } = someone();
    store.setItem(USED_KEY, '1');
    asked.mockRejectedValue(new ApiError('signed_out', 'Please sign in.', 401));
    await signedIn.refresh();
    expect(signedIn.me).toBeNull();
    expect(mayBeSignedIn(store)).toBe(false);
  });

  it('stays unknown if the server cannot be asked', async () => {
    const { signedIn, asked } = someone();
    asked.mockRejectedValue(new ApiError('unreachable', 'We cannot reach the server.'));
    await signedIn.refresh();
    expect(signedIn.me).toBeUndefined();
    expect(signedIn.problem).toBe('We cannot reach the server.');
  });

  it('is not forgotten because of one question without an answer', async () => {
    const { signedIn, asked } = someone();
    await signedIn.refresh();
    asked.mockRejectedValue(new ApiError('unreachable', 'We cannot reach the server.'));
    await signedIn.refresh();
    expect(signedIn.me?.id).toBe('a1');
  });

  it('is not asked for a browser in which nobody signed in', async () => {
    const { signedIn, asked } = someone();
    await signedIn.lookUp();
    expect(signedIn.me).toBeNull();
    expect(asked).not.toHaveBeenCalled();
  });
});

describe('automatic logoff', () => {
  it('warns a minute before, and then signs out', async () => {
    const { signedIn, signOut, store } = someone();
    await signedIn.refresh();
    await vi.advanceTimersByTimeAsync(14 * MINUTE - 1000);
    expect(signedIn.leftMs).toBeNull();
    await vi.advanceTimersByTimeAsync(2000);
    expect(signedIn.leftMs).toBeGreaterThan(0);
    expect(signedIn.leftMs).toBeLessThanOrEqual(MINUTE);
    expect(signOut).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(signOut).toHaveBeenCalledOnce();
    expect(signedIn.me).toBeNull();
    expect(signedIn.ending).toBe('idle');
    expect(signedIn.leftMs).toBeNull();
    expect(mayBeSignedIn(store)).toBe(false);
  });

  it('takes what is private off the screen also without the server', async () => {
    const { signedIn, signOut } = someone();
    await signedIn.refresh();
    signOut.mockRejectedValue(new ApiError('unreachable', 'We cannot reach the server.'));
    await vi.advanceTimersByTimeAsync(16 * MINUTE);
    expect(signedIn.me).toBeNull();
  });

  it('does not happen to someone who is there, and the server hears of them', async () => {
    const { signedIn, asked, signOut } = someone();
    await signedIn.refresh();
    for (let minutes = 0; minutes < 60; minutes += 5) {
      await vi.advanceTimersByTimeAsync(5 * MINUTE);
      signedIn.used();
    }
    expect(signOut).not.toHaveBeenCalled();
    // Once at first, and once for each use since.
    expect(asked.mock.calls.length).toBeGreaterThanOrEqual(12);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(14);
  });

  it('is called off by a touch during the warning', async () => {
    const { signedIn } = someone();
    await signedIn.refresh();
    await vi.advanceTimersByTimeAsync(14.5 * MINUTE);
    expect(signedIn.leftMs).not.toBeNull();
    signedIn.used();
    expect(signedIn.leftMs).toBeNull();
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    expect(signedIn.me?.id).toBe('a1');
  });

  it('knows that someone is there in another tab', async () => {
    const store = memory();
    const one = someone(store);
    const other = someone(store);
    await one.signedIn.refresh();
    await other.signedIn.refresh();
    for (let minutes = 0; minutes < 30; minutes += 5) {
      await vi.advanceTimersByTimeAsync(5 * MINUTE);
      other.signedIn.used();
    }
    expect(one.signOut).not.toHaveBeenCalled();
    expect(one.signedIn.leftMs).toBeNull();
  });

  it('never happens during a live session in another tab', async () => {
    const store = memory();
    const { signedIn, signOut } = someone(store);
    await signedIn.refresh();
    const left = keepSignedIn(store);
    await vi.advanceTimersByTimeAsync(90 * MINUTE);
    expect(signedIn.me?.id).toBe('a1');
    expect(signedIn.leftMs).toBeNull();
    left();
    await vi.advanceTimersByTimeAsync(16 * MINUTE);
    expect(signOut).toHaveBeenCalledOnce();
  });

  it('is not thought of in a live session of someone who is not signed in', () => {
    const store = memory();
    keepSignedIn(store)();
    expect(mayBeSignedIn(store)).toBe(false);
  });

  it('comes at once after a long sleep, before the touch that ended it counts', async () => {
    const { signedIn, signOut } = someone();
    await signedIn.refresh();
    vi.setSystemTime(Date.now() + 60 * MINUTE);
    signedIn.used();
    await vi.advanceTimersByTimeAsync(0);
    expect(signOut).toHaveBeenCalledOnce();
    expect(signedIn.me).toBeNull();
  });
});

describe('signing out', () => {
  it('is told of when it did not work', async () => {
    const { signedIn, signOut } = someone();
    await signedIn.refresh();
    signOut.mockRejectedValue(new ApiError('unreachable', 'We cannot reach the server.'));
    await expect(signedIn.signOut()).rejects.toThrow('We cannot reach the server.');
    expect(signedIn.me?.id).toBe('a1');
  });

  it('is noticed when it happened in another tab', async () => {
    const { signedIn, asked, store } = someone();
    await signedIn.refresh();
    store.removeItem(USED_KEY);
    asked.mockImplementation(() => {
      signedIn.ended();
      return Promise.reject(new ApiError('signed_out', 'Please sign in.', 401));
    });
    signedIn.check();
    await vi.advanceTimersByTimeAsync(0);
    expect(signedIn.me).toBeNull();
    expect(signedIn.ending).toBe('ended');
  });
});
