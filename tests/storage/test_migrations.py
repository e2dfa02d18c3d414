"""Data of earlier schemas, brought up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.groups.groups import GroupSettings, settings_of
from server.storage.backup import _tables, restore
from server.storage.database import Storage, create_engine, database_location, open_storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.migrate import migrate
from server.storage.models import (
    Account,
    AuditHead,
    Group,
    Invitation,
    Membership,
    ServerSetting,
)
from server.storage.sealed_file import SealedWriter
from tests.storage.conftest import Databases
from tests.storage.rows import NOW

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

ADA, EVENING, MORNING, EARLY = new_id(), new_id(), new_id(), new_id()


def old_group(row: str, name: str) -> dict[str, Any]:
    return {
        "id": row,
        "name": name,
        "formats": "circle,open",
        "capacity": 8,
        "guests_allowed": True,
        "opens_without_facilitator": False,
        "substance_use": True,
        "created_at": NOW,
    }


def old_setting(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": value, "changed_by": ADA, "changed_at": NOW}


OF_0001: Rows = {
    "accounts": [
        {"id": ADA, "legal_name": b"sealed", "is_administrator": True, "created_at": NOW},
    ],
    "groups": [
        old_group(EVENING, "Evening"),
        old_group(MORNING, "Morning"),
        old_group(EARLY, "Before any of this"),
    ],
    "memberships": [
        {
            "id": new_id(),
            "account_id": ADA,
            "group_id": EVENING,
            "role": "facilitator",
            "display_name": "Ada",
            "created_at": NOW,
        }
    ],
    "invitations": [
        {
            "id": new_id(),
            "token_hash": b"hash",
            "group_id": EVENING,
            "role": "participant",
            "is_administrator": False,
            "created_by": ADA,
            "created_at": NOW,
            "expires_at": NOW,
        }
    ],
    "server_settings": [
        old_setting(
            f"group.{EVENING}",
            '{"purpose":"Grief, ☺","time_zone":"Europe/Berlin","make_ups_allowed":true}',
        ),
        old_setting(
            f"group.{MORNING}", '{"purpose":"","time_zone":"UTC","make_ups_allowed":false}'
        ),
        old_setting(f"group.{new_id()}", '{"purpose":"It is no more","time_zone":"UTC"}'),
        old_setting("clinic_name", '"The practice"'),
    ],
}
"""What is in a database of the schema 0001."""


@asynccontextmanager
async def of_0001(url: str, folder: Path) -> AsyncIterator[tuple[AsyncEngine, dict[str, Table]]]:
    """A database of the schema 0001 with its rows, and its tables."""
    engine = create_engine(database_location(url, folder))
    try:
        await migrate(engine, "0001")
        async with engine.begin() as connection:
            tables = await connection.run_sync(_tables)
            for name, values in OF_0001.items():
                await connection.execute(insert(tables[name]), [*values])
        yield engine, tables
    finally:
        await engine.dispose()


async def holds_what_was_there(storage: Storage) -> None:
    async with storage.snapshot() as session:
        groups = {group.id: settings_of(group) for group in await session.scalars(select(Group))}
        settings = (await session.scalars(select(ServerSetting.key))).all()
        ada = await session.get_one(Account, ADA)
        invitation = (await session.scalars(select(Invitation))).one()
        member = (await session.scalars(select(Membership))).one()
    kept = GroupSettings(
        name="Before any of this",
        formats=("circle", "open"),
        capacity=8,
        guests_allowed=True,
        substance_use=True,
    )
    assert groups == {
        EVENING: GroupSettings(
            name="Evening",
            purpose="Grief, ☺",
            formats=kept.formats,
            capacity=8,
            guests_allowed=True,
            substance_use=True,
            make_ups_allowed=True,
            time_zone="Europe/Berlin",
        ),
        MORNING: GroupSettings(
            name="Morning",
            formats=kept.formats,
            capacity=8,
            guests_allowed=True,
            substance_use=True,
        ),
        EARLY: kept,
    }
    assert settings == ["clinic_name"]
    assert (ada.is_administrator, ada.is_facilitator) == (True, False)
    assert (invitation.role, invitation.is_facilitator, invitation.created_by) == (
        "participant",
        False,
        ADA,
    )
    assert (member.account_id, member.group_id) == (ADA, EVENING)


async def refuses(storage: Storage, statement: str) -> None:
    with pytest.raises(IntegrityError):
        async with storage.transaction() as session:
            await session.execute(text(statement))


async def test_what_a_group_is_moves_into_its_row(database_url: str, tmp_path: Path) -> None:
    async with of_0001(database_url, tmp_path):
        pass
    for _ in range(2):  # the second time there is nothing left to do
        async with open_storage(database_url, tmp_path) as storage:
            await holds_what_was_there(storage)
            # The rules of the tables that were changed still hold.
            await refuses(storage, "UPDATE groups SET capacity = 99")
            await refuses(storage, "UPDATE groups SET time_zone = NULL")
            await refuses(storage, "UPDATE accounts SET email_index = 'x'")
            await refuses(storage, "UPDATE invitations SET role = 'guest'")
            await refuses(storage, "UPDATE invitations SET role = NULL")


@pytest.mark.parametrize("other", ["sqlite", "postgresql"])
async def test_a_backup_of_an_earlier_schema_is_brought_up_to_date(
    database_url: str, databases: Databases, keyring: KeyRing, tmp_path: Path, other: str
) -> None:
    async with of_0001(database_url, tmp_path) as (engine, tables):
        with (tmp_path / "backup").open("wb") as file:
            writer = SealedWriter(file, keyring)

            def write(*item: Any) -> None:
                writer.write(msgpack.packb(item, datetime=True))

            write("backup", {"schema": "0001", "created": NOW})
            counts = {}
            async with engine.connect() as connection:
                order = [*OF_0001, AuditHead.__tablename__]
                for table in (tables[name] for name in order):
                    write("table", table.name, [column.name for column in table.columns])
                    rows = [list(row) for row in await connection.execute(select(table))]
                    write("rows", rows)
                    counts[table.name] = len(rows)
            write("end", counts)
            writer.finish()
    url = databases.new(other)
    await restore(database_location(url, tmp_path), keyring, tmp_path / "backup")
    async with open_storage(url, tmp_path) as storage:
        await holds_what_was_there(storage)
        async with storage.snapshot() as session:
            assert await session.scalar(select(func.count()).select_from(ServerSetting)) == 1
