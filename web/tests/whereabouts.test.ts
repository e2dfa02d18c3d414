/** Where someone is and whom to call, as those who may have to send help come to see it. */
import { render } from 'svelte/server';
import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '../src/api/client';
import { callTo } from '../src/groups/phone';
import type { ConfirmationView } from '../src/groups/types';
import Whereabouts from '../src/groups/Whereabouts.svelte';
import { mayNeedHelp } from '../src/session/words';
import WhereButton from '../src/ui/care/WhereButton.svelte';
import { confirmedBy } from '../src/ui/care/whereabouts';
import AlertCard from '../src/ui/console/AlertCard.svelte';
import { alert } from './session-fakes';

const api = vi.hoisted(() => ({ call: vi.fn<(method: string, path: string) => Promise<unknown>>() }));
vi.mock('../src/api', async () => ({ ...(await import('../src/api/client')), ...api }));

const SEEN: ConfirmationView = {
  location: '12 Elm Street, Springfield',
  phone: '+1 555 0100',
  contact_name: 'Byron Gordon',
  contact_phone: 'at work 555 0101',
  is_private: true,
  confirmed_at: '2027-01-05T22:50:00Z',
};

it.each([
  ['+1 555 0100', 'tel:+15550100'],
  ['(0221) 555-0100', 'tel:02215550100'],
  ['+44 (0)20 7946 0000', 'tel:+442079460000'],
  ['555 0100 ext. 12', 'tel:5550100'],
  ['112', 'tel:112'],
  ['12', null],
  ['ask my sister 555 0100', null],
  ['', null],
])('%s is called at %s', (written, link) => {
  expect(callTo(written)).toBe(link);
});

describe('what someone confirmed', () => {
  it('has numbers to call, and those that cannot be dialled in words', () => {
    const html = render(Whereabouts, { props: { seen: SEEN } }).body;
    expect(html).toContain('12 Elm Street, Springfield');
    expect(html).toContain('href="tel:+15550100"');
    expect(html).toContain('Byron Gordon');
    expect(html).toContain('at work 555 0101');
    expect(html.match(/href=/g)).toHaveLength(1);
    expect(html).toMatch(/Alone, or with headphones<\/dt>.*Yes/s);
  });
});

describe('the way there', () => {
  const button = (person: string | null) =>
    render(WhereButton, { props: { person, name: 'Sam' } }).body;

  it('is a button that says whose it is', () => {
    expect(button('membership-1')).toContain('Where they are');
    expect(button('membership-1')).toContain(': Sam');
  });

  it('is not there in rooms with links', () => {
    expect(button(null)).not.toContain('button');
  });

  it('stands with alerts about someone who may need help, also once they are seen', () => {
    const card = (change: Parameters<typeof alert>[0]) =>
      render(AlertCard, { props: { alert: alert({ about_person: 'membership-1', ...change }) } }).body;
    expect(card({})).toContain('Where they are');
    expect(card({ acknowledged_by: 'Fay', acknowledged_at: 1 })).toContain('Where they are');
    expect(card({ kind: 'dominating' })).not.toContain('Where they are');
    expect(card({ about_person: null })).not.toContain('Where they are');
    expect(card({ about: null, about_name: null, about_person: null })).not.toContain('Where they are');
    expect(mayNeedHelp(alert({ kind: 'left_abruptly' }))).toBe(true);
  });
});

describe('looking it up', () => {
  const session = { group: 'group-1', key: '20270105T230000Z' };

  it('asks for one person in one session', async () => {
    api.call.mockResolvedValueOnce(SEEN);
    expect(await confirmedBy('membership-1', session)).toEqual({ given: SEEN });
    const path = '/groups/group-1/sessions/20270105T230000Z/confirmations/membership-1';
    expect(api.call).toHaveBeenCalledExactlyOnceWith('GET', path);
  });

  it('knows that someone has not confirmed from what went wrong', async () => {
    api.call.mockRejectedValueOnce(new ApiError('not_confirmed', 'They have not.', 404));
    expect(await confirmedBy('membership-1', session)).toEqual({ given: null });
    api.call.mockRejectedValueOnce(new ApiError('unreachable', 'We cannot reach the server.'));
    await expect(confirmedBy('membership-1', session)).rejects.toThrow('We cannot reach');
  });
});
