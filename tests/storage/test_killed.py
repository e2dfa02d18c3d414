"""What was acknowledged is there after SIGKILL, and the audit's chain is whole."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from server.audit.verify import verify
from server.storage.database import open_storage
from server.storage.models import AuditRow, ServerSetting
from tests.storage.writer import WRITERS, WRITES

ROOT = Path(__file__).parents[2]
WAIT_S = 120


def killed_in_the_middle(url: str, after: int) -> list[int]:
    """Run a writer, kill it after so many writes, and return what it had acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.writer", url], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    try:
        lines = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
        lines += writer.stdout.read().splitlines()
        return [int(line) for line in lines if line.strip()]
    finally:
        writer.kill()
        writer.wait(WAIT_S)
        writer.stdout.close()


@pytest.mark.parametrize("seed", range(2))
async def test_no_acknowledged_write_is_lost(database_url: str, tmp_path: Path, seed: int) -> None:
    after = random.Random(seed).randint(WRITES // 4, WRITES * 3 // 4)
    acknowledged = killed_in_the_middle(database_url, after)
    assert after <= len(acknowledged) < WRITES

    async with open_storage(database_url, tmp_path) as storage:
        async with storage.snapshot() as session:
            settings = {int(key) for key in await session.scalars(select(ServerSetting.key))}
            subjects = [int(s or -1) for s in await session.scalars(select(AuditRow.subject))]
        assert settings >= set(acknowledged)
        # At most what each writer was about to say when it was killed.
        assert len(settings) <= len(acknowledged) + WRITERS
        assert sorted(subjects) == sorted(settings)
        result = await verify(storage)
        assert (result.ok, result.last) == (True, len(settings))
