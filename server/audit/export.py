"""Reading the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select

from server.audit.canonical import canonical
from server.audit.chain import fields
from server.storage.database import Storage
from server.storage.models import AuditRow

_BATCH = 500


async def export(storage: Storage, *, group_id: str | None = None) -> AsyncIterator[str]:
    """The events as JSON Lines, oldest first, as of the moment at which it begins.

    Each line is an object in canonical form with the fields that its ``hash`` is over, see
    `server.audit.chain`. Of one group's events alone, the chain cannot be checked, only each hash.

    Args:
        storage: where they are.
        group_id: only the events of this group.
    """
    query = select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=_BATCH)
    if group_id is not None:
        query = query.where(AuditRow.group_id == group_id)
    async with storage.snapshot() as session:
        stream = await session.stream_scalars(query)
        async for rows in stream.partitions():
            for row in rows:
                yield canonical({**fields(row), "hash": row.hash}) + "\n"


async def latest(
    storage: Storage, *, group_id: str | None = None, before: int | None = None, limit: int = 100
) -> Sequence[AuditRow]:
    """A page of events, newest first.

    Args:
        storage: where they are.
        group_id: only the events of this group.
        before: only events with lower sequence numbers: the lowest of the page before.
        limit: the most to give.
    """
    query = select(AuditRow).order_by(AuditRow.sequence.desc()).limit(limit)
    if group_id is not None:
        query = query.where(AuditRow.group_id == group_id)
    if before is not None:
        query = query.where(AuditRow.sequence < before)
    async with storage.snapshot() as session:
        return (await session.scalars(query)).all()
