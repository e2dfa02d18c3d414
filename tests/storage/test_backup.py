from __future__ import annotations

import asyncio
import stat
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from server.audit.anchor import Anchor
from server.audit.export import latest
from server.audit.prune import prune
from server.audit.verify import verify
from server.storage import sealed_file
from server.storage.backup import MADE, RESTORED, backup, restore
from server.storage.database import Storage, database_location, open_storage
from server.storage.errors import BackupError, SealError
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from server.storage.models import Base, ServerSetting
from server.storage.sealed_file import SealedWriter, read_sealed
from tests.storage.conftest import Databases
from tests.storage.rows import NOW, account, add, confirmation, document, event, group

RING = parse_keyring(generate_key_line())


async def contents(storage: Storage) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    found = {}
    async with storage.snapshot() as session:
        for table in Base.metadata.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in await session.execute(query)]
    return found


@pytest.mark.parametrize("other", ["sqlite", "postgresql"])
async def test_what_was_backed_up_comes_back_on_either_database(
    storage: Storage, keyring: KeyRing, databases: Databases, tmp_path: Path, other: str
) -> None:
    person, circle = account(keyring, "ada@example.org"), group("Kreis ü ☺")
    rows = [person, circle, confirmation(keyring, person, circle.id), document(circle.id)]
    await add(storage, *rows, events=[event(time=NOW, detail={"n": n}) for n in range(450)])
    await prune(storage, NOW, NOW)
    before = await contents(storage)
    made = await backup(storage, keyring, tmp_path / "backup", NOW)
    assert made.rows == {name: len(found) for name, found in before.items()}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    assert [row.action for row in await latest(storage, limit=1)] == [MADE]

    url = databases.new(other)
    restored = await restore(database_location(url, tmp_path), keyring, tmp_path / "backup")
    assert restored == made
    async with open_storage(url, tmp_path) as copy:
        result = await verify(copy)
        assert (result.ok, result.events) == (True, 451)
        after = await contents(copy)
        assert [row.action for row in await latest(copy, limit=1)] == [RESTORED]
        assert after["audit_events"].pop()[3] == RESTORED
        del before["audit_head"], after["audit_head"]
        assert after == before
        with pytest.raises(Exception, match="audit events"):  # its guards are there, too
            await execute(copy, "DELETE FROM audit_events")
        await Anchor(tmp_path / "anchor", keyring).replace(copy)


async def execute(storage: Storage, statement: str) -> None:
    async with storage.transaction() as session:
        await session.execute(text(statement))


async def test_a_backup_under_load_is_of_one_moment(
    storage: Storage, kind: str, keyring: KeyRing, databases: Databases, tmp_path: Path
) -> None:
    acknowledged = 0
    stopping = False

    async def write(writer: int) -> None:
        nonlocal acknowledged
        number = 0
        while not stopping:
            pair = [setting(f"{half}.{writer}.{number}") for half in ("a", "z")]
            await add(storage, *pair, events=[event(subject=f"{writer}.{number}")])
            acknowledged += 1
            number += 1

    async with asyncio.timeout(60):
        writing = [asyncio.create_task(write(writer)) for writer in range(3)]
        try:
            while acknowledged < 100:
                await asyncio.sleep(0.01)
            before = acknowledged
            await backup(storage, keyring, tmp_path / "backup", NOW)
            after = acknowledged
        finally:
            stopping = True
            await asyncio.gather(*writing)
    assert after > before

    url = databases.new(kind)
    await restore(database_location(url, tmp_path), keyring, tmp_path / "backup")
    async with open_storage(url, tmp_path) as copy:
        assert (await verify(copy)).ok
        async with copy.snapshot() as session:
            keys = set(await session.scalars(select(ServerSetting.key)))
        events = {row.subject for row in await latest(copy, limit=10_000)} - {None}
    first, second = ({key[2:] for key in keys if key[0] == half} for half in ("a", "z"))
    assert first == second == events
    # Of each writer all up to some number, and what was acknowledged before is there.
    assert before <= len(first)
    for writer in range(3):
        numbers = {int(key.partition(".")[2]) for key in first if key.startswith(f"{writer}.")}
        assert numbers == set(range(len(numbers)))


def setting(key: str) -> ServerSetting:
    return ServerSetting(key=key, value="1", changed_at=NOW)


