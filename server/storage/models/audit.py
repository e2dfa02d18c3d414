"""The tables of the audit; `server.audit` writes and reads them.

Times, hashes and details are text, exactly as they are hashed, so that not a byte of a row can
change without its hash. References are no foreign keys: events outlive what they tell of.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from server.storage.models.base import Base, Outcome


class AuditRow(Base):
    """One event of the audit, as `server.audit.chain` makes it."""

    __tablename__ = "audit_events"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    time: Mapped[str]
    """UTC, such as ``2027-01-05T18:00:00.000000Z``: always as long, so that it sorts as text."""
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str | None]
    group_id: Mapped[str | None]
    outcome: Mapped[Outcome]
    address: Mapped[str | None]
    detail: Mapped[str]
    previous_hash: Mapped[str]
    hash: Mapped[str]

    __table_args__ = (
        Index("ix_audit_events_group", "group_id", "sequence"),
        Index("ix_audit_events_time", "time"),
    )


class AuditHead(Base):
    """The one row that every writer locks, so that the events make one chain without gaps."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Of the last event; 0 before the first."""
    hash: Mapped[str]
    pruned_through: Mapped[int] = mapped_column(BigInteger)
    """Events up to this sequence number may be, and have been, deleted."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
