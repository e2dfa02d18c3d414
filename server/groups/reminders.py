"""Reminders by email: each session once, to whoever is expected.

An email may be read over a shoulder. It names no group and nobody, only the time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from server.audit.record import SYSTEM
from server.groups import recurrence
from server.groups.act import Act, on_record
from server.groups.schedule import Occurrence, occurrences
from server.groups.standing import everyone
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Absence, Account, Group, Reminder
from server.storage.sealed import Place, open_sealed

log = structlog.get_logger(__name__)

LEAD = timedelta(hours=24)
"""How long before a session its reminder is due."""

Send = Callable[[str, str, str], Awaitable[None]]
"""Sends an email: to whom, its subject, its text."""


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder that is to be sent now."""

    account_id: str
    occurrence: Occurrence


def due(
    sessions: Iterable[tuple[Occurrence, Collection[str]]],
    absent: Collection[tuple[str, datetime, str]],
    sent: Collection[tuple[str, datetime, str]],
    now: datetime,
    lead: timedelta = LEAD,
) -> list[Due]:
    """What is due: nothing for sessions that began, and nothing twice.

    Args:
        sessions: with the ids of the accounts that are expected.
        absent: group, start and account of those who said they would not come.
        sent: group, start and account of what was sent.
        now: UTC.
        lead: how long before its start a reminder is due.
    """
    return [
        Due(account_id, occurrence)
        for occurrence, expected in sessions
        if now < occurrence.starts_at <= now + lead and not occurrence.is_cancelled
        for account_id in expected
        if (occurrence.group_id, occurrence.starts_at, account_id) not in absent
        and (occurrence.group_id, occurrence.starts_at, account_id) not in sent
    ]


async def find_due(storage: Storage, now: datetime, lead: timedelta = LEAD) -> list[Due]:
    """`due`, from what is stored."""
    async with storage.snapshot() as session:
        groups = (await session.scalars(select(Group).where(Group.closed_at.is_(None)))).all()
        sessions = [
            (
                occurrence,
                [
                    one.person.account_id
                    for one in await everyone(session, group, occurrence.starts_at)
                    if one.person.account_id is not None
                ],
            )
            for group in groups
            for occurrence in await occurrences(session, group.id, now, now + lead)
        ]
        absent = {
            (row.group_id, row.session_starts_at, row.account_id)
            for row in await session.scalars(select(Absence).where(Absence.session_starts_at > now))
        }
        sent = {
            (row.group_id, row.session_starts_at, row.account_id)
            for row in await session.scalars(
                select(Reminder).where(Reminder.session_starts_at > now)
            )
        }
    return due(sessions, absent, sent, now, lead)


def written(starts_at: datetime, time_zone: str) -> tuple[str, str]:
    """Subject and text of a reminder."""
    local = starts_at.astimezone(recurrence.time_zone(time_zone))
    when = f"{local:%A, %d %B %Y}, {local:%H:%M} ({time_zone.replace('_', ' ')})"
    text = (
        "Hello,\n\n"
        f"this is a reminder of your session on {when}.\n\n"
        "You can join from ten minutes before. If you cannot come, you can say so with one click "
        "after signing in.\n"
    )
    return "A reminder for you", text


async def send_due(storage: Storage, keyring: KeyRing, send: Send, now: datetime) -> int:
    """Send what is due, to verified addresses only.

    A reminder is marked as sent before it is: rather one is lost when the server stops in between
    than that someone gets many. If sending fails, it is tried again the next time.

    Returns:
        how many were sent.
    """
    count = 0
    for one in await find_due(storage, now):
        reminder_id, address, time_zone = new_id(), None, "UTC"
        act = Act(SYSTEM, now)
        group_id = one.occurrence.group_id
        try:
            async with storage.transaction() as session:
                account = await session.get(Account, one.account_id)
                if account is None or account.email is None or account.email_verified_at is None:
                    continue
                address = open_sealed(keyring, Place.of(Account.email, account.id), account.email)
                group = await session.get_one(Group, group_id)
                time_zone = account.time_zone or group.time_zone
                session.add(
                    Reminder(
                        id=reminder_id,
                        group_id=group_id,
                        session_starts_at=one.occurrence.starts_at,
                        account_id=one.account_id,
                        sent_at=now,
                    )
                )
                await session.flush()
        except IntegrityError:  # another process was faster
            continue
        try:
            await send(address, *written(one.occurrence.starts_at, time_zone))
        except Exception as error:
            # Whatever it is, the others get theirs. Its text could have the address.
            log.warning("reminder_not_sent", error=type(error).__name__)
            async with storage.transaction() as session:
                await session.execute(delete(Reminder).where(Reminder.id == reminder_id))
                on_record(session, act, "reminder.sent", one.account_id, group_id, outcome="failed")
            continue
        async with storage.transaction() as session:
            on_record(session, act, "reminder.sent", one.account_id, group_id)
        count += 1
    return count
