"""A database that is migrated already, to begin tests with: migrating takes long."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from server.storage.database import FILE_NAME, open_storage


def migrate(database_url: str | None, folder: Path) -> None:
    """Bring the tables of a database up to date."""

    async def opened() -> None:
        async with open_storage(database_url, folder):
            pass

    # In a thread of its own: whoever asks may be in an event loop.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, opened()).result()


@cache
def migrated_sqlite() -> bytes:
    """The file of an empty, migrated SQLite database."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        migrate(None, folder)
        assert not (folder / f"{FILE_NAME}-wal").exists()
        return (folder / FILE_NAME).read_bytes()


def put_migrated(folder: Path) -> None:
    """Put an empty, migrated SQLite database into a data folder."""
    (folder / FILE_NAME).write_bytes(migrated_sqlite())
