"""Backups: all tables as of one moment, in one sealed file, the same for both databases.

Within the seal the file is a sequence of msgpack arrays: ``["backup", {schema, created}]``; for
each table ``["table", name, columns]`` and then ``["rows", rows]`` as often as needed; and at the
end ``["end", {table: number of rows}]``. So a backup from SQLite can be restored into PostgreSQL.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgpack
from sqlalchemy import URL, Connection, DateTime, MetaData, Table, insert, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from server.audit.canonical import Json
from server.audit.record import OPERATOR, AuditEvent, append_recorded, record
from server.audit.verify import Verification, verify_within
from server.storage.database import Storage, create_engine
from server.storage.errors import BackupError, KeyRingError, SealError
from server.storage.keyring import KeyRing
from server.storage.migrate import (
    current_revision,
    knows_revision,
    migrate_within,
    migrating,
    newest_revision,
)
from server.storage.models import AuditHead, Base
from server.storage.models.base import UtcDateTime
from server.storage.sealed_file import SealedWriter, read_sealed

MADE = "backup.made"
RESTORED = "backup.restored"

_BATCH = 200


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What is in a backup.

    Args:
        schema: of the database that it was made of.
        created: when it was begun.
        rows: how many, by table.
    """

    schema: str
    created: datetime
    rows: dict[str, int]


async def backup(
    storage: Storage, keyring: KeyRing, target: Path, now: datetime, *, actor: str = OPERATOR
) -> BackupSummary:
    """Write a backup under the current key, while the server runs, and put that on record.

    The file appears under its name when it is whole. It holds the audit as of its beginning, so
    not that it was made.

    Raises:
        BackupError: if the file is there already or cannot be written, or the schema is not this
            program's.
    """
    if await asyncio.to_thread(target.exists):
        raise BackupError(f"The file {target} is there already.")
    draft = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                writer = SealedWriter(file, keyring)
                summary: BackupSummary | None = None
                async for item in _items(storage, now):
                    await asyncio.to_thread(writer.write, msgpack.packb(item, datetime=True))
                    if item[0] == "end":
                        summary = BackupSummary(newest_revision(), now, item[1])
                assert summary is not None
                writer.finish()
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            os.link(draft, target)  # unlike a rename, it replaces nothing
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(f"The backup {target} cannot be written: {error.strerror}.") from None
    async with storage.transaction() as session:
        detail: dict[str, Json] = {"rows": sum(summary.rows.values()), "key": keyring.current.id}
        record(session, AuditEvent(actor=actor, action=MADE, detail=detail))
    return summary


async def _items(storage: Storage, now: datetime) -> AsyncIterator[list[Any]]:
    counts = {}
    async with storage.snapshot() as session:
        connection = await session.connection()
        schema = await connection.run_sync(current_revision)
        if schema != newest_revision():
            raise BackupError(
                "The database has not the schema of this program; start the server once before."
            )
        yield ["backup", {"schema": schema, "created": now}]
        for table in Base.metadata.sorted_tables:
            yield ["table", table.name, [column.name for column in table.columns]]
            counts[table.name] = 0
            stream = await session.stream(select(table).execution_options(yield_per=_BATCH))
            async for rows in stream.partitions():
                yield ["rows", [list(row) for row in rows]]
                counts[table.name] += len(rows)
    yield ["end", counts]


async def restore(
    location: URL, keyring: KeyRing, source: Path, *, actor: str = OPERATOR
) -> BackupSummary:
    """Fill an empty database from a backup, and put that on record in it.

    All is one transaction, committed only when the whole file has been verified, all rows are
    there, and the audit in it is whole. An older backup is brought up to date. Afterwards the
    audit's anchor, which knows of later events, has to be replaced (`Anchor.replace`).

    Args:
        location: an empty database; see `server.storage.database.database_location`.
        keyring: has the key that the backup is under.
        source: the file.
        actor: who restores.

    Raises:
        BackupError: if the database is not empty, or the backup cannot be read or is not whole.
        StorageError: if the database cannot be reached or does not take the rows.
    """
    engine = create_engine(location)
    try:
        with source.open("rb") as file:
            async with migrating(engine) as connection:
                if await connection.run_sync(_has_tables):
                    raise BackupError("A backup can be restored into an empty database only.")
                summary = await _fill(connection, _unpacked(read_sealed(file, keyring)))
                await connection.run_sync(migrate_within)
                async with AsyncSession(
                    connection, join_transaction_mode="rollback_only"
                ) as session:
                    await _check_audit(session)
                    rows = sum(summary.rows.values())
                    event = AuditEvent(actor=actor, action=RESTORED, detail={"rows": rows})
                    record(session, event)
                    await session.run_sync(append_recorded)
            return summary
    except OSError as error:
        raise BackupError(f"The backup {source} cannot be read: {error.strerror}.") from None
    except (KeyRingError, SealError) as error:
        raise BackupError(f"The backup {source} cannot be read. {error}") from None
    finally:
        await engine.dispose()


def _has_tables(connection: Connection) -> bool:
    return bool(inspect(connection).get_table_names())


async def _check_audit(session: AsyncSession) -> None:
    result = Verification()
    await verify_within(session, result)
    if not result.ok:
        raise BackupError(f"The audit in the backup is not whole. {result.findings[0].text}")


def _unpacked(chunks: Iterator[bytes]) -> Iterator[list[Any]]:
    unpacker = msgpack.Unpacker(timestamp=3)  # moments as datetime in UTC
    for chunk in chunks:
        unpacker.feed(chunk)
        yield from unpacker


async def _fill(connection: AsyncConnection, items: Iterator[list[Any]]) -> BackupSummary:
    """Make the tables that the backup was made of, and insert its rows."""
    first = await asyncio.to_thread(next, items, None)
    if first is None or first[0] != "backup":
        raise BackupError("This sealed file is not a backup.")
    schema: str = first[1]["schema"]
    if not await asyncio.to_thread(knows_revision, schema):
        raise BackupError("The backup was made by a newer Holdspace; please restore it with that.")
    await connection.run_sync(migrate_within, schema)
    tables = await connection.run_sync(_tables)
    counts: dict[str, int] = {}
    table: Table | None = None
    columns: Sequence[str] = ()
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        match item:
            case ["table", name, columns]:
                table = tables.get(name)
                if table is None or {column.name for column in table.columns} != set(columns):
                    raise BackupError(f"The table {name} in the backup does not fit its schema.")
                counts[name] = 0
            case ["rows", rows] if table is not None:
                values = [dict(zip(columns, row, strict=True)) for row in rows]
                counts[table.name] += len(values)
                if table.name == AuditHead.__tablename__:  # which is there from the start
                    await connection.execute(update(table).values(values[0]))
                else:
                    await connection.execute(insert(table), values)
            case ["end", expected]:
                if counts != expected or await asyncio.to_thread(next, items, None) is not None:
                    raise BackupError("The backup does not have the rows that it should have.")
                return BackupSummary(schema, first[1]["created"], counts)
            case _:
                break
    raise BackupError("The backup is not whole.")


def _tables(connection: Connection) -> dict[str, Table]:
    """The tables as the database has them, which may be older than the models."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, DateTime):
                column.type = UtcDateTime()
    return dict(metadata.tables)
