import { describe, expect, it } from 'vitest';
import { checkName, initials, NAME_MAX } from '../src/call/name';

describe('checkName', () => {
  it.each(['Ada', 'J', 'Zoë', '李雷', 'Anna-Maria O’Neil', 'علی\u200cرضا', '🧑\u200d🎨', '🙂', 'x'.repeat(NAME_MAX), '🙂'.repeat(NAME_MAX)])(
    'takes %s',
    (name) => {
      expect(checkName(name)).toEqual({ ok: true, name });
    },
  );

  it('trims', () => {
    expect(checkName('  Ada \n')).toEqual({ ok: true, name: 'Ada' });
  });

  it.each([
    ['nothing', '', /write a name/],
    ['only spaces', ' \t ', /write a name/],
    ['only a joiner', '\u200d', /write a name/],
    ['41 characters', 'x'.repeat(NAME_MAX + 1), /at most 40/],
    ['a control character', 'A\u0007da', /cannot be shown/],
    ['a text direction override', 'A\u202eda', /cannot be shown/],
    ['a zero-width space', 'A\u200bda', /cannot be shown/],
    ['a line separator', 'A\u2028da', /cannot be shown/],
    ['half a surrogate pair', 'A\ud83d', /cannot be shown/],
  ])('does not take %s, and says why', (_, name, message) => {
    const check = checkName(name);
    expect(check.ok).toBe(false);
    if (!check.ok) expect(check.message).toMatch(message);
  });
});

describe('initials', () => {
  it.each([
    ['Ada', 'A'],
    ['ada lovelace', 'AL'],
    ['Ada King Lovelace', 'AL'],
    ['Lars-Erik', 'LE'],
    ['Sam O.', 'SO'],
    ['(Jo)', 'J'],
    ['李雷', '李'],
    ['🙂', '🙂'],
    ['', '?'],
  ])('of %s are %s', (name, expected) => {
    expect(initials(name)).toBe(expected);
  });
});
