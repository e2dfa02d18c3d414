"""Bringing the tables up to date at start, by Alembic's migrations in ``migrations``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.errors import StorageError

_LOCK_NUMBER = 0x686F6C64
"""The advisory lock on PostgreSQL; any number that no other program uses in this database."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    """The schema that this code works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def knows_revision(revision: str) -> bool:
    """Whether this code knows a schema: whether it is not newer."""
    scripts = ScriptDirectory.from_config(_config())
    return revision in {script.revision for script in scripts.walk_revisions()}


def current_revision(connection: Connection) -> str | None:
    """The schema that the database has; None if it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate_within(connection: Connection, revision: str = "head") -> None:
    """Migrate within the transaction that the connection is in.

    Raises:
        StorageError: if the database was written by a newer Holdspace.
    """
    found = current_revision(connection)
    if found is not None and not knows_revision(found):
        raise StorageError(
            f"The database was written by a newer Holdspace (its schema is {found}, this program's "
            f"{newest_revision()}); please run that one, or restore an older backup."
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if (
        connection.dialect.name == "sqlite"
        and connection.execute(text("PRAGMA foreign_key_check")).first() is not None
    ):
        raise StorageError("Migrating would leave rows that refer to nothing; nothing was changed.")


@asynccontextmanager
async def migrating(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction in which tables can be changed. Processes that begin one at once take turns.

    Raises:
        StorageError: if the database cannot be reached, waits for too long, or fails.
    """
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # Changing a table on SQLite means replacing it, which would delete by cascade what
                # refers to it. This can be set outside of transactions only.
                raw: Any = (await connection.get_raw_connection()).driver_connection
                await raw.execute("PRAGMA foreign_keys = OFF")
                try:
                    async with connection.begin():  # which takes the write lock
                        yield connection
                finally:
                    await raw.execute("PRAGMA foreign_keys = ON")
            else:
                async with connection.begin():
                    await connection.execute(
                        text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER}
                    )
                    yield connection
    except (OSError, TimeoutError, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, SQLAlchemyError) else None
        kind = type(cause or error).__name__
        raise StorageError(f"The database cannot be opened or set up ({kind}).") from error


async def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the tables to a revision, all or nothing.

    Raises:
        StorageError: see `migrating`; also if it was written by a newer Holdspace.
    """
    async with migrating(engine) as connection:
        await connection.run_sync(migrate_within, revision)
