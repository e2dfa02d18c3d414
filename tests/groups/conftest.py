"""Groups to test with: on SQLite, and by ``either_storage`` on PostgreSQL, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.storage.database import Storage, open_storage
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from tests.groups.people import World
from tests.migrated import put_migrated
from tests.storage.conftest import Databases, cluster, databases, kind

__all__ = ["cluster", "databases", "kind"]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    put_migrated(tmp_path)
    async with open_storage(None, tmp_path) as opened:
        yield opened


@pytest.fixture
async def either_storage(kind: str, databases: Databases, tmp_path: Path) -> AsyncIterator[Storage]:
    async with open_storage(databases.migrated(kind), tmp_path) as opened:
        yield opened


@pytest.fixture
def keyring() -> KeyRing:
    return parse_keyring(generate_key_line())


@pytest.fixture
async def world(storage: Storage, keyring: KeyRing) -> World:
    return await World.made(storage, keyring)


@pytest.fixture
async def either_world(either_storage: Storage, keyring: KeyRing) -> World:
    return await World.made(either_storage, keyring)
