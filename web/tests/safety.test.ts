import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CALM_WORDS } from '../src/e2ee/calm-words';
import { safetyOf } from '../src/e2ee/safety';

const authenticator = (seed: number) => new Uint8Array(64).fill(seed);

/** Of WCAG 2.2: relative luminance. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(colour.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe('calm words', () => {
  it('are 512, short, and no two begin alike', () => {
    expect(CALM_WORDS).toHaveLength(512);
    for (const word of CALM_WORDS) expect(word).toMatch(/^[a-z]{3,8}$/);
    expect(new Set(CALM_WORDS.map((word) => word.slice(0, 4))).size).toBe(512);
  });
});

describe('safetyOf', () => {
  it('takes its bits from PBKDF2 in their order', async () => {
    const derived = pbkdf2Sync(authenticator(7), 'holdspace safety words', 100_000, 12, 'sha512');
    let value = BigInt(`0x${derived.toString('hex')}`);
    const backwards = (width: bigint) => {
      const low = Number(value & ((1n << width) - 1n));
      value >>= width;
      return low;
    };
    backwards(42n); // the row and its colours
    const words = Array.from({ length: 6 }, () => CALM_WORDS[backwards(9n)]).reverse();
    expect((await safetyOf(authenticator(7))).words).toEqual(words);
  });

  it('is the same for the same epoch and another for another', async () => {
    const [one, again, other] = await Promise.all([1, 1, 2].map((n) => safetyOf(authenticator(n))));
    expect(one).toEqual(again);
    expect(other?.words).not.toEqual(one?.words);
    expect(other?.row).not.toEqual(one?.row);
  });

  it('shows emoji that have different names, on colours that text can be read on', async () => {
    const seen = new Map<string, string>();
    const colours = new Set<string>();
    for (let seed = 0; seed < 24; seed++) {
      for (const { emoji, name, colour } of (await safetyOf(authenticator(seed))).row) {
        seen.set(emoji, name);
        colours.add(colour);
      }
    }
    expect(seen.size).toBeGreaterThan(50);
    expect(new Set(seen.values()).size).toBe(seen.size);
    expect(colours.size).toBe(8);
    for (const colour of colours)
      expect((luminance(colour) + 0.05) / (luminance('#26302c') + 0.05)).toBeGreaterThan(4.5);
  });
});
