/** `localStorage`, or, where the browser refuses it, a memory of this page alone. */
import type { Store } from '../call/memory';

const heldHere = new Map<string, string>();

export function sharedStore(): Store {
  try {
    const probe = 'holdspace:probe';
    localStorage.setItem(probe, '1');
    localStorage.removeItem(probe);
    return localStorage;
  } catch {
    return {
      getItem: (key) => heldHere.get(key) ?? null,
      setItem: (key, value) => void heldHere.set(key, value),
      removeItem: (key) => void heldHere.delete(key),
    };
  }
}
