"""Codes of authenticator apps: TOTP with SHA-1, 30 s and six digits (RFC 6238), as all apps do."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime

import pyotp
from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import TotpSecret
from server.storage.sealed import Place, open_sealed, seal

STEP_S = 30
ISSUER = "Holdspace"

_TOLERANCE = 1
"""Steps by which a clock may be off (RFC 6238, 5.2)."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret that counts from when its first code is given.

    Args:
        account_id: whose it will be.
        secret: base32.
    """

    account_id: str
    secret: str = field(repr=False)


def new_enrolment(account_id: str) -> Enrolment:
    return Enrolment(account_id, pyotp.random_base32())


def provisioning_uri(secret: str, label: str) -> str:
    """The ``otpauth:`` URI to be shown as a QR code; the label tells entries of an app apart."""
    return pyotp.TOTP(secret).provisioning_uri(name=label, issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step that a code is of, if it is the present one or one beside it."""
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_S
    found = None
    given = code.encode()
    for step in range(present - _TOLERANCE, present + _TOLERANCE + 1):  # all, whichever matches
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found


async def enrol(
    session: AsyncSession, keyring: KeyRing, enrolment: Enrolment, code: str, now: datetime
) -> bool:
    """Let a secret count, in place of an older one, if this is a code of it."""
    step = matching_step(enrolment.secret, code, now)
    if step is None:
        return False
    await remove(session, enrolment.account_id)
    row_id = new_id()
    session.add(
        TotpSecret(
            id=row_id,
            account_id=enrolment.account_id,
            secret=seal(keyring, Place.of(TotpSecret.secret, row_id), enrolment.secret),
            last_step=step,
            created_at=now,
            confirmed_at=now,
        )
    )
    await session.flush()
    return True


async def take(
    session: AsyncSession, keyring: KeyRing, account_id: str, code: str, now: datetime
) -> bool:
    """Whether a code is right and was not taken before; then it is taken.

    A code of a step before the last one taken is not taken either.
    """
    row = await session.scalar(
        select(TotpSecret).where(
            TotpSecret.account_id == account_id, TotpSecret.confirmed_at.is_not(None)
        )
    )
    if row is None:
        return False
    secret = open_sealed(keyring, Place.of(TotpSecret.secret, row.id), row.secret)
    step = matching_step(secret, code, now)
    if step is None:
        return False
    taken = await session.scalar(
        update(TotpSecret)
        .where(
            TotpSecret.id == row.id,
            or_(TotpSecret.last_step.is_(None), TotpSecret.last_step < step),
        )
        .values(last_step=step)
        .returning(TotpSecret.id)
        .execution_options(synchronize_session=False)
    )
    return taken is not None


async def remove(session: AsyncSession, account_id: str) -> None:
    await session.execute(delete(TotpSecret).where(TotpSecret.account_id == account_id))
