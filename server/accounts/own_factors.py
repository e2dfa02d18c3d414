"""Changing what one signs in with. Callers see to it that the login was proved again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete

from server.accounts import passkeys, passwords, recovery_codes, sessions, totp
from server.accounts.accounts import email_of, name_of, open_account
from server.accounts.factors import keep_a_way_in
from server.accounts.links import Site
from server.accounts.login import ticket_ended, wrong_code
from server.accounts.services import AccountServices
from server.accounts.signed_in import SignedIn
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Passkey, Password


async def set_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    who: SignedIn,
    password: str,
) -> None:
    """Set or change the password; all other devices are signed out (OWASP ASVS 5, 7.4.3).

    Raises:
        Refused: ``password_weak``, ``password_long`` or ``busy``.
    """
    async with storage.snapshot() as session:
        account = await open_account(session, who.id)
    about = [name_of(keyring, account), email_of(keyring, account) or ""]
    await services.passwords.refuse_weak(password, about)
    hashed = await services.passwords.hash(password)
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        await passwords.store(session, who.id, hashed, act.now)
        await sessions.revoke_all(session, who.id, act.now, but=who.session_id)
        on_record(session, act, "account.password_changed", who.id, None, by="session")


async def remove_password(storage: Storage, act: Act, who: SignedIn) -> None:
    """Sign in by passkey only from now on.

    Raises:
        Refused: ``not_found`` or ``last_factor``.
    """
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        if await session.get(Password, who.id) is None:
            raise Refused("not_found", "There is no password.", 404)
        await session.execute(delete(Password).where(Password.account_id == who.id))
        await keep_a_way_in(session, who.id)
        on_record(session, act, "account.password_removed", who.id, None)


async def begin_totp(
    services: AccountServices, storage: Storage, keyring: KeyRing, act: Act, who: SignedIn
) -> tuple[str, str, str]:
    """A new secret for an authenticator app: a ticket, the secret and its URI."""
    async with storage.snapshot() as session:
        account = await open_account(session, who.id)
    enrolment = totp.new_enrolment(who.id)
    uri = totp.provisioning_uri(enrolment.secret, email_of(keyring, account) or totp.ISSUER)
    return services.enrolments.put(enrolment, act.now), enrolment.secret, uri


async def confirm_totp(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    who: SignedIn,
    ticket: str,
    code: str,
) -> None:
    """Let a new authenticator app count, in place of an older one.

    Raises:
        Refused: ``ticket_ended`` or ``wrong_code``.
    """
    enrolment = services.enrolments.get(ticket, act.now)
    if enrolment is None or enrolment.account_id != who.id:
        raise ticket_ended()
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        if not await totp.enrol(session, keyring, enrolment, code, act.now):
            raise wrong_code()
        on_record(session, act, "account.totp_confirmed", who.id, None)
    services.enrolments.drop(ticket)


async def remove_totp(storage: Storage, act: Act, who: SignedIn) -> None:
    """Remove the authenticator app.

    Raises:
        Refused: ``last_factor``.
    """
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        await totp.remove(session, who.id)
        await keep_a_way_in(session, who.id)
        on_record(session, act, "account.totp_removed", who.id, None)


async def make_recovery_codes(storage: Storage, act: Act, who: SignedIn) -> list[str]:
    """New recovery codes; older ones end."""
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        codes = await recovery_codes.replace(session, who.id, act.now)
        on_record(session, act, "account.recovery_codes_made", who.id, None)
    return codes


async def begin_passkey(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    who: SignedIn,
    site: Site,
) -> tuple[str, passkeys.Options]:
    """A ticket for a new passkey, and the options for the browser.

    Raises:
        Refused: ``passkeys_unavailable``.
    """
    async with storage.snapshot() as session:
        account = await open_account(session, who.id)
        known = [passkey.credential_id for passkey in await passkeys.own(session, who.id)]
    name = email_of(keyring, account) or passkeys.RP_NAME
    challenge, options = passkeys.ask_for_new(site, who.id, name, known)
    return services.challenges.put(challenge, act.now), options


async def add_passkey(
    services: AccountServices,
    storage: Storage,
    act: Act,
    who: SignedIn,
    ticket: str,
    credential: Mapping[str, Any],
    label: str | None,
) -> Passkey:
    """Add the passkey that was made.

    Raises:
        Refused: ``passkey_refused``, ``too_many_passkeys`` or ``bad_label``.
    """
    new = passkeys.verify_new(services.challenges.take(ticket, act.now), credential)
    if new.account_id != who.id:
        raise passkeys.refused()
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        passkey = await passkeys.add(session, new, label, act.now)
        on_record(session, act, "account.passkey_added", passkey.id, None)
    return passkey


async def rename_passkey(
    storage: Storage, act: Act, who: SignedIn, passkey_id: str, label: str
) -> None:
    """Give a passkey another label.

    Raises:
        Refused: ``not_found`` or ``bad_label``.
    """
    async with storage.transaction() as session:
        passkey = await passkeys.find(session, who.id, passkey_id)
        passkey.label = passkeys.label_of(label)
        on_record(session, act, "account.passkey_renamed", passkey_id, None)


async def remove_passkey(storage: Storage, act: Act, who: SignedIn, passkey_id: str) -> None:
    """Remove a passkey.

    Raises:
        Refused: ``not_found`` or ``last_factor``.
    """
    async with storage.transaction() as session:
        await open_account(session, who.id, lock=True)
        await passkeys.remove(session, who.id, passkey_id)
        await keep_a_way_in(session, who.id)
        on_record(session, act, "account.passkey_removed", passkey_id, None)
