/** The link someone was given: `https://host/room/<room>#<token>`. */

const ROOM_PATH = /^\/room\/([a-z0-9][a-z0-9-]{0,62})\/?$/;

export function roomOf(path: string): string | null {
  return ROOM_PATH.exec(path)?.[1] ?? null;
}

export type PastedLink = { ok: true; url: string } | { ok: false; message: string };

/** Reads a link pasted by hand, for the server this page came from. */
export function readLink(pasted: string, origin: string): PastedLink {
  const text = pasted.trim();
  if (text === '') return { ok: false, message: 'Please paste your link here first.' };
  // A copied link may have lost its beginning; a lone word is none.
  const cut = text.includes('/') && !/^[a-z]+:\/\//i.test(text);
  const whole = cut ? `${new URL(origin).protocol}//${text}` : text;
  const url = URL.canParse(whole) ? new URL(whole) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return { ok: false, message: 'This does not look like a link. Please copy the whole link again.' };
  if (url.host !== new URL(origin).host)
    return {
      ok: false,
      message: `This link is for ${url.host}. Please open it in the address bar of your browser.`,
    };
  const room = roomOf(url.pathname);
  if (room === null)
    return {
      ok: false,
      message: 'This link does not lead to a room. Please copy the whole link again.',
    };
  if (url.hash.length < 2)
    return {
      ok: false,
      message: 'The last part of the link, after the # sign, is missing. Please copy the whole link.',
    };
  return { ok: true, url: `${origin}/room/${room}${url.hash}` };
}
