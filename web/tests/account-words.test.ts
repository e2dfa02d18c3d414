import { describe, expect, it } from 'vitest';
import { invitationWords } from '../src/account/invitation-words';
import { periodWords } from '../src/account/period-words';
import { qrCode } from '../src/account/qr';
import { strengthOf } from '../src/account/strength';

describe('what a link invites to', () => {
  const to = { group_name: null, role: null, is_administrator: false, expires_at: '2027-01-05T18:00:00Z' };
  it.each([
    [{ ...to, is_administrator: true }, /administrator of this server\.$/],
    [{ ...to, is_administrator: true, group_name: 'Evening', role: 'facilitator' as const }, /administrator .+ “Evening”\.$/],
    [to, /an account on this server\.$/],
    [{ ...to, group_name: 'Evening', role: 'participant' as const }, /take part in the group “Evening”\.$/],
    [{ ...to, group_name: 'Evening', role: 'facilitator' as const }, /as a facilitator\.$/],
    [{ ...to, group_name: 'Evening', role: 'counselor' as const }, /as a counselor\.$/],
  ])('%o', (invited, words) => {
    expect(invitationWords(invited)).toMatch(words);
  });
});

describe('a period', () => {
  it.each([
    ['entry_confirmation_hours', 24, '24 hours'],
    ['login_days', 1, '1 day'],
    ['login_days', 30, '30 days'],
    ['absence_days', 366, '366 days'],
    ['signature_days', 2192, '6 years'],
  ])('%s %i', (name, value, words) => {
    expect(periodWords({ name, value, description: '' })).toBe(words);
  });
});

describe('a first guess at a password', () => {
  it.each([
    ['', ''],
    ['abc', 'Too short: 5 characters more.'],
    ['abcdefg', 'Too short: 1 character more.'],
    ['aaaaaaaaaaaaaaaaaaaaaaaa', 'Easy to guess. Adding another word helps.'],
    ['12345678901234567890', 'Easy to guess. Adding another word helps.'],
    ['abababababababababab', 'Easy to guess. Adding another word helps.'],
    ['kettle moss lantern grey orbit', 'Long enough, if it is not a saying or a name.'],
  ])('%s', (password, words) => {
    expect(strengthOf(password).words).toBe(words);
  });
});

describe('a QR code', () => {
  it('is drawn with the quiet around it that scanners need', () => {
    const { size, path } = qrCode('otpauth://totp/Holdspace:someone?secret=JBSWY3DPEHPK3PXP&issuer=Holdspace');
    expect(size).toBeGreaterThan(29);
    // The first finder pattern begins after four modules.
    expect(path.startsWith('M4 4h1v1h-1z')).toBe(true);
  });
});
