"""Making, changing and closing accounts."""

from __future__ import annotations

import unicodedata
from zoneinfo import available_timezones

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import sessions
from server.groups import memberships
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.blind_index import blind_index, blind_indexes
from server.storage.keyring import KeyRing
from server.storage.models import (
    Account,
    CalendarFeed,
    OneTimeLink,
    Passkey,
    Password,
    RecoveryCode,
    TotpSecret,
)
from server.storage.sealed import Place, open_sealed, seal

ANONYMOUS = "anonymous"
"""The actor of what someone does who is not signed in (as in `server.api.app`)."""

MAX_NAME = 200
MAX_PHONE = 40


def legal_name(text: str) -> str:
    """A name as it is kept: NFC, without surplus space.

    Raises:
        Refused: ``bad_legal_name``.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise Refused("bad_legal_name", f"Please give a name of 1 to {MAX_NAME} characters.")
    return name


def time_zone(name: str) -> str:
    """An IANA time zone's name.

    Raises:
        Refused: ``bad_time_zone``.
    """
    if name not in available_timezones():
        raise Refused("bad_time_zone", "This time zone is not known here.")
    return name


def phone_number(text: str) -> str:
    """A phone number as it is kept, in whatever way it is written.

    Raises:
        Refused: ``bad_phone``.
    """
    phone = " ".join(text.split())
    if not 1 <= len(phone) <= MAX_PHONE or not phone.isprintable():
        raise Refused("bad_phone", f"A phone number can have up to {MAX_PHONE} characters.")
    return phone


async def open_account(session: AsyncSession, account_id: str, *, lock: bool = False) -> Account:
    """An account that is not closed.

    Args:
        session: of a transaction, if it is to be locked.
        account_id: which.
        lock: whether others that lock it wait until the end of the transaction.

    Raises:
        Refused: ``not_found``.
    """
    query = select(Account).where(Account.id == account_id, Account.closed_at.is_(None))
    account = await session.scalar(query.with_for_update() if lock else query)
    if account is None:
        raise Refused("not_found", "There is no such account.", 404)
    return account


async def holder_of(session: AsyncSession, keyring: KeyRing, email: str) -> Account | None:
    """Whose email this is; the account may be closed."""
    return await session.scalar(
        select(Account).where(Account.email_index.in_(blind_indexes(keyring, email)))
    )


def email_of(keyring: KeyRing, account: Account) -> str | None:
    """Someone's email, for writing to them or showing it to themselves."""
    if account.email is None:
        return None
    return open_sealed(keyring, Place.of(Account.email, account.id), account.email)


def name_of(keyring: KeyRing, account: Account) -> str:
    """Someone's legal name, for judging their password."""
    return open_sealed(keyring, Place.of(Account.legal_name, account.id), account.legal_name)


async def create(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    account_id: str,
    *,
    name: str,
    email: str,
    zone: str | None,
    is_administrator: bool,
    is_facilitator: bool,
) -> Account:
    """Make an account. It can be logged in to when it has factors.

    Args:
        session: of a transaction.
        keyring: seals what is private.
        act: the actor is the account itself.
        account_id: new.
        name: legal name.
        email: as `email_address` gives it.
        zone: IANA time zone, if chosen.
        is_administrator: of this server.
        is_facilitator: whether they may make groups of their own.

    Raises:
        Refused: ``bad_legal_name``, ``bad_time_zone`` or ``email_taken``.
    """
    account = Account(
        id=account_id,
        legal_name=seal(keyring, Place.of(Account.legal_name, account_id), legal_name(name)),
        time_zone=None if zone is None else time_zone(zone),
        is_administrator=is_administrator,
        is_facilitator=is_facilitator,
        created_at=act.now,
    )
    await _give_email(session, keyring, account, email)
    session.add(account)
    await _flush(session)
    on_record(
        session,
        act,
        "account.created",
        account_id,
        None,
        administrator=is_administrator,
        facilitator=is_facilitator,
    )
    return account


async def let_make_groups(
    session: AsyncSession, act: Act, account_id: str, *, is_facilitator: bool
) -> None:
    """Say whether someone may make groups of their own. What they guide already, they keep.

    Raises:
        Refused: ``not_found``.
    """
    account = await open_account(session, account_id, lock=True)
    if account.is_facilitator == is_facilitator:
        return
    account.is_facilitator = is_facilitator
    on_record(session, act, "account.rights_changed", account_id, None, facilitator=is_facilitator)


async def change_profile(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    account_id: str,
    *,
    name: str,
    phone: str | None,
    zone: str | None,
) -> None:
    """Change name, phone number and time zone.

    Raises:
        Refused: ``not_found``, ``bad_legal_name``, ``bad_phone`` or ``bad_time_zone``.
    """
    account = await open_account(session, account_id)
    account.legal_name = seal(keyring, Place.of(Account.legal_name, account_id), legal_name(name))
    account.phone = (
        None
        if phone is None
        else seal(keyring, Place.of(Account.phone, account_id), phone_number(phone))
    )
    account.time_zone = None if zone is None else time_zone(zone)
    on_record(session, act, "account.profile_changed", account_id, None)


async def change_email(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    account_id: str,
    email: str,
    *,
    verified: bool,
) -> None:
    """Change someone's email.

    Raises:
        Refused: ``not_found`` or ``email_taken``.
    """
    account = await open_account(session, account_id, lock=True)
    await _give_email(session, keyring, account, email)
    account.email_verified_at = act.now if verified else None
    await _flush(session)
    on_record(session, act, "account.email_changed", account_id, None, verified=verified)


async def _give_email(
    session: AsyncSession, keyring: KeyRing, account: Account, email: str
) -> None:
    holder = await holder_of(session, keyring, email)
    if holder is not None and holder.id != account.id:
        if holder.closed_at is None:
            raise _taken()
        # Someone comes back: of the closed account the email would soon be erased anyway.
        holder.email = holder.email_index = holder.email_verified_at = None
        await session.flush()
    account.email = seal(keyring, Place.of(Account.email, account.id), email)
    account.email_index = blind_index(keyring, email)


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError:  # someone else came first, at the same moment
        raise _taken() from None


def _taken() -> Refused:
    return Refused(
        "email_taken",
        "This email address cannot be used for a new account. If you have an account already, "
        "please sign in with it.",
        409,
    )


async def close(session: AsyncSession, act: Act, account_id: str) -> None:
    """Close an account: nobody can log in any more, and it leaves its groups.

    Factors and links are deleted at once, other data by retention.

    Raises:
        Refused: ``not_found`` or ``last_administrator``.
    """
    account = await open_account(session, account_id, lock=True)
    if account.is_administrator:
        administrators = await session.scalars(
            select(Account.id)
            .where(Account.is_administrator, Account.closed_at.is_(None))
            .order_by(Account.id)
            .with_for_update()
        )
        if set(administrators) == {account_id}:
            raise Refused(
                "last_administrator",
                "This is the only administrator. Please invite another one first.",
                409,
            )
    account.closed_at = act.now
    for membership, group in await memberships.of_account(session, account_id):
        membership.removed_at = act.now
        action = "member.left" if act.actor == account_id else "member.removed"
        on_record(session, act, action, membership.id, group.id)
    await sessions.revoke_all(session, account_id, act.now)
    for model in (Passkey, Password, TotpSecret, RecoveryCode, OneTimeLink):
        await session.execute(delete(model).where(model.account_id == account_id))
    await session.execute(
        update(CalendarFeed)
        .where(CalendarFeed.account_id == account_id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=act.now)
    )
    on_record(session, act, "account.closed", account_id, None)
