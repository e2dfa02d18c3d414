"""What administrators set, and access outside the usual roles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from server.storage.models.base import AccountId, AuthorId, Base, GroupId, RowId
from server.storage.sealed import SealedValue


class ServerSetting(Base):
    """A setting that is changed while the server runs."""

    __tablename__ = "server_settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    """JSON; nothing secret."""
    changed_by: Mapped[AuthorId | None]
    changed_at: Mapped[datetime]


class BreakGlassGrant(Base):
    """Access to a group's data in an emergency, taken for a stated reason and a short time."""

    __tablename__ = "break_glass_grants"

    id: Mapped[RowId]
    account_id: Mapped[AccountId]
    group_id: Mapped[GroupId]
    reason: Mapped[SealedValue]
    granted_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
