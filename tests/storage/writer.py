"""A process that writes until it is killed, and says what was acknowledged: see test_killed.py."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from server.audit.record import AuditEvent, record
from server.storage.database import open_storage
from server.storage.models import ServerSetting
from tests.storage.rows import NOW

WRITERS = 4
WRITES = 1_000


async def write(url: str) -> None:
    numbers = count()
    async with open_storage(url, Path()) as storage:

        async def writer() -> None:
            while (number := next(numbers)) < WRITES:
                async with storage.transaction() as session:
                    session.add(ServerSetting(key=str(number), value="1", changed_at=NOW))
                    record(
                        session, AuditEvent(actor="a", action="setting.set", subject=str(number))
                    )
                os.write(1, f"{number}\n".encode())

        await asyncio.gather(*(writer() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1]))
