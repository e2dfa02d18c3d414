"""Deleting old events, so that the rest is still a chain that can be verified."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select

from server.audit.canonical import Json
from server.audit.chain import CHECKPOINT
from server.audit.record import SYSTEM, AuditEvent, record, timestamp
from server.storage.database import Storage
from server.storage.models import AuditHead, AuditRow


async def prune(storage: Storage, before: datetime, now: datetime) -> int:
    """Delete the oldest events, up to the first that is not from before a moment.

    A checkpoint is put on record in the same transaction: up to which event, and that one's hash,
    from which the oldest remaining event follows. The last event always stays.

    Returns:
        how many were deleted.
    """
    async with storage.transaction() as session:
        # Locked from here on, for the trigger that guards the events reads it.
        head = (await session.execute(select(AuditHead).with_for_update())).scalar_one()
        first_kept = await session.scalar(
            select(func.min(AuditRow.sequence)).where(AuditRow.time >= timestamp(before))
        )
        through = (head.sequence if first_kept is None else first_kept) - 1
        if through <= head.pruned_through:
            return 0
        last = (
            await session.execute(select(AuditRow.hash).where(AuditRow.sequence == through))
        ).scalar_one()
        deleted = through - head.pruned_through
        head.pruned_through = through
        await session.flush()
        await session.execute(
            delete(AuditRow)
            .where(AuditRow.sequence <= through)
            .execution_options(synchronize_session=False)
        )
        detail: dict[str, Json] = {"through": through, "hash": last, "events": deleted}
        record(session, AuditEvent(actor=SYSTEM, action=CHECKPOINT, detail=detail, time=now))
        return deleted
