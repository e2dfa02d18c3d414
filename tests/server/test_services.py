from __future__ import annotations

import asyncio
from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import select

from server.api.app import utc_now
from server.settings import Settings
from server.storage.database import open_storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing, parse_keyring
from server.storage.models import BreakGlassGrant
from server.storage.sealed import Place, seal
from tests.conftest import Start
from tests.storage import rows


def ended(keyring: KeyRing, account_id: str, group_id: str, days: int) -> BreakGlassGrant:
    """Emergency access that ended so many days ago."""
    row, then = new_id(), utc_now() - timedelta(days=days)
    return BreakGlassGrant(
        id=row,
        account_id=account_id,
        group_id=group_id,
        reason=seal(keyring, Place.of(BreakGlassGrant.reason, row), "They do not answer."),
        granted_at=then,
        expires_at=then,
    )


async def test_what_is_older_than_the_operators_periods_is_deleted(
    settings: Settings, start: Start
) -> None:
    assert isinstance(settings.keyring, SecretStr)
    keyring = parse_keyring(settings.keyring.get_secret_value())
    account, group = rows.account(keyring), rows.group()
    async with open_storage(None, settings.data_dir) as storage:
        grants = [ended(keyring, account.id, group.id, days) for days in (9, 11)]
        await rows.add(storage, account, group, *grants)

        async def kept() -> set[str]:
            async with storage.snapshot() as session:
                return set((await session.scalars(select(BreakGlassGrant.id))).all())

        async with start(retention_break_glass_days=10), asyncio.timeout(30):
            while len(await kept()) == 2:
                await asyncio.sleep(0.05)
        assert await kept() == {grants[0].id}