async def test_only_an_empty_database_is_filled(
    storage: Storage, database_url: str, keyring: KeyRing, tmp_path: Path
) -> None:
    await backup(storage, keyring, tmp_path / "backup", NOW)
    with pytest.raises(BackupError, match="into an empty database only"):
        await restore(database_location(database_url, tmp_path), keyring, tmp_path / "backup")


async def test_a_backup_that_is_not_whole_leaves_nothing(
    storage: Storage, kind: str, keyring: KeyRing, databases: Databases, tmp_path: Path
) -> None:
    await add(storage, *(account(keyring) for _ in range(300)), events=[event()])
    whole = tmp_path / "backup"
    await backup(storage, keyring, whole, NOW)
    content = whole.read_bytes()
    for name, changed in {
        "cut": content[:-40],
        "altered": content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
        "longer": content + b"\0",
        "other": b"something else",
        "empty": b"",
    }.items():
        (tmp_path / name).write_bytes(changed)
    url = databases.new(kind)
    location = database_location(url, tmp_path)
    for name in ("cut", "altered", "longer", "other", "empty", "missing"):
        with pytest.raises(BackupError, match="cannot be read"):
            await restore(location, keyring, tmp_path / name)
    with pytest.raises(BackupError, match="The key ring has no key"):
        await restore(location, RING, whole)
    await restore(location, keyring, whole)  # which shows that it is still empty


async def test_a_changed_audit_is_not_restored(
    storage: Storage, kind: str, keyring: KeyRing, databases: Databases, tmp_path: Path
) -> None:
    await add(storage, events=[event(), event()])
    guard = "audit_events_guard ON audit_events" if kind == "postgresql" else None
    await execute(storage, f"DROP TRIGGER {guard or 'audit_events_no_update'}")
    await execute(storage, "UPDATE audit_events SET actor = 'nobody' WHERE sequence = 1")
    await backup(storage, keyring, tmp_path / "backup", NOW)
    location = database_location(databases.new(kind), tmp_path)
    for _ in range(2):  # the second time it is still empty
        with pytest.raises(BackupError, match="Event 1 was changed"):
            await restore(location, keyring, tmp_path / "backup")


async def test_a_backup_replaces_no_file_and_leaves_no_half(
    storage: Storage, keyring: KeyRing, tmp_path: Path
) -> None:
    target = tmp_path / "folder" / "backup"
    with pytest.raises(BackupError, match="cannot be written"):
        await backup(storage, keyring, target, NOW)
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(BackupError, match="is there already"):
        await backup(storage, keyring, target, NOW)
    target.unlink()
    await execute(storage, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(BackupError, match="has not the schema"):
        await backup(storage, keyring, target, NOW)
    assert list(target.parent.iterdir()) == []


async def test_a_backup_from_a_newer_program_is_refused(
    storage: Storage,
    kind: str,
    keyring: KeyRing,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await execute(storage, "UPDATE alembic_version SET version_num = '9999'")
    monkeypatch.setattr("server.storage.backup.newest_revision", lambda: "9999")
    await backup(storage, keyring, tmp_path / "backup", NOW)
    location = database_location(databases.new(kind), tmp_path)
    with pytest.raises(BackupError, match="made by a newer Holdspace"):
        await restore(location, keyring, tmp_path / "backup")


def sealed(data: bytes) -> bytes:
    file = BytesIO()
    writer = SealedWriter(file, RING)
    writer.write(data)
    writer.finish()
    return file.getvalue()


@pytest.fixture(scope="module")
def small_chunks() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed_file, "_CHUNK_BYTES", 16)
        yield


@pytest.mark.usefixtures("small_chunks")
@given(st.binary(max_size=100))
def test_a_sealed_file_opens(data: bytes) -> None:
    assert b"".join(read_sealed(BytesIO(sealed(data)), RING)) == data


@pytest.mark.usefixtures("small_chunks")
@settings(max_examples=300)
@given(st.data())
def test_chunks_cannot_be_changed(data: st.DataObject) -> None:
    whole = sealed(bytes(range(60)))
    start = len(whole) - (3 * (4 + 16 + 16) + (4 + 12 + 16))
    chunks = [whole[at : at + 36] for at in range(start, len(whole), 36)]
    picked = data.draw(st.lists(st.sampled_from(range(4)), max_size=5))
    if picked == [0, 1, 2, 3]:
        return
    changed = whole[:start] + b"".join(chunks[number] for number in picked)
    with pytest.raises(SealError):
        list(read_sealed(BytesIO(changed), RING))
