"""The report on attendance, such as an intensive outpatient program has to give."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import names, recurrence, schedule
from server.groups.act import Act, on_record
from server.groups.contacts import view_legal_name
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import (
    Absence,
    Attendance,
    Group,
    GroupRole,
    Guest,
    Membership,
)

Status = Literal["attended", "absent_announced", "made_up", "absent"]
MAX_PERIOD = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Line:
    """One person in one session.

    Args:
        key: as in `server.groups.standing.Standing`; the id of the stay for who made up here.
        display_name: by which the group knew them.
        legal_name: if asked for.
        role: in the group.
        status: what came of it; ``made_up`` if they came to another group's session instead.
        joined_at: when they first came.
        left_at: when they last left; None if they are there still.
        minutes: for which they were there, overlapping stays counted once, rounded down.
    """

    key: str
    display_name: str
    legal_name: str | None
    role: GroupRole
    status: Status
    joined_at: datetime | None
    left_at: datetime | None
    minutes: int


@dataclass(frozen=True, slots=True)
class SessionReport:
    """One session, and everyone who was there or should have been."""

    starts_at: datetime
    ends_at: datetime | None
    """None for a session that the schedule does not know any more."""
    lines: tuple[Line, ...]


def minutes(stays: Sequence[tuple[datetime, datetime]]) -> int:
    """How many whole minutes the stays cover together."""
    total, reached = timedelta(), None
    for joined_at, left_at in sorted(stays):
        start = joined_at if reached is None else max(joined_at, reached)
        total += max(left_at - start, timedelta())
        reached = left_at if reached is None else max(reached, left_at)
    return total // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    display_name: str
    role: GroupRole


async def _known(session: AsyncSession, row: Attendance, members: Sequence[Membership]) -> _Known:
    """Someone who was there without being a member, named as they were there."""
    if row.guest_id is not None:
        guest = await session.get(Guest, row.guest_id)
        return _Known(row.guest_id, guest.display_name if guest else "", "participant")
    name = await session.scalar(
        select(Membership.display_name)
        .join(Absence, Absence.group_id == Membership.group_id)
        .where(
            Membership.account_id == row.account_id,
            Absence.account_id == row.account_id,
            Absence.make_up_group_id == row.group_id,
            Absence.make_up_starts_at == row.session_starts_at,
        )
        .order_by(Membership.created_at.desc())
        .limit(1)
    )
    name = names.visiting(name or "", (member.display_name for member in members))
    return _Known(row.id, name, "participant")


async def _made_up(session: AsyncSession, absence: Absence) -> bool:
    if absence.make_up_group_id is None:
        return False
    stay = await session.scalar(
        select(Attendance.id)
        .where(
            Attendance.account_id == absence.account_id,
            Attendance.group_id == absence.make_up_group_id,
            Attendance.session_starts_at == absence.make_up_starts_at,
        )
        .limit(1)
    )
    return stay is not None


async def _sessions(
    session: AsyncSession, group: Group, since: datetime, until: datetime, now: datetime
) -> list[tuple[SessionReport, dict[str, Person]]]:
    planned: dict[datetime, datetime | None] = {
        found.starts_at: found.ends_at
        for found in await schedule.occurrences(session, group.id, since, min(until, now))
        if found.starts_at >= since
    }
    stays = (
        await session.scalars(
            select(Attendance)
            .where(
                Attendance.group_id == group.id,
                Attendance.session_starts_at >= since,
                Attendance.session_starts_at < until,
            )
            .order_by(Attendance.joined_at)
        )
    ).all()
    for stay in stays:
        planned.setdefault(stay.session_starts_at, None)
    members = (
        await session.scalars(
            select(Membership)
            .where(
                Membership.group_id == group.id,
                or_(Membership.removed_at.is_(None), Membership.removed_at > since),
            )
            .order_by(Membership.created_at, Membership.id)
        )
    ).all()
    absences = (
        await session.scalars(
            select(Absence).where(
                Absence.group_id == group.id,
                Absence.session_starts_at >= since,
                Absence.session_starts_at < until,
            )
        )
    ).all()
    absent = {(row.session_starts_at, row.account_id): row for row in absences}
    reports = []
    for starts_at in sorted(planned):
        ends_at = planned[starts_at]
        by_person: dict[Person, list[Attendance]] = defaultdict(list)
        for stay in stays:
            if stay.session_starts_at == starts_at:
                by_person[Person(stay.account_id, stay.guest_id)].append(stay)
        people: dict[Person, _Known] = {}
        for member in members:
            gone = member.removed_at is not None and member.removed_at <= starts_at
            if not gone and member.created_at <= (ends_at or starts_at):
                people[Person(member.account_id)] = _Known(
                    member.id, member.display_name, member.role
                )
        for person, theirs in by_person.items():
            if person not in people:
                people[person] = await _known(session, theirs[0], members)
        lines = []
        for person, known in people.items():
            theirs = by_person.get(person, [])
            absence = absent.get((starts_at, person.account_id or ""))
            status: Status = "attended" if theirs else "absent"
            if absence is not None and not theirs:
                status = "made_up" if await _made_up(session, absence) else "absent_announced"
            if status == "absent" and known.role == "counselor":
                continue  # counselors come when they are called
            ongoing = any(stay.left_at is None for stay in theirs)
            lines.append(
                Line(
                    known.key,
                    known.display_name,
                    None,
                    known.role,
                    status,
                    min((stay.joined_at for stay in theirs), default=None),
                    None
                    if ongoing
                    else max((stay.left_at for stay in theirs if stay.left_at), default=None),
                    minutes([(stay.joined_at, stay.left_at or now) for stay in theirs]),
                )
            )
        accounts = {known.key: person for person, known in people.items()}
        reports.append((SessionReport(starts_at, ends_at, tuple(lines)), accounts))
    return reports


async def report(
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    group: Group,
    since: datetime,
    until: datetime,
    *,
    legal_names: bool = False,
) -> list[SessionReport]:
    """Attendance of a group's sessions that started in a period; making it is on record.

    Args:
        storage: to read from.
        keyring: opens legal names.
        act: by whom.
        group: of which group.
        since: from when on, UTC.
        until: before when, UTC; at most `MAX_PERIOD` later.
        legal_names: whether to give those, each of which is put on record by itself.

    Raises:
        Refused: ``bad_period``.
    """
    in_range = all(2000 <= moment.year <= 2200 for moment in (since, until))
    if not in_range or not timedelta() < until - since <= MAX_PERIOD:
        raise Refused("bad_period", f"Please choose a period of up to {MAX_PERIOD.days} days.")
    async with storage.transaction() as session:
        on_record(session, act, "attendance.reported", group.id, group.id, legal_names=legal_names)
    async with storage.snapshot() as session:
        found = await _sessions(session, group, since, until, act.now)
    if not legal_names:
        return [one for one, _ in found]
    by_account: dict[str, str | None] = {}
    reports = []
    for one, people in found:
        lines = []
        for line in one.lines:
            account_id = people[line.key].account_id
            if account_id is not None and account_id not in by_account:
                by_account[account_id] = await view_legal_name(
                    storage, keyring, act, group.id, account_id
                )
            lines.append(replace(line, legal_name=by_account.get(account_id or "")))
        reports.append(replace(one, lines=tuple(lines)))
    return reports


_HEADER = (
    "session_starts_at",
    "session_ends_at",
    "display_name",
    "legal_name",
    "role",
    "status",
    "joined_at",
    "left_at",
    "minutes",
)


def _cell(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula (OWASP ASVS 5, 1.2.10)."""
    text = text or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\0") else text


def as_csv(reports: Sequence[SessionReport], time_zone: str) -> str:
    """The report as CSV (RFC 4180), with local times and their offsets."""
    zone = recurrence.time_zone(time_zone)

    def local(moment: datetime | None) -> str:
        return "" if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEADER)
    for one in reports:
        for line in one.lines:
            writer.writerow(
                [
                    local(one.starts_at),
                    local(one.ends_at),
                    _cell(line.display_name),
                    _cell(line.legal_name),
                    line.role,
                    line.status,
                    local(line.joined_at),
                    local(line.left_at),
                    line.minutes,
                ]
            )
    return out.getvalue()
