/** How what facilitators see of someone leads to where that person is; the room shows the dialog. */
import { getContext, setContext } from 'svelte';
import { confirmationOf, isCode } from '../../groups/api';
import type { ConfirmationView } from '../../groups/types';
import type { SessionName } from '../../wire/messages';

/** `person`: by which the API knows them. */
export type LookUp = (person: string, name: string) => void;

const KEY = Symbol('whereabouts');

export function provideLookUp(lookUp: LookUp): void {
  setContext(KEY, lookUp);
}

export function useLookUp(): LookUp {
  return getContext<LookUp>(KEY);
}

/** What someone confirmed for a session, or that they have not. */
export async function confirmedBy(
  person: string,
  { group, key }: SessionName,
): Promise<{ given: ConfirmationView | null }> {
  try {
    return { given: await confirmationOf(group, key, person) };
  } catch (error) {
    if (isCode(error, 'not_confirmed')) return { given: null };
    throw error;
  }
}
