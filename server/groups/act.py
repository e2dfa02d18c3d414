"""Who does something, when and from where; and putting it on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.canonical import Json
from server.audit.record import AuditEvent, record
from server.storage.models import Outcome


@dataclass(frozen=True, slots=True)
class Act:
    """The circumstances of what is done.

    Args:
        actor: the id of an account or guest, or ``SYSTEM`` of `server.audit.record`.
        now: the moment, aware UTC.
        address: the IP address that it came from, if known.
    """

    actor: str
    now: datetime
    address: str | None = None


def on_record(
    session: AsyncSession,
    act: Act,
    action: str,
    subject: str | None,
    group_id: str | None,
    *,
    outcome: Outcome = "done",
    **detail: Json,
) -> None:
    """Put what was done on record; see `server.audit.record.AuditEvent` for what is no detail."""
    event = AuditEvent(
        actor=act.actor,
        action=action,
        subject=subject,
        outcome=outcome,
        group_id=group_id,
        address=act.address,
        detail=detail,
        time=act.now,
    )
    record(session, event)
