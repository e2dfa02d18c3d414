"""What someone can log in to their account with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.refusals import Refused
from server.storage.models import Passkey, Password, RecoveryCode, TotpSecret


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has.

    Args:
        password: whether there is one.
        totp: whether there is an authenticator app.
        passkeys: how many.
        recovery_codes: how many are unused.
    """

    password: bool
    totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def has_second(self) -> bool:
        """Whether there is more than a password; without, it lets nobody in."""
        return self.totp or self.passkeys > 0

    @property
    def can_log_in(self) -> bool:
        return self.passkeys > 0 or (self.password and self.totp)


async def factors_of(session: AsyncSession, account_id: str) -> Factors:
    password, totp, passkeys, codes = (
        await session.execute(
            select(
                exists().where(Password.account_id == account_id),
                exists().where(
                    TotpSecret.account_id == account_id, TotpSecret.confirmed_at.is_not(None)
                ),
                select(func.count())
                .select_from(Passkey)
                .where(Passkey.account_id == account_id)
                .scalar_subquery(),
                select(func.count())
                .select_from(RecoveryCode)
                .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
                .scalar_subquery(),
            )
        )
    ).one()
    return Factors(bool(password), bool(totp), passkeys, codes)


async def keep_a_way_in(session: AsyncSession, account_id: str) -> None:
    """Refuse a removal, already made in this transaction, that would lock someone out.

    Raises:
        Refused: ``last_factor``.
    """
    await session.flush()
    if not (await factors_of(session, account_id)).can_log_in:
        raise Refused(
            "last_factor",
            "You could not sign in any more without this. Please add another way to sign in first.",
            409,
        )
