"""A database that is migrated already, to begin tests with: migrating takes long."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from threading import Thread

from server.storage.database import FILE_NAME, open_storage


@cache
def _template() -> bytes:
    async def migrate(folder: Path) -> None:
        async with open_storage(None, folder):
            pass

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a thread of its own: whoever asks may be in an event loop.
        thread = Thread(target=lambda: asyncio.run(migrate(folder)))
        thread.start()
        thread.join()
        assert not (folder / f"{FILE_NAME}-wal").exists()
        return (folder / FILE_NAME).read_bytes()


def put_migrated(folder: Path) -> None:
    """Put an empty, migrated SQLite database into a data folder."""
    (folder / FILE_NAME).write_bytes(_template())
