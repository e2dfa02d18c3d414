from __future__ import annotations

import asyncio
import random
import sqlite3
import stat
import traceback
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from server.audit.verify import verify
from server.storage import database
from server.storage.database import FILE_NAME, Storage, database_location, open_storage
from server.storage.errors import StorageBusy, StorageError
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.migrate import current_revision, migrate, newest_revision
from server.storage.models import Account, Base, Group, Membership, ServerSetting
from tests.storage.rows import NOW, account, add, document, event, group


async def test_migrations_make_what_the_models_say(storage: Storage) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with storage.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(current_revision) == newest_revision()


async def test_starting_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        async with open_storage(database_url, tmp_path) as storage:
            await add(storage, group())
    async with open_storage(database_url, tmp_path) as storage, storage.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(Group)) == 2


async def test_several_can_start_at_once(database_url: str, tmp_path: Path) -> None:
    async def start() -> None:
        async with open_storage(database_url, tmp_path) as storage:
            await add(storage, group())

    await asyncio.wait_for(asyncio.gather(*(start() for _ in range(6))), 60)
    async with open_storage(database_url, tmp_path) as storage, storage.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(Group)) == 6


async def test_a_newer_schema_is_refused(storage: Storage) -> None:
    async with storage.transaction() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"^The database was written by a newer Holdspace \(.*9"):
        await migrate(storage.engine)


async def test_sqlite_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    async with open_storage(None, tmp_path) as storage, storage.transaction() as session:
        found = {
            name: await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


async def test_the_sqlite_files_are_their_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    async with open_storage(None, folder) as storage:
        await add(storage, group())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {FILE_NAME + end: 0o600 for end in ("", "-wal", "-shm")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_moments_come_back_in_utc(storage: Storage) -> None:
    circle = group()
    await add(storage, circle)
    async with storage.snapshot() as session:
        found = (await session.scalars(select(Group))).one()
        assert (found.created_at, found.created_at.utcoffset()) == (NOW, NOW.utcoffset())
        assert (await session.scalars(select(Group).where(Group.created_at <= NOW))).one()
    with pytest.raises(StatementError, match="a moment needs a time zone"):
        await add(storage, ServerSetting(key="k", value="1", changed_at=NOW.replace(tzinfo=None)))


async def test_what_fails_is_undone_whole(storage: Storage) -> None:
    with pytest.raises(IntegrityError):
        await add(storage, group(), document("nogroup"))
    async with storage.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(Group)) == 0


async def test_a_snapshot_sees_one_moment(storage: Storage) -> None:
    async with storage.snapshot() as session:
        count = select(func.count()).select_from(Group)
        assert await session.scalar(count) == 0
        await add(storage, group())
        assert await session.scalar(count) == 0


async def test_a_write_does_not_wait_for_ever(
    storage: Storage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "sqlite":
        monkeypatch.setattr(database, "LOCK_WAIT_S", 0.2)
    circle = group()
    await add(storage, circle)

    async def rename() -> None:
        async with storage.transaction() as session:
            await session.execute(text("SET LOCAL lock_timeout = '200ms'"))
            (await session.get_one(Group, circle.id)).name = "Two"

    async with storage.transaction() as session:
        (await session.get_one(Group, circle.id)).name = "One"
        await session.flush()
        with pytest.raises((StorageBusy, DBAPIError)):
            await rename()


async def test_nobody_is_in_a_group_twice_at_a_time(storage: Storage, keyring: KeyRing) -> None:
    person, circle = account(keyring), group()

    def membership(**values: object) -> Membership:
        return Membership(
            id=new_id(),
            account_id=person.id,
            group_id=circle.id,
            role="participant",
            display_name="A.",
            created_at=NOW,
            **values,
        )

    await add(storage, person, circle, membership(removed_at=NOW), membership())
    await add(storage, membership(removed_at=NOW))
    with pytest.raises(IntegrityError):
        await add(storage, membership())


@pytest.mark.parametrize("of_group", [True, False])
async def test_versions_of_a_document_are_told_apart(storage: Storage, of_group: bool) -> None:
    circle = group()
    group_id = circle.id if of_group else None
    await add(storage, circle, document(group_id), document(group_id, 2))
    with pytest.raises(IntegrityError):
        await add(storage, document(group_id, 2))


async def test_references_hold_and_errors_show_no_values(
    storage: Storage, keyring: KeyRing
) -> None:
    with pytest.raises(IntegrityError) as refusal:
        await add(storage, document("nogroup", 1))
    assert "Be kind." not in str(refusal.value)
    private = group("Private name")
    private.capacity = 99
    with pytest.raises(IntegrityError, match="capacity") as refusal:
        await add(storage, private)
    assert "Private name" not in "".join(traceback.format_exception(refusal.value))
    await add(storage, account(keyring, "ada@example.org"))
    with pytest.raises(IntegrityError):
        await add(storage, account(keyring, "ADA@example.org"))
    async with storage.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user:hunter2@host/db", "neither postgresql:// nor sqlite://"),
        ("hunter2", "is not a URL"),
        ("sqlite://", "names no file"),
    ],
)
def test_other_addresses_are_refused_without_being_repeated(url: str, sentence: str) -> None:
    with pytest.raises(StorageError, match=sentence) as refusal:
        database_location(url, Path())
    assert "hunter2" not in str(refusal.value)


