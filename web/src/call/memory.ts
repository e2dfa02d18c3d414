/** What a tab remembers of a visit, for a reload: in `sessionStorage`, gone with the tab. */

export interface VisitMemory {
  token: string | null;
  resume: string | null;
  name: string;
}

export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const heldHere = new Map<string, string>();

/** A browser may refuse its storage altogether; then a visit is remembered until a reload. */
export function sessionStore(): Store {
  try {
    const probe = 'holdspace:probe';
    sessionStorage.setItem(probe, '1');
    sessionStorage.removeItem(probe);
    return sessionStorage;
  } catch {
    return {
      getItem: (key) => heldHere.get(key) ?? null,
      setItem: (key, value) => void heldHere.set(key, value),
      removeItem: (key) => void heldHere.delete(key),
    };
  }
}

export function visitMemory(room: string, store: Store = sessionStore()): VisitMemory {
  const field = (key: string) => ({
    get: () => store.getItem(key),
    set: (value: string | null) => {
      if (value === null || value === '') store.removeItem(key);
      else store.setItem(key, value);
    },
  });
  const token = field(`holdspace:token:${room}`);
  const resume = field(`holdspace:resume:${room}`);
  const name = field('holdspace:name');
  return {
    get token() {
      return token.get();
    },
    set token(value) {
      token.set(value);
    },
    get resume() {
      return resume.get();
    },
    set resume(value) {
      resume.set(value);
    },
    get name() {
      return name.get() ?? '';
    },
    set name(value) {
      name.set(value);
    },
  };
}
