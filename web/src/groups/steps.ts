/** What is still to do before someone can go into a session, and why they cannot. */
import type { DocumentKind, SessionPage } from './types';

export const DOCUMENT_TITLES: Record<DocumentKind, string> = {
  guidelines: 'Group guidelines',
  confidentiality: 'Confidentiality agreement',
  telehealth_consent: 'Consent to meeting online',
  part2_notice: 'Notice about substance use records',
};

/** From this long before its start people can confirm where they are: it has to be true then. */
const CONFIRM_EARLY_MS = 60 * 60_000;

export type Step =
  | { kind: 'sign'; document: DocumentKind; words: string }
  /** `from`: when the server begins to take it, if that is later. */
  | { kind: 'confirm'; isDone: boolean; from: number | null };

export function stepsOf(page: SessionPage, now: number): Step[] {
  const steps: Step[] = page.unsigned.map((document) => ({
    kind: 'sign',
    document,
    words: `Read and sign: ${DOCUMENT_TITLES[document]}`,
  }));
  if (page.must_confirm) {
    const from = Date.parse(page.session.starts_at) - CONFIRM_EARLY_MS;
    steps.push({ kind: 'confirm', isDone: page.is_confirmed, from: now < from ? from : null });
  }
  return steps;
}

export type Entering =
  | { state: 'cancelled' | 'over' | 'open' | 'early' }
  /** Something in `stepsOf` is left to do. */
  | { state: 'to-do' }
  /** What the server says about it, such as that it is full. */
  | { state: 'refused'; message: string };

/** Whether someone can go in now, by what the server last said. */
export function entering(page: SessionPage, now: number): Entering {
  if (page.session.is_cancelled) return { state: 'cancelled' };
  if (now >= Date.parse(page.closes_at) && !page.is_open) return { state: 'over' };
  if (page.refusal === null) return { state: 'open' };
  const { code, message } = page.refusal;
  if (code === 'not_open') {
    return { state: now < Date.parse(page.session.starts_at) ? 'early' : 'over' };
  }
  if (code === 'unsigned' || code === 'unconfirmed') {
    return { state: page.is_open ? 'to-do' : 'early' };
  }
  return { state: 'refused', message };
}

/** Signing as a list of what is missing: "the group guidelines and the confidentiality agreement". */
export function unsignedWords(kinds: readonly DocumentKind[]): string {
  if (kinds.length === 0) return '';
  if (kinds.length === 1) return 'There is one text to read and sign.';
  return `There are ${kinds.length} texts to read and sign.`;
}
