/** Which session formats a group can choose from. */
import type { SessionFormat } from './types';

export interface FormatChoice {
  name: string;
  title: string;
  hint: string;
}

/** What the server has, and what the group chose before that it has no more: to be taken away. */
export function formatChoices(known: readonly SessionFormat[], chosen: readonly string[]): FormatChoice[] {
  const gone = chosen.filter((name) => !known.some((one) => one.name === name));
  return [
    ...known.map(({ name, title, description }) => ({ name, title, hint: description })),
    ...gone.map((name) => ({
      name,
      title: name,
      hint: 'This server does not have this format any more. Please take it away before you save.',
    })),
  ];
}
