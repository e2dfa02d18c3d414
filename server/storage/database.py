"""The database: SQLite in the data folder, or PostgreSQL by its URL, with one face for both.

What a `Storage.transaction` has committed survives the end of this process and of the machine:
SQLite syncs its write-ahead log at each commit, and PostgreSQL is asked to do the same.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from server.audit.record import append_recorded
from server.storage.errors import StorageBusy, StorageError
from server.storage.migrate import migrate

FILE_NAME = "holdspace.sqlite3"

LOCK_WAIT_S = 10
"""For how long a write waits for others before it is given up."""

_COMMAND_WAIT_S = 60
_CONNECT_WAIT_S = 10
_READ_ONLY = "holdspace_read_only"


class Storage:
    """An open database. Make it with `open_storage`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        snapshots = (
            engine.execution_options(**{_READ_ONLY: True})
            if self._is_sqlite
            else engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        )
        self._snapshots = async_sessionmaker(snapshots, expire_on_commit=False, autoflush=False)
        # SQLite has one writer at a time. Waiting here is in order of arrival; its own waiting is
        # by trying again and again, where some would never get their turn.
        self._writing = asyncio.Lock() if self._is_sqlite else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together at the end, or not at all.

        Events that `server.audit.record` was given are appended at the end, in the same
        transaction. On SQLite there is one at a time: do not wait for a network inside.

        Raises:
            StorageBusy: if others write for too long.
        """
        async with self._turn():
            session = self._sessions()
            try:
                yield session
                await _to_the_end(_commit(session))
            finally:
                await _to_the_end(session.close())

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """A session for reading only: everything in it is seen as of one moment."""
        session = self._snapshots()
        try:
            yield session
        finally:
            await _to_the_end(session.close())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._writing is None:
            yield
            return
        try:
            async with asyncio.timeout(LOCK_WAIT_S):
                await self._writing.acquire()
        except TimeoutError:
            raise StorageBusy("The database was busy for too long; nothing was saved.") from None
        try:
            yield
        finally:
            self._writing.release()


class _SqliteConnection(sqlite3.Connection):
    def close(self) -> None:
        # A statement that is not freed yet, such as one that was cancelled, keeps a closed
        # connection, its transaction and its locks alive (sqlite3_close_v2).
        if self.in_transaction:
            self.rollback()
        super().close()


async def _commit(session: AsyncSession) -> None:
    await session.run_sync(append_recorded)
    await session.commit()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do this also when cancelled in the middle, and be cancelled after it.

    A connection whose transaction was neither committed nor rolled back would keep its locks.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        task.exception()  # what went wrong is no news to whoever has gone
        raise


def database_location(database_url: str | None, data_dir: Path) -> URL:
    """Where the database is, as SQLAlchemy needs it.

    Args:
        database_url: such as ``postgresql://user:password@host/name`` (also with ``?sslmode=``),
            or ``sqlite:///path``; None for a file in data_dir.
        data_dir: the server's folder.

    Raises:
        StorageError: if the URL is of no such kind; the text does not repeat it.
    """
    if database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / FILE_NAME))
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise StorageError("The database's address is not a URL.") from None
    if url.drivername in ("sqlite", "sqlite+aiosqlite"):
        if url.database in (None, "", ":memory:"):
            raise StorageError("The database's address names no file.")
        return url.set(drivername="sqlite+aiosqlite")
    if url.drivername in ("postgresql", "postgres", "postgresql+asyncpg"):
        query = dict(url.query)
        if "sslmode" in query:  # libpq's name for what asyncpg calls ssl
            query["ssl"] = query.pop("sslmode")
        return url.set(drivername="postgresql+asyncpg", query=query)
    raise StorageError("The database's address begins with neither postgresql:// nor sqlite://.")


@asynccontextmanager
async def open_storage(database_url: str | None, data_dir: Path) -> AsyncIterator[Storage]:
    """Open the database and bring its tables up to date; see `database_location`.

    Raises:
        StorageError: if it cannot be reached, or was written by a newer Holdspace.
    """
    engine = create_engine(database_location(database_url, data_dir))
    try:
        await migrate(engine)
        yield Storage(engine)
    finally:
        await engine.dispose()


def create_engine(url: URL) -> AsyncEngine:
    """An engine with everything set that durability, privacy and bounded waits need.

    Raises:
        StorageError: if there is no SQLite file and none can be made.
    """
    if url.drivername.startswith("sqlite"):
        assert url.database is not None
        _make_private(Path(url.database))
        engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_timeout=LOCK_WAIT_S,
            connect_args={"timeout": LOCK_WAIT_S, "factory": _SqliteConnection},
        )
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=LOCK_WAIT_S,
        connect_args={
            "timeout": _CONNECT_WAIT_S,
            "command_timeout": _COMMAND_WAIT_S,
            "server_settings": {
                "application_name": "holdspace",
                "synchronous_commit": "on",
                "lock_timeout": f"{LOCK_WAIT_S}s",
                "statement_timeout": f"{_COMMAND_WAIT_S}s",
                "idle_in_transaction_session_timeout": f"{_COMMAND_WAIT_S}s",
                "timezone": "UTC",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _hide_details)
    return engine


def _make_private(path: Path) -> None:
    """Make an empty file, for its owner only, if there is none; its folder may be missing, too.

    SQLite gives its other files the rights of this one.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(f"The database {path} cannot be opened: {error.strerror}.") from None


def _hide_details(context: ExceptionContext) -> None:
    """Cut off what PostgreSQL adds to its errors: the row that it refused, with all its values."""
    for error in (context.sqlalchemy_exception, context.original_exception):
        if error is not None:
            error.args = tuple(
                part.partition("\nDETAIL:")[0] if isinstance(part, str) else part
                for part in error.args
            )
    cause: Any = context.original_exception.__cause__
    if hasattr(cause, "detail"):
        cause.detail = None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # The driver would otherwise begin transactions by itself, and only at the first write.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_S * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Taking the write lock at once lets a transaction wait for its turn. One that begins by reading
    # could not write any more after another has, and would fail without waiting.
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
