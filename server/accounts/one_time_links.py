"""Links that work once: to verify an email, or to set a new password."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.refusals import Refused
from server.storage.errors import KeyRingError, SealError
from server.storage.ids import new_id, new_token, token_hash
from server.storage.keyring import KeyRing
from server.storage.models import LinkPurpose, OneTimeLink
from server.storage.sealed import Place, SealedValue, open_sealed, seal

LIFETIMES: dict[LinkPurpose, timedelta] = {
    "reset_password": timedelta(minutes=30),
    "verify_email": timedelta(hours=24),
}

MAX_TOKEN_CHARS = 1024


def _place(row_id: str) -> Place:
    return Place(OneTimeLink.__tablename__, "token", row_id)


async def make(
    session: AsyncSession,
    account_id: str,
    purpose: LinkPurpose,
    now: datetime,
    *,
    new_email: tuple[KeyRing, str] | None = None,
) -> str:
    """Make the token of a link; earlier ones for the same purpose end.

    Args:
        session: of a transaction.
        account_id: whose it is.
        purpose: what it is for.
        now: the moment, aware UTC.
        new_email: an email that becomes the account's with this link. It stands sealed in the
            token itself: until its owner has opened the link, it is nowhere in the database.
    """
    await session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.account_id == account_id,
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
        )
        .values(used_at=now)
    )
    row_id, token = new_id(), new_token()
    if new_email is not None:
        keyring, email = new_email
        sealed = seal(keyring, _place(row_id), email)
        token += "." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    session.add(
        OneTimeLink(
            id=row_id,
            token_hash=token_hash(token),
            account_id=account_id,
            purpose=purpose,
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
        )
    )
    await session.flush()
    return token


async def peek(session: AsyncSession, token: str, purpose: LinkPurpose, now: datetime) -> str:
    """Whose link this is, without using it up.

    Raises:
        Refused: ``link_ended``.
    """
    account_id = await session.scalar(
        select(OneTimeLink.account_id).where(
            OneTimeLink.token_hash == token_hash(token),
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now,
        )
    )
    if account_id is None:
        raise link_ended()
    return account_id


async def take(
    session: AsyncSession, token: str, purpose: LinkPurpose, now: datetime
) -> OneTimeLink:
    """Use a link up.

    Raises:
        Refused: ``link_ended``, if it was used, has expired, or is none.
    """
    link: OneTimeLink | None = await session.scalar(
        update(OneTimeLink)
        .where(
            OneTimeLink.token_hash == token_hash(token),
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now,
        )
        .values(used_at=now)
        .returning(OneTimeLink)
    )
    if link is None:
        raise link_ended()
    return link


def new_email_in(token: str, link: OneTimeLink, keyring: KeyRing) -> str | None:
    """The email that a link was made for, if it is not the account's own.

    Raises:
        Refused: ``link_ended``, if its key is gone.
    """
    _, dot, encoded = token.partition(".")
    if not dot:
        return None
    try:
        sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return open_sealed(keyring, _place(link.id), SealedValue(sealed))
    except (binascii.Error, ValueError, KeyRingError, SealError):
        raise link_ended() from None


def link_ended() -> Refused:
    return Refused(
        "link_ended",
        "This link does not work any more. Links work once and for a limited time; please ask for "
        "a new one.",
        410,
    )
