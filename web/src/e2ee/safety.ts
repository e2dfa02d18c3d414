/**
 * What people compare aloud: the same at everyone whose page has the same keys, and only there.
 *
 * Made from the epoch authenticator (RFC 9420 section 8.7). Whoever sat between two groups would
 * need both to show the same words; the stretching makes each try at that dear.
 */
import { CALM_WORDS } from './calm-words';
import type { Safety } from './view';

const ITERATIONS = 100_000;
const SALT = 'holdspace safety words';
/** Six words of 9 bits, six emoji of 6 bits, two colours of 3 bits: 96 bits in all. */
const BITS = 96;

/** Emoji that differ in shape and colour, each with its name. */
const EMOJI: readonly (readonly [emoji: string, name: string])[] = [
  ['🌻', 'sunflower'],
  ['🌷', 'tulip'],
  ['🌵', 'cactus'],
  ['🍀', 'clover'],
  ['🍁', 'maple leaf'],
  ['🌲', 'fir tree'],
  ['🌴', 'palm tree'],
  ['🍄', 'mushroom'],
  ['🌾', 'ear of rice'],
  ['🪴', 'potted plant'],
  ['🌙', 'moon'],
  ['⭐', 'star'],
  ['🌈', 'rainbow'],
  ['☀️', 'sun'],
  ['☁️', 'cloud'],
  ['❄️', 'snowflake'],
  ['🐢', 'turtle'],
  ['🐘', 'elephant'],
  ['🦋', 'butterfly'],
  ['🐝', 'bee'],
  ['🐞', 'ladybug'],
  ['🐧', 'penguin'],
  ['🦉', 'owl'],
  ['🦆', 'duck'],
  ['🦔', 'hedgehog'],
  ['🐿️', 'squirrel'],
  ['🦒', 'giraffe'],
  ['🐨', 'koala'],
  ['🐬', 'dolphin'],
  ['🐙', 'octopus'],
  ['🐌', 'snail'],
  ['🐚', 'seashell'],
  ['🍋', 'lemon'],
  ['🍎', 'apple'],
  ['🍇', 'grapes'],
  ['🍓', 'strawberry'],
  ['🍍', 'pineapple'],
  ['🥕', 'carrot'],
  ['🌽', 'corn'],
  ['☕', 'hot drink'],
  ['⛵', 'sailboat'],
  ['🚲', 'bicycle'],
  ['🎈', 'balloon'],
  ['🪁', 'kite'],
  ['🎁', 'gift'],
  ['🎨', 'paint palette'],
  ['🧩', 'puzzle piece'],
  ['🧵', 'thread'],
  ['🧶', 'ball of yarn'],
  ['🎸', 'guitar'],
  ['🎹', 'piano keys'],
  ['🥁', 'drum'],
  ['🔔', 'bell'],
  ['📚', 'books'],
  ['✏️', 'pencil'],
  ['📎', 'paper clip'],
  ['🔑', 'key'],
  ['🕰️', 'clock'],
  ['🧭', 'compass'],
  ['⚓', 'anchor'],
  ['⛺', 'tent'],
  ['🏠', 'house'],
  ['☂️', 'umbrella'],
  ['🧺', 'basket'],
];

/** Pale enough for dark text (4.5:1 and more against #26302c) and apart from each other. */
const COLOURS: readonly string[] = [
  '#f6c7c0', // rose
  '#f8d8a8', // apricot
  '#f4eca2', // lemon
  '#cfe8b5', // leaf
  '#b5e3da', // sea
  '#bcd9f5', // sky
  '#d5c9f2', // lavender
  '#dcd6cc', // sand
];

export async function safetyOf(authenticator: Uint8Array): Promise<Safety> {
  const secret = await crypto.subtle.importKey(
    'raw',
    Uint8Array.from(authenticator),
    'PBKDF2',
    false,
    ['deriveBits'],
  );
  const salt = new TextEncoder().encode(SALT);
  const algorithm = { name: 'PBKDF2', hash: 'SHA-512', salt, iterations: ITERATIONS };
  const bytes = new Uint8Array(await crypto.subtle.deriveBits(algorithm, secret, BITS));
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  let read = 0;
  const next = (width: number) => parseInt(bits.slice(read, (read += width)), 2);

  const words = Array.from({ length: 6 }, () => at(CALM_WORDS, next(9)));
  const emoji = Array.from({ length: 6 }, () => at(EMOJI, next(6)));
  const left = at(COLOURS, next(3));
  const right = at(COLOURS, next(3));
  return {
    words,
    row: emoji.map(([emoji, name], i) => ({ emoji, name, colour: i < 3 ? left : right })),
  };
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError('a list for safety words is too short');
  return item;
}
