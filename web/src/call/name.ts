/** How someone wants to be called: the same rules as the server's, told in plain words. */

export const NAME_MAX = 40;

// Control, format, surrogate, private-use characters and line separators can spoof or garble
// another person's name; the server refuses them too. Two joiners are let through, since Persian
// names and many emoji are written with them.
const NOT_SHOWABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;
const SHOWABLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

export type NameCheck = { ok: true; name: string } | { ok: false; message: string };

export function checkName(raw: string): NameCheck {
  const name = raw.trim();
  // Counted as the server counts: by code points, so an emoji is one.
  const length = Array.from(name).length;
  if (!SHOWABLE.test(name) && !NOT_SHOWABLE.test(name))
    return { ok: false, message: 'Please write a name. It can be any name you like.' };
  if (length > NAME_MAX)
    return { ok: false, message: `Please choose a name of at most ${NAME_MAX} characters.` };
  if (NOT_SHOWABLE.test(name))
    return {
      ok: false,
      message: 'That name has a character that cannot be shown. Please type it again without it.',
    };
  return { ok: true, name };
}

/** One or two letters that stand for someone while their camera is off. */
export function initials(name: string): string {
  const words = name.split(/[\s\-_.]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = words[0];
  if (first === undefined) return Array.from(name.trim())[0] ?? '?';
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  const letter = (word: string) => /[\p{L}\p{N}]/u.exec(word)?.[0] ?? '';
  return (letter(first) + (last === undefined ? '' : letter(last))).toLocaleUpperCase();
}
