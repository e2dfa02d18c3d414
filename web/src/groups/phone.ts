/** Phone numbers as people write them. */

const FEWEST_DIGITS = 3;

/** An address that calls a number; null if it is not clear what to dial, such as 112 in words. */
export function callTo(phone: string): string | null {
  // What follows in words, such as an extension, is for the person who calls.
  const written = phone.replace(/\p{Letter}.*$/su, '').trim();
  const abroad = written.startsWith('+');
  // As in +44 (0)20: the zero is for calls from within the country.
  const digits = (abroad ? written.replace(/\(0\)/, '') : written).replace(/[^0-9]/g, '');
  return digits.length < FEWEST_DIGITS ? null : `tel:${abroad ? '+' : ''}${digits}`;
}
