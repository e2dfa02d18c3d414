"""Recovery codes: for whoever has lost their authenticator app or passkeys.

A code has 120 random bits, so that its plain hash is enough (OWASP ASVS 5, 6.5.2).
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.storage.ids import new_id, token_hash
from server.storage.models import RecoveryCode

COUNT = 10

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: no i, l, o or u, which are taken for others."""

_LETTERS_READ_WRONG = str.maketrans("ilo", "110")
_CHARS = 24
_GROUP = 4


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CHARS))
    return "-".join(letters[start : start + _GROUP] for start in range(0, _CHARS, _GROUP))


def _hash(code: str) -> bytes:
    read = "".join(char for char in code.lower() if char.isalnum())
    return token_hash(read.translate(_LETTERS_READ_WRONG))


async def replace(session: AsyncSession, account_id: str, now: datetime) -> list[str]:
    """New codes, in place of all older ones; to be shown once."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    codes = [_new_code() for _ in range(COUNT)]
    for code in codes:
        session.add(
            RecoveryCode(id=new_id(), account_id=account_id, code_hash=_hash(code), created_at=now)
        )
    await session.flush()
    return codes


async def take(session: AsyncSession, account_id: str, code: str, now: datetime) -> bool:
    """Whether this is an unused code; then it is used."""
    used = await session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.code_hash == _hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )
    return used is not None
