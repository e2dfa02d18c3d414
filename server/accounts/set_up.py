"""Setting up the second factor of an account that has a password only: it lets nobody in yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import passkeys, sessions, totp
from server.accounts.accounts import email_of, open_account
from server.accounts.factors import factors_of
from server.accounts.links import Site
from server.accounts.login import put_on_record, still_proven, ticket_ended, wrong_code
from server.accounts.services import AccountServices, Proven
from server.groups.act import Act, on_record
from server.storage.database import Storage
from server.storage.keyring import KeyRing


def _proven(services: AccountServices, act: Act, ticket: str) -> Proven:
    proven = services.proven.get(ticket, act.now)
    if proven is None:
        raise ticket_ended()
    return proven


async def _needs_set_up(session: AsyncSession, proven: Proven) -> None:
    """Refuse a password alone to add a factor to an account that has a second one already."""
    await still_proven(session, proven)
    if (await factors_of(session, proven.account_id)).has_second:
        raise ticket_ended()


async def _label(storage: Storage, keyring: KeyRing, proven: Proven) -> str:
    async with storage.transaction() as session:
        await _needs_set_up(session, proven)
        account = await open_account(session, proven.account_id)
        return email_of(keyring, account) or totp.ISSUER


async def begin_totp(
    services: AccountServices, storage: Storage, keyring: KeyRing, act: Act, ticket: str
) -> tuple[str, str, str]:
    """A new secret for an authenticator app.

    Returns:
        a ticket for its first code, the secret, and its URI.

    Raises:
        Refused: ``ticket_ended``.
    """
    proven = _proven(services, act, ticket)
    label = await _label(storage, keyring, proven)
    enrolment = totp.new_enrolment(proven.account_id)
    own_ticket = services.enrolments.put(enrolment, act.now)
    return own_ticket, enrolment.secret, totp.provisioning_uri(enrolment.secret, label)


async def finish_totp(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    ticket: str,
    enrolment_ticket: str,
    code: str,
    device_label: str,
) -> tuple[str, str]:
    """Confirm an authenticator app by its first code, and log in.

    Returns:
        the account's id and the token of its new session.

    Raises:
        Refused: ``ticket_ended`` or ``wrong_code``.
    """
    proven = _proven(services, act, ticket)
    enrolment = services.enrolments.get(enrolment_ticket, act.now)
    if enrolment is None or enrolment.account_id != proven.account_id:
        raise ticket_ended()
    mine = Act(proven.account_id, act.now, act.address)
    async with storage.transaction() as session:
        await _needs_set_up(session, proven)
        if not await totp.enrol(session, keyring, enrolment, code, act.now):
            raise wrong_code()
        on_record(session, mine, "account.totp_confirmed", proven.account_id, None)
        token = await sessions.start(session, proven.account_id, device_label, act.now)
        put_on_record(session, act, proven.account_id, "totp", "done")
    services.enrolments.drop(enrolment_ticket)
    services.proven.drop(ticket)
    return proven.account_id, token


async def begin_passkey(
    services: AccountServices, storage: Storage, keyring: KeyRing, act: Act, site: Site, ticket: str
) -> tuple[str, passkeys.Options]:
    """A ticket for a new passkey, and the options for the browser.

    Raises:
        Refused: ``ticket_ended`` or ``passkeys_unavailable``.
    """
    proven = _proven(services, act, ticket)
    label = await _label(storage, keyring, proven)
    challenge, options = passkeys.ask_for_new(site, proven.account_id, label, ())
    return services.challenges.put(challenge, act.now), options


async def finish_passkey(
    services: AccountServices,
    storage: Storage,
    act: Act,
    ticket: str,
    challenge_ticket: str,
    credential: Mapping[str, Any],
    label: str | None,
    device_label: str,
) -> tuple[str, str]:
    """Add the passkey that was made, and log in.

    Returns:
        the account's id and the token of its new session.

    Raises:
        Refused: ``ticket_ended``, ``passkey_refused`` or ``bad_label``.
    """
    proven = _proven(services, act, ticket)
    new = passkeys.verify_new(services.challenges.take(challenge_ticket, act.now), credential)
    if new.account_id != proven.account_id:
        raise passkeys.refused()
    mine = Act(proven.account_id, act.now, act.address)
    async with storage.transaction() as session:
        await _needs_set_up(session, proven)
        passkey = await passkeys.add(session, new, label, act.now)
        on_record(session, mine, "account.passkey_added", passkey.id, None)
        token = await sessions.start(session, proven.account_id, device_label, act.now)
        put_on_record(session, act, proven.account_id, "passkey", "done")
    services.proven.drop(ticket)
    return proven.account_id, token
