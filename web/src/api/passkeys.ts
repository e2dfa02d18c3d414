/** Passkeys, by the browser; what goes wrong comes as a sentence. */
import {
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
  WebAuthnAbortService,
  type AuthenticationResponseJSON,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { AskedToMake, AskedToUse, MadePasskey, UsedPasskey } from './accounts';
import { ApiError } from './client';

export function canUsePasskeys(): boolean {
  return browserSupportsWebAuthn();
}

/** Makes a passkey on this device, or on one that the person chooses. */
export async function makePasskey({ ticket, options }: AskedToMake): Promise<MadePasskey> {
  try {
    return { ticket, credential: await startRegistration({ optionsJSON: options }) };
  } catch (error) {
    throw problemOf(error);
  }
}

export async function usePasskey({ ticket, options }: AskedToUse): Promise<UsedPasskey> {
  return { ticket, credential: await used(options, false) };
}

/**
 * Offers passkeys where the email is typed, for as long as the page is there.
 *
 * @param ask for options; they are asked for anew before the server forgets them.
 * @returns null where the browser cannot, or something else was begun meanwhile.
 */
export async function offerPasskey(
  ask: () => Promise<AskedToUse>,
  isOver: () => boolean,
  everyMs = 4 * 60_000,
): Promise<UsedPasskey | null> {
  if (!(await browserSupportsWebAuthnAutofill())) return null;
  while (!isOver()) {
    const { ticket, options } = await ask();
    if (isOver()) return null;
    let isStale = false;
    const timer = setTimeout(() => {
      isStale = true;
      WebAuthnAbortService.cancelCeremony();
    }, everyMs);
    try {
      return { ticket, credential: await used(options, true) };
    } catch (error) {
      if (!(isStale as boolean)) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  return null;
}

/** Ends what the browser may be asking. */
export function stopAsking(): void {
  WebAuthnAbortService.cancelCeremony();
}

async function used(
  optionsJSON: PublicKeyCredentialRequestOptionsJSON,
  useBrowserAutofill: boolean,
): Promise<AuthenticationResponseJSON> {
  try {
    return await startAuthentication({ optionsJSON, useBrowserAutofill });
  } catch (error) {
    throw problemOf(error);
  }
}

const SENTENCES: Record<string, string> = {
  // Also for a wait that was too long: browsers do not tell the two apart.
  NotAllowedError: 'That was not finished. You can try again whenever you like.',
  AbortError: 'That was not finished. You can try again whenever you like.',
  InvalidStateError: 'This device has a passkey for your account already.',
  NotSupportedError: 'This device cannot make a passkey that works here.',
  SecurityError: 'Passkeys do not work at this address. Please use a password instead.',
};

function problemOf(error: unknown): ApiError {
  // The library wraps what the browser threw.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const name = cause instanceof Error ? cause.name : '';
  return new ApiError(
    'passkey_failed',
    SENTENCES[name] ?? 'The passkey did not work here. Please try again, or choose another way.',
  );
}
