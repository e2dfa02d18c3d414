"""For how long each kind of data is kept, and deleting what is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, delete, exists, or_, select, update

from server.audit.prune import prune
from server.audit.record import SYSTEM, AuditEvent, record
from server.storage.database import Storage
from server.storage.models import (
    Absence,
    Account,
    Attendance,
    Ban,
    Base,
    BreakGlassGrant,
    CalendarFeed,
    Document,
    EntryConfirmation,
    Guest,
    GuestLink,
    Invitation,
    LoginSession,
    Membership,
    OneTimeLink,
    RecoveryCode,
    Reminder,
    Signature,
)

ENFORCED = "retention.enforced"

_SIX_YEARS = 6 * 366
"""What HIPAA asks for documentation, 45 CFR 164.316(b)(2)(i); other law may ask for more."""

_MAX_DAYS = 100 * 366


class RetentionPeriods(BaseModel):
    """The periods; their descriptions are shown to people.

    Each is a setting of the server, by its name after ``retention_`` (`server.settings`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry_confirmation_hours: int = Field(
        24,
        ge=1,
        le=24 * 30,
        description="Hours after a session for which the location, phone number and emergency "
        "contact confirmed for it are kept.",
    )
    login_days: int = Field(
        30, ge=1, le=_MAX_DAYS, description="Days for which a login is kept after its last use."
    )
    link_days: int = Field(
        30,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which invitations and other links are kept after they expire.",
    )
    absence_days: int = Field(
        366,
        ge=1,
        le=_MAX_DAYS,
        description="Days after a session for which announced absences are kept.",
    )
    attendance_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days after a session for which attendance is kept.",
    )
    guest_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which guests are kept, with their signatures and attendance.",
    )
    signature_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which a signature is kept after what was signed has a new version.",
    )
    membership_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which former membership of a group is kept.",
    )
    contact_days: int = Field(
        30,
        ge=0,
        le=_MAX_DAYS,
        description="Days for which the email and phone number of a closed account are kept.",
    )
    account_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which a closed account is kept, with its name, signatures and "
        "attendance.",
    )
    ban_days: int = Field(
        30, ge=0, le=_MAX_DAYS, description="Days for which a ban is kept after its end."
    )
    break_glass_days: int = Field(
        _SIX_YEARS,
        ge=1,
        le=_MAX_DAYS,
        description="Days for which reasons for emergency access are kept.",
    )
    audit_days: int = Field(
        _SIX_YEARS, ge=1, le=_MAX_DAYS, description="Days for which the audit's events are kept."
    )


def _due(periods: RetentionPeriods, now: datetime) -> list[tuple[type[Base], ColumnElement[bool]]]:
    """What to delete, in order."""

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    links = before(periods.link_days)
    logins = before(periods.login_days)
    return [
        (EntryConfirmation, EntryConfirmation.expires_at <= now),
        (LoginSession, or_(LoginSession.last_seen_at < logins, LoginSession.revoked_at < logins)),
        (
            Invitation,
            or_(
                Invitation.expires_at < links,
                Invitation.used_at < links,
                Invitation.revoked_at < links,
            ),
        ),
        (OneTimeLink, OneTimeLink.expires_at < links),
        (GuestLink, GuestLink.expires_at < links),
        (CalendarFeed, CalendarFeed.revoked_at < links),
        (RecoveryCode, RecoveryCode.used_at < links),
        (Reminder, Reminder.session_starts_at < links),
        (Absence, Absence.session_starts_at < before(periods.absence_days)),
        (Attendance, Attendance.joined_at < before(periods.attendance_days)),
        (Guest, Guest.created_at < before(periods.guest_days)),
        (
            Signature,
            exists(
                select(Document.id).where(
                    Document.id == Signature.document_id,
                    Document.superseded_at < before(periods.signature_days),
                )
            ),
        ),
        (Membership, Membership.removed_at < before(periods.membership_days)),
        (Ban, Ban.until < before(periods.ban_days)),
        (BreakGlassGrant, BreakGlassGrant.expires_at < before(periods.break_glass_days)),
        (Account, Account.closed_at < before(periods.account_days)),
    ]


async def enforce(storage: Storage, periods: RetentionPeriods, now: datetime) -> dict[str, int]:
    """Delete what is due, and put on record how much of what.

    Let the audit's anchor advance before: events are not to be pruned past it.

    Returns:
        how many rows were deleted by table; ``contacts`` are accounts whose contacts were erased.
    """
    counts: dict[str, int] = {}

    def count(kind: str, result: Any) -> None:
        if result.rowcount:
            counts[kind] = result.rowcount

    async with storage.transaction() as session:
        for model, condition in _due(periods, now):
            statement = delete(model).where(condition)
            count(
                model.__tablename__,
                await session.execute(statement, execution_options={"synchronize_session": False}),
            )
        erase = (
            update(Account)
            .where(
                Account.closed_at <= now - timedelta(days=periods.contact_days),
                or_(Account.email.is_not(None), Account.phone.is_not(None)),
            )
            .values(email=None, email_index=None, email_verified_at=None, phone=None)
        )
        count(
            "contacts",
            await session.execute(erase, execution_options={"synchronize_session": False}),
        )
        if counts:
            record(
                session, AuditEvent(actor=SYSTEM, action=ENFORCED, detail=dict(counts), time=now)
            )
    # It records a checkpoint by itself.
    if pruned := await prune(storage, now - timedelta(days=periods.audit_days), now):
        counts["audit_events"] = pruned
    return counts
