"""Login sessions: a browser that is logged in, until it logs off or nobody uses it any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.signed_in import SignedIn
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id, new_token, token_hash
from server.storage.models import Account, LoginSession

IDLE = timedelta(minutes=15)
"""Automatic logoff, 45 CFR 164.312(a)(2)(iii)."""

LIFETIME = timedelta(hours=12)
"""After this everyone logs in anew (NIST SP 800-63B, 2.2.3; OWASP ASVS 5, 7.3.2)."""

_SEEN_EVERY = timedelta(minutes=1)


def has_ended(
    created_at: datetime, last_seen_at: datetime, now: datetime, *, in_live_session: bool
) -> bool:
    """Whether a login has ended by itself; never in the middle of a live session."""
    if in_live_session:
        return False
    return now - last_seen_at >= IDLE or now - created_at >= LIFETIME


async def start(session: AsyncSession, account_id: str, device_label: str, now: datetime) -> str:
    """Begin a login session; the token is for the cookie. Its proof is fresh."""
    token = new_token()
    session.add(
        LoginSession(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account_id,
            device_label=device_label,
            created_at=now,
            last_seen_at=now,
            stepped_up_at=now,
        )
    )
    await session.flush()
    return token


async def resolve(
    session: AsyncSession,
    token: str,
    now: datetime,
    in_live_session: Callable[[str], bool] | None = None,
) -> SignedIn | None:
    """Whose login this is, if it holds; it is noted as used, at most once a minute.

    Args:
        session: of a transaction.
        token: of the cookie.
        now: the moment, aware UTC.
        in_live_session: whether an account is in a live session now; without it, nobody is.
    """
    found = (
        await session.execute(
            select(LoginSession, Account.is_administrator)
            .join(Account, Account.id == LoginSession.account_id)
            .where(
                LoginSession.token_hash == token_hash(token),
                LoginSession.revoked_at.is_(None),
                Account.closed_at.is_(None),
            )
        )
    ).one_or_none()
    if found is None:
        return None
    login, is_administrator = found
    if has_ended(
        login.created_at,
        login.last_seen_at,
        now,
        in_live_session=in_live_session is not None and in_live_session(login.account_id),
    ):
        return None
    if now - login.last_seen_at >= _SEEN_EVERY:
        login.last_seen_at = now
    return SignedIn(login.account_id, is_administrator, login.id, login.stepped_up_at)


async def seen(storage: Storage, account_id: str, now: datetime) -> None:
    """Note that someone is there; rooms say so each minute of those in a live session.

    Otherwise they would be logged off the moment that their session ends.
    """
    async with storage.transaction() as session:
        await session.execute(
            update(LoginSession)
            .where(
                LoginSession.account_id == account_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.last_seen_at > now - IDLE,
                LoginSession.last_seen_at < now,
            )
            .values(last_seen_at=now)
        )


async def prove_again(session: AsyncSession, session_id: str, now: datetime) -> str:
    """Note a fresh proof. The session gets a new token (OWASP ASVS 5, 7.2.4).

    Raises:
        Refused: ``signed_out``, if it was revoked meanwhile.
    """
    login = await session.get(LoginSession, session_id)
    if login is None or login.revoked_at is not None:
        raise Refused("signed_out", "Please sign in again.", 401)
    token = new_token()
    login.token_hash, login.stepped_up_at = token_hash(token), now
    return token


async def own(session: AsyncSession, account_id: str, now: datetime) -> Sequence[LoginSession]:
    """Someone's logins that hold, the last used first."""
    return (
        await session.scalars(
            select(LoginSession)
            .where(
                LoginSession.account_id == account_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.last_seen_at > now - IDLE,
                LoginSession.created_at > now - LIFETIME,
            )
            .order_by(LoginSession.last_seen_at.desc(), LoginSession.id)
        )
    ).all()


async def revoke(session: AsyncSession, account_id: str, session_id: str, now: datetime) -> None:
    """End one of someone's logins.

    Raises:
        Refused: ``not_found``.
    """
    ended = await session.scalar(
        update(LoginSession)
        .where(
            LoginSession.id == session_id,
            LoginSession.account_id == account_id,
            LoginSession.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(LoginSession.id)
    )
    if ended is None:
        raise Refused("not_found", "This device is not signed in any more.", 404)


async def revoke_all(
    session: AsyncSession, account_id: str, now: datetime, *, but: str | None = None
) -> None:
    """End all of someone's logins, perhaps but for one."""
    await session.execute(
        update(LoginSession)
        .where(
            LoginSession.account_id == account_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.id != (but or ""),
        )
        .values(revoked_at=now)
    )
