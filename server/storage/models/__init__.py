"""The tables, by what they are about. Importing this knows them all."""

from server.storage.models.accounts import (
    Account,
    CalendarFeed,
    Invitation,
    LoginSession,
    OneTimeLink,
    Passkey,
    Password,
    RecoveryCode,
    TotpSecret,
)
from server.storage.models.administration import BreakGlassGrant, ServerSetting
from server.storage.models.agreements import Document, Signature
from server.storage.models.audit import AuditHead, AuditRow
from server.storage.models.base import Base, DocumentKind, GroupRole, LinkPurpose, Outcome
from server.storage.models.groups import (
    Absence,
    Attendance,
    Ban,
    EntryConfirmation,
    Group,
    Guest,
    GuestLink,
    Membership,
    Reminder,
    Schedule,
    ScheduleException,
)

__all__ = [
    "Absence",
    "Account",
    "Attendance",
    "AuditHead",
    "AuditRow",
    "Ban",
    "Base",
    "BreakGlassGrant",
    "CalendarFeed",
    "Document",
    "DocumentKind",
    "EntryConfirmation",
    "Group",
    "GroupRole",
    "Guest",
    "GuestLink",
    "Invitation",
    "LinkPurpose",
    "LoginSession",
    "Membership",
    "OneTimeLink",
    "Outcome",
    "Passkey",
    "Password",
    "RecoveryCode",
    "Reminder",
    "Schedule",
    "ScheduleException",
    "ServerSetting",
    "Signature",
    "TotpSecret",
]
