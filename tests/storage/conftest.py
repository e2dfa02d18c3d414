"""Every test of storage runs on SQLite and on a PostgreSQL of its own."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from server.storage.database import Storage, open_storage
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from tests.migrated import migrate, migrated_sqlite

_START_WAIT_S = 60
_STOP_WAIT_S = 30


@dataclass(frozen=True)
class Cluster:
    """A throw-away PostgreSQL, reached by a socket in its own folder."""

    binaries: Path
    folder: Path

    def new_database(self, name: str, *, template: str = "template1") -> str:
        createdb: list[str | Path] = [self.binaries / "createdb", "-h", self.folder]
        subprocess.run(
            [*createdb, "-U", "holdspace", "-T", template, name], check=True, timeout=_START_WAIT_S
        )
        return f"postgresql://holdspace@/{name}?host={self.folder}"

    @cached_property
    def migrated(self) -> str:
        """The name of an empty, migrated database, to copy."""
        name = "migrated"
        migrate(self.new_database(name), self.folder)
        return name


def _end_with_parent() -> None:
    """Have the kernel stop PostgreSQL if the tests are killed and cannot do it themselves."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.fail("PostgreSQL is missing: install the Debian package postgresql")
    binaries = found[-1].parent
    # PostgreSQL does not run as root. The folder is not pytest's, whose parents only root may open.
    owner = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="holdspace-postgresql-"))
    groups: list[int] | None = None
    if owner:
        shutil.chown(folder, owner, owner)
        groups = []
    server = None
    try:
        initdb: list[str | Path] = [binaries / "initdb", "-D", folder / "data", "-U", "holdspace"]
        subprocess.run(
            [*initdb, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=_START_WAIT_S,
            cwd=folder,
            user=owner,
            group=owner,
            extra_groups=groups,
        )
        # The tests kill PostgreSQL's clients, never itself or the machine.
        postgres: list[str | Path] = [binaries / "postgres", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*postgres, "-D", folder / "data", "-k", folder, "-h", ""],
                stdout=log,
                stderr=log,
                cwd=folder,
                user=owner,
                group=owner,
                extra_groups=groups,
                preexec_fn=_end_with_parent,
            )
        deadline = time.monotonic() + _START_WAIT_S
        ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", folder, "-d", "postgres"]
        while subprocess.run(ready, check=False, timeout=_START_WAIT_S).returncode != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
            time.sleep(0.1)
        yield Cluster(binaries, folder)
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: nothing is to be kept
            try:
                server.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(_STOP_WAIT_S)
        shutil.rmtree(folder)


_numbers = itertools.count()


class Databases:
    """Makes empty databases."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder

    def new(self, kind: str) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            return f"sqlite:///{self._folder / f'{number}.sqlite3'}"
        return self._cluster.new_database(f"test{number}")

    def migrated(self, kind: str) -> str:
        """A database that has its tables already."""
        if kind == "sqlite":
            file = self._folder / f"{next(_numbers)}.sqlite3"
            file.write_bytes(migrated_sqlite())
            return f"sqlite:///{file}"
        return self._cluster.new_database(f"test{next(_numbers)}", template=self._cluster.migrated)

    @property
    def _cluster(self) -> Cluster:
        cluster: Cluster = self._request.getfixturevalue("cluster")
        return cluster


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    return Databases(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kind: str, databases: Databases) -> str:
    """An empty database."""
    return databases.new(kind)


@pytest.fixture
async def storage(database_url: str, tmp_path: Path) -> AsyncIterator[Storage]:
    async with open_storage(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def keyring() -> KeyRing:
    return parse_keyring(generate_key_line())
