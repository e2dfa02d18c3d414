"""Groups, who belongs to them, and when they meet.

A session is named by its group and the moment at which it is due to start, ``session_starts_at``:
sessions come from the schedule and have no rows of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from server.storage.ids import ID_LENGTH
from server.storage.models.base import (
    ONE_PERSON,
    AccountId,
    AuthorId,
    Base,
    GroupId,
    GroupRole,
    GuestId,
    RowId,
)
from server.storage.sealed import SealedValue

LocalDateTime = Annotated[str, mapped_column(String(19))]
"""A wall-clock time such as ``2027-01-05T18:00:00``, to be read in the schedule's time zone."""


class Group(Base):
    __tablename__ = "groups"

    id: Mapped[RowId]
    name: Mapped[str]
    purpose: Mapped[str] = mapped_column(server_default="")
    """What it is for, in a few words; empty if nobody said."""
    formats: Mapped[str]
    """The names of the session formats it may use, with commas; the first is the one it begins
    with."""
    capacity: Mapped[int]
    guests_allowed: Mapped[bool]
    opens_without_facilitator: Mapped[bool]
    substance_use: Mapped[bool]
    """Whether its records are under 42 CFR Part 2."""
    make_ups_allowed: Mapped[bool] = mapped_column(server_default=false())
    """Whether people of other groups may make up a session here."""
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    """IANA name; of new schedules."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("capacity BETWEEN 2 AND 16", name="capacity"),)


class Membership(Base):
    """A person's place in a group. Who comes back after leaving gets a new one."""

    __tablename__ = "memberships"

    id: Mapped[RowId]
    account_id: Mapped[AccountId]
    group_id: Mapped[GroupId]
    role: Mapped[GroupRole]
    display_name: Mapped[str]
    """The chosen name: all that other participants see."""
    pronouns: Mapped[str | None]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(index=True)

    __table_args__ = (
        Index(
            "uq_memberships_current",
            "account_id",
            "group_id",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )


class GuestLink(Base):
    """A link by which people without an account come to one session."""

    __tablename__ = "guest_links"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime]
    created_by: Mapped[AuthorId | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class Guest(Base):
    """Someone who came by a guest link, for that one session."""

    __tablename__ = "guests"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    """Of the cookie by which the guest's browser is known again."""
    guest_link_id: Mapped[str | None] = mapped_column(
        String(ID_LENGTH), ForeignKey("guest_links.id", ondelete="SET NULL"), index=True
    )
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime]
    display_name: Mapped[str]
    pronouns: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


class Ban(Base):
    """Someone who is kept out of a group."""

    __tablename__ = "bans"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    account_id: Mapped[AccountId | None]
    guest_id: Mapped[GuestId | None]
    until: Mapped[datetime | None] = mapped_column(index=True)
    """Null: until someone lifts it."""
    created_by: Mapped[AuthorId | None]
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint(ONE_PERSON, name="one_person"),)


class Schedule(Base):
    """When a group meets: a first start, and the rule by which it repeats."""

    __tablename__ = "schedules"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    starts_at: Mapped[LocalDateTime]
    """The first start; DTSTART of RFC 5545."""
    time_zone: Mapped[str]
    """IANA name."""
    recurrence: Mapped[str | None]
    """An RRULE of RFC 5545 without its name, such as ``FREQ=WEEKLY;BYDAY=TU``; null: once."""
    duration_minutes: Mapped[int]
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("duration_minutes BETWEEN 1 AND 1440", name="duration"),)


class ScheduleException(Base):
    """One session of a schedule that is called off or moved."""

    __tablename__ = "schedule_exceptions"

    id: Mapped[RowId]
    schedule_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("schedules.id", ondelete="CASCADE")
    )
    occurrence: Mapped[LocalDateTime]
    """The start that the rule gives."""
    moved_to: Mapped[LocalDateTime | None]
    """The start instead; null: called off."""

    __table_args__ = (UniqueConstraint("schedule_id", "occurrence"),)


class Absence(Base):
    """Someone has said that they will not come, and perhaps chosen a make-up session."""

    __tablename__ = "absences"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[AccountId]
    note: Mapped[SealedValue | None]
    make_up_group_id: Mapped[str | None] = mapped_column(
        String(ID_LENGTH), ForeignKey("groups.id", ondelete="SET NULL"), index=True
    )
    make_up_starts_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("group_id", "session_starts_at", "account_id"),)


class Attendance(Base):
    """One stay in a session; who leaves and returns has several."""

    __tablename__ = "attendance"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime]
    account_id: Mapped[AccountId | None]
    guest_id: Mapped[GuestId | None]
    joined_at: Mapped[datetime] = mapped_column(index=True)
    left_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(ONE_PERSON, name="one_person"),
        Index("ix_attendance_session", "group_id", "session_starts_at"),
    )


class EntryConfirmation(Base):
    """What someone confirmed before entering a session, for an emergency."""

    __tablename__ = "entry_confirmations"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime]
    account_id: Mapped[AccountId | None]
    guest_id: Mapped[GuestId | None]
    location: Mapped[SealedValue]
    phone: Mapped[SealedValue]
    emergency_contact: Mapped[SealedValue]
    is_private: Mapped[bool]
    """Alone, or with headphones."""
    confirmed_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """When retention deletes it; see `RetentionPeriods.entry_confirmation_hours`."""

    __table_args__ = (
        CheckConstraint(ONE_PERSON, name="one_person"),
        UniqueConstraint("group_id", "session_starts_at", "account_id"),
        UniqueConstraint("group_id", "session_starts_at", "guest_id"),
    )


class Reminder(Base):
    """A reminder that was sent, so that it is sent once."""

    __tablename__ = "reminders"

    id: Mapped[RowId]
    group_id: Mapped[GroupId]
    session_starts_at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[AccountId]
    sent_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("group_id", "session_starts_at", "account_id"),)
