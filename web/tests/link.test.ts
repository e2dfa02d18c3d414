import { describe, expect, it } from 'vitest';
import { readLink, roomOf } from '../src/call/link';

const HERE = 'https://holdspace.example';

it('finds the room in a path', () => {
  expect(roomOf('/room/tuesday-circle')).toBe('tuesday-circle');
  expect(roomOf('/room/tuesday-circle/')).toBe('tuesday-circle');
  expect(roomOf('/room/Tuesday')).toBeNull();
  expect(roomOf('/room/-x')).toBeNull();
  expect(roomOf('/room/' + 'x'.repeat(64))).toBeNull();
  expect(roomOf('/')).toBeNull();
});

describe('a pasted link', () => {
  it.each([`${HERE}/room/garden#tok`, `  ${HERE}/room/garden#tok\n`, 'holdspace.example/room/garden#tok'])(
    '%s leads to its room',
    (text) => {
      expect(readLink(text, HERE)).toEqual({ ok: true, url: `${HERE}/room/garden#tok` });
    },
  );

  it.each([
    ['nothing', ' ', /paste/],
    ['no link', 'https://', /does not look like a link/],
    ['a word', 'garden', /does not look like a link/],
    ['another server', 'https://other.example/room/garden#tok', /other\.example/],
    ['another page', `${HERE}/about#tok`, /does not lead to a room/],
    ['a link cut short', `${HERE}/room/garden`, /after the # sign/],
    ['a link with an empty end', `${HERE}/room/garden#`, /after the # sign/],
    ['a script', 'javascript://holdspace.example/room/garden#tok', /does not look like a link/],
  ])('of %s is answered in words', (_, text, message) => {
    const link = readLink(text, HERE);
    expect(link.ok).toBe(false);
    if (!link.ok) expect(link.message).toMatch(message);
  });
});
