import { expect, test } from 'vitest';
import { formatChoices } from '../src/groups/formats';

const KNOWN = [
  { name: 'open', title: 'Open floor', description: 'Everyone can speak.' },
  { name: 'tea', title: 'Tea round', description: '' },
];

test('the server’s formats are offered, with their sentence', () => {
  expect(formatChoices(KNOWN, ['open'])).toEqual([
    { name: 'open', title: 'Open floor', hint: 'Everyone can speak.' },
    { name: 'tea', title: 'Tea round', hint: '' },
  ]);
});

test('a format that the server has no more can be seen and taken away', () => {
  const choices = formatChoices(KNOWN, ['karaoke', 'open']);
  expect(choices.map(({ name }) => name)).toEqual(['open', 'tea', 'karaoke']);
  expect(choices[2]?.hint).toMatch(/take it away/);
});
