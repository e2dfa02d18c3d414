import { describe, expect, it } from 'vitest';
import { invitationWords } from '../src/account/invitation-words';
import { detailWords, NOBODY_NAMED, outcomeWords, whatWords, whoWords } from '../src/account/audit-words';
import { leftWords, periodWords } from '../src/account/period-words';
import { qrCode } from '../src/account/qr';
import { strengthOf } from '../src/account/strength';

describe('what a link invites to', () => {
  const to = {
    group_name: null,
    role: null,
    is_administrator: false,
    is_facilitator: false,
    expires_at: '2027-01-05T18:00:00Z',
  };
  it.each([
    [{ ...to, is_administrator: true }, /as an administrator: .+\.$/],
    [{ ...to, is_facilitator: true }, /as a facilitator: .+ groups of your own\.$/],
    [{ ...to, is_administrator: true, is_facilitator: true }, /as an administrator and facilitator: .+\.$/],
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

describe('how long is left', () => {
  it.each([
    [3_600_000, 'in 60 minutes'],
    [60_001, 'in 2 minutes'],
    [60_000, 'in less than a minute'],
    [0, 'in less than a minute'],
  ])('%i ms', (ms, words) => {
    expect(leftWords(ms)).toBe(words);
  });
});

describe('what is on record', () => {
  const event = {
    sequence: 7,
    time: '2027-01-05T18:00:00.000000Z',
    actor: 'a1',
    action: 'break_glass.granted',
    subject: null,
    group: 'g1',
    outcome: 'done',
    address: null,
    detail: { minutes: 60 },
  };

  it('is told in words, with what else is noted', () => {
    expect(whatWords(event)).toBe('Took emergency access to the group');
    expect(detailWords(event)).toBe('minutes: 60');
    expect(outcomeWords('refused')).toBe('Not allowed');
    // Of a newer server.
    expect(whatWords({ ...event, action: 'tea.made' })).toBe('tea.made');
    expect(outcomeWords('late')).toBe('late');
  });

  it('says what someone looked at, and that it was an emergency', () => {
    const detail = { table: 'entry_confirmations', fields: ['location', 'emergency_contact'] };
    const seen = { ...event, action: 'sealed.viewed', detail };
    expect(whatWords(seen)).toBe('Looked at: location, emergency contact');
    const urgent = { ...seen, detail: { ...detail, break_glass: 'b1' } };
    expect(whatWords(urgent)).toBe('In an emergency: Looked at: location, emergency contact');
    expect(detailWords(urgent)).toBe('');
    expect(whatWords({ ...seen, detail: {} })).toBe('Looked at private details');
  });

  it('names whom the group knows, and nobody else', () => {
    const named = { people: { a1: 'Robin', a2: 'Sam' }, administrators: ['a2', 'a3'] };
    expect(whoWords('a1', named)).toBe('Robin');
    expect(whoWords('a2', named)).toBe('Sam (administrator)');
    expect(whoWords('a3', named)).toBe('an administrator');
    expect(whoWords('a4', named)).toBe('a4');
    expect(whoWords('system', named)).toBe('the server itself');
    expect(whoWords('a1', NOBODY_NAMED)).toBe('a1');
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
