"""From when to when a session can be entered."""

from __future__ import annotations

from datetime import datetime, timedelta

from server.storage.models import GroupRole

EARLY: dict[GroupRole, timedelta] = {
    "facilitator": timedelta(minutes=15),
    "counselor": timedelta(minutes=15),
    "participant": timedelta(minutes=10),
}
"""How long before its start."""

LATE = timedelta(minutes=30)
"""How long after its end: sessions run over, and nobody is to be shut out then."""

CONFIRM_EARLY = timedelta(minutes=60)
"""How long before its start people can confirm where they are: that has to be true then."""


def opens_at(starts_at: datetime, role: GroupRole) -> datetime:
    """When the join button of this role opens."""
    return starts_at - EARLY[role]


def closes_at(ends_at: datetime) -> datetime:
    """When nobody can enter any more."""
    return ends_at + LATE


def is_open(starts_at: datetime, ends_at: datetime, role: GroupRole, now: datetime) -> bool:
    """Whether the session can be entered now; at its last moment no more."""
    return opens_at(starts_at, role) <= now < closes_at(ends_at)
