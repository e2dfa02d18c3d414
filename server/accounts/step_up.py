"""Proving again who one is, before something sensitive (OWASP ASVS 5, 7.5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import passkeys, passwords, sessions, totp
from server.accounts.links import Site
from server.accounts.login import Attempt, count_failure, forget_failures, wrong_credentials
from server.accounts.services import AccountServices
from server.accounts.signed_in import SignedIn
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Outcome, Password

STEP_UP = "account.step_up"


def _put_on_record(
    session: AsyncSession, act: Act, who: SignedIn, by: str, outcome: Outcome
) -> None:
    on_record(session, act, STEP_UP, who.id, None, outcome=outcome, by=by)


async def by_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    who: SignedIn,
    password: str,
    code: str,
) -> str:
    """Prove it by the password and a code of the authenticator app.

    Returns:
        the session's new token.

    Raises:
        Refused: ``wrong_credentials``, ``slow_down`` or ``busy``.
    """
    async with storage.snapshot() as session:
        stored = await session.get(Password, who.id)
    attempt = Attempt(services, act, b"step-up " + who.id.encode())
    try:
        attempt.begin((0, None) if stored is None else (stored.failures, stored.failed_at))
    except Refused:
        async with storage.transaction() as session:
            _put_on_record(session, act, who, "password", "refused")
        raise
    is_right = await services.passwords.matches(
        None if stored is None else stored.hash, password[: passwords.MAX_CHARS + 1]
    )
    token = None
    async with storage.transaction() as session:
        if is_right and await totp.take(session, keyring, who.id, code, act.now):
            await forget_failures(session, who.id)
            token = await sessions.prove_again(session, who.session_id, act.now)
        else:
            await count_failure(session, who.id, act.now)
        _put_on_record(session, act, who, "password", "failed" if token is None else "done")
    if token is None:
        raise Refused(wrong_credentials().code, "The password or the code is not right.", 401)
    attempt.succeeded()
    return token


async def ask_for_passkey(
    services: AccountServices, storage: Storage, act: Act, who: SignedIn, site: Site
) -> tuple[str, passkeys.Options]:
    """A ticket, and the options for the browser.

    Raises:
        Refused: ``no_passkey`` or ``passkeys_unavailable``.
    """
    async with storage.snapshot() as session:
        known = [passkey.credential_id for passkey in await passkeys.own(session, who.id)]
    if not known:
        raise Refused("no_passkey", "You have no passkey yet.", 409)
    challenge, options = passkeys.ask_for_proof(site, "step_up", who.id, known)
    return services.challenges.put(challenge, act.now), options


async def by_passkey(
    services: AccountServices,
    storage: Storage,
    act: Act,
    who: SignedIn,
    ticket: str,
    credential: Mapping[str, Any],
) -> str:
    """Prove it by a passkey.

    Returns:
        the session's new token.

    Raises:
        Refused: ``passkey_refused``.
    """
    async with storage.snapshot() as session:
        passkey = await passkeys.claimed(session, credential)
    token = None
    try:
        challenge = services.challenges.take(ticket, act.now)
        if challenge is not None and challenge.account_id != who.id:
            raise passkeys.refused()
        sign_count = passkeys.verify_proof(challenge, "step_up", passkey, credential)
    except Refused:
        async with storage.transaction() as session:
            _put_on_record(session, act, who, "passkey", "failed")
        raise
    assert passkey is not None
    async with storage.transaction() as session:
        if await passkeys.used(session, passkey, sign_count, act.now):
            token = await sessions.prove_again(session, who.session_id, act.now)
        _put_on_record(session, act, who, "passkey", "failed" if token is None else "done")
    if token is None:
        raise passkeys.refused()
    return token
