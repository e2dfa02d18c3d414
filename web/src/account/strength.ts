/** A first guess at how hard a password is to guess; the server decides (see its passwords). */

export interface Strength {
  /** 0 to 1, for a bar. */
  value: number;
  words: string;
}

const LEAST_CHARS = 8;
const GOOD_BITS = 60;

/**
 * Counts what is not repeated or in sequence, which says little of words that people choose.
 * So it promises nothing: it only tells early what is surely too little.
 */
export function strengthOf(password: string): Strength {
  const characters = Array.from(password);
  if (characters.length === 0) return { value: 0, words: '' };
  const bits = surprising(characters) * Math.log2(alphabet(password));
  const value = Math.min(1, bits / GOOD_BITS);
  if (characters.length < LEAST_CHARS) {
    const more = LEAST_CHARS - characters.length;
    return {
      value: Math.min(value, 0.3),
      words: more === 1 ? 'Too short: 1 character more.' : `Too short: ${more} characters more.`,
    };
  }
  if (value < 0.6) return { value, words: 'Easy to guess. Adding another word helps.' };
  if (value < 1) return { value, words: 'Fair. A longer one is better.' };
  return { value, words: 'Long enough, if it is not a saying or a name.' };
}

/** How many characters do not just repeat or follow the one before. */
function surprising(characters: string[]): number {
  const codes = characters.map((one) => one.toLowerCase().codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, at) => code - (codes[at] ?? 0));
  const predictable = steps.filter((step, at) => step === 0 || (Math.abs(step) === 1 && steps[at - 1] === step));
  const different = new Set(codes).size;
  return Math.min(characters.length - predictable.length, different * 2);
}

function alphabet(password: string): number {
  let size = 0;
  if (/[a-z]/.test(password)) size += 26;
  if (/[A-Z]/.test(password)) size += 26;
  if (/[0-9]/.test(password)) size += 10;
  if (/[^a-zA-Z0-9]/.test(password)) size += 20;
  // People's words are far from random letters.
  return Math.max(2, size / 3);
}
