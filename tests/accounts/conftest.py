from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from server.accounts.passwords import Passwords
from server.accounts.services import AccountServices, account_services
from server.storage.database import open_storage
from server.storage.keyring import generate_key_line, parse_keyring
from tests.accounts.place import Place
from tests.storage.conftest import Databases, cluster, databases

__all__ = ["cluster", "databases"]


def cheap() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def kind() -> str:
    """Of the database; a test can give another."""
    return "sqlite"


@pytest.fixture
def services() -> Iterator[AccountServices]:
    with account_services(Passwords(cheap())) as opened:
        yield opened


@pytest.fixture
async def place(
    kind: str,
    databases: Databases,
    tmp_path: Path,
    services: AccountServices,
) -> AsyncIterator[Place]:
    async with open_storage(databases.migrated(kind), tmp_path) as storage:
        yield Place(storage, parse_keyring(generate_key_line()), services)