def test_the_ways_to_write_an_address() -> None:
    assert database_location(None, Path("data")).database == "data/holdspace.sqlite3"
    url = database_location("postgres://u:p@host:5433/db?sslmode=verify-full", Path())
    assert url.drivername == "postgresql+asyncpg"
    assert dict(url.query) == {"ssl": "verify-full"}


async def test_a_database_that_cannot_be_reached_is_said_so(tmp_path: Path) -> None:
    for url in (
        f"postgresql://holdspace:hunter2@/db?host={tmp_path}",
        f"sqlite:///{tmp_path}",
    ):
        with pytest.raises(StorageError, match="cannot be opened") as refusal:
            async with open_storage(url, tmp_path):
                pass
        assert "hunter2" not in str(refusal.value)


async def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "holdspace.sqlite3").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match="cannot be opened or set up"):
        async with open_storage(None, tmp_path):
            pass


async def test_another_program_can_hold_the_sqlite_file_for_a_while(tmp_path: Path) -> None:
    async with open_storage(None, tmp_path) as storage:
        other = sqlite3.connect(tmp_path / "holdspace.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(add(storage, group()))
        await asyncio.sleep(0.3)
        assert not writing.done()
        other.execute("ROLLBACK")
        other.close()
        await asyncio.wait_for(writing, 10)


async def test_writes_can_be_cancelled_at_any_time(storage: Storage) -> None:
    """As happens when a browser goes away: others go on, and the audit stays whole."""
    chance = random.Random(5)
    done = 0

    async def write() -> None:
        nonlocal done
        await add(storage, group(), events=[event()])
        done += 1

    async with asyncio.timeout(60):
        for _ in range(25):
            tasks = [asyncio.create_task(write()) for _ in range(4)]
            await asyncio.sleep(chance.random() * 0.02)
            for task in tasks[:3]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert tasks[3].exception() is None
    result = await verify(storage)
    assert result.ok
    async with storage.snapshot() as session:
        kept = (await session.scalars(select(func.count()).select_from(Group))).one()
    assert done <= result.events == kept <= 100


async def test_processes_that_read_and_then_write_take_turns(
    storage: Storage, database_url: str, tmp_path: Path
) -> None:
    await add(storage, ServerSetting(key="count", value="0", changed_at=NOW))

    async def count_up(of: Storage) -> None:
        for _ in range(15):
            async with of.transaction() as session:
                setting = await session.get_one(ServerSetting, "count", with_for_update=True)
                await asyncio.sleep(0)
                setting.value = str(int(setting.value) + 1)

    async with asyncio.timeout(60), open_storage(database_url, tmp_path) as other:
        await asyncio.gather(*(count_up(of) for of in (storage, other, storage, other)))
    async with storage.snapshot() as session:
        assert (await session.get_one(ServerSetting, "count")).value == "60"
