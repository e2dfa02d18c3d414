"""When a group meets: its schedules, what was called off or moved, and the sessions of these.

A session is named by its group and the moment at which it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import recurrence
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import (
    Absence,
    EntryConfirmation,
    Guest,
    GuestLink,
    Reminder,
    Schedule,
    ScheduleException,
)

MAX_SCHEDULES = 10
MAX_OCCURRENCES = 1_000
"""The most sessions that one look at a schedule gives."""

MAX_DURATION = timedelta(minutes=1440)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A session as it is due.

    Args:
        group_id: of which group.
        starts_at: UTC.
        ends_at: UTC; the duration is exact, also over a change of clocks.
        schedule_id: by which schedule.
        rule_start: the local start that the rule gives, as stored, also if it was moved.
        is_cancelled: whether it was called off.
        is_moved: whether ``starts_at`` is another than the rule gives.
    """

    group_id: str
    starts_at: datetime
    ends_at: datetime
    schedule_id: str
    rule_start: str
    is_cancelled: bool = False
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes a schedule.

    Args:
        starts_at: the first start, local, such as ``2027-01-05T18:00:00``.
        time_zone: IANA name.
        recurrence: an RRULE without its name; None for once.
        duration_minutes: 10 to 720.
    """

    starts_at: str
    time_zone: str
    recurrence: str | None
    duration_minutes: int


def expand(
    schedule: Schedule,
    exceptions: Sequence[ScheduleException],
    since: datetime,
    until: datetime,
) -> list[Occurrence]:
    """The sessions of one schedule that end after ``since`` and start before ``until``.

    Among them those called off. At most `MAX_OCCURRENCES`, by their start.
    """
    zone = recurrence.time_zone(schedule.time_zone)
    duration = timedelta(minutes=schedule.duration_minutes)
    by_start = {exception.occurrence: exception for exception in exceptions}
    found: list[Occurrence] = []

    def add(rule_start: str) -> None:
        exception = by_start.get(rule_start)
        moved_to = None if exception is None else exception.moved_to
        local = recurrence.local_time(moved_to or rule_start)
        starts_at = recurrence.moment(local, zone)
        if starts_at < until and starts_at + duration > since:
            found.append(
                Occurrence(
                    schedule.group_id,
                    starts_at,
                    starts_at + duration,
                    schedule.id,
                    rule_start,
                    is_cancelled=exception is not None and moved_to is None,
                    is_moved=moved_to is not None,
                )
            )

    starts = recurrence.local_starts(
        schedule.recurrence, recurrence.local_time(schedule.starts_at), zone
    )
    for local in starts:
        rule_start = recurrence.written(local)
        if recurrence.moment(local, zone) >= until or len(found) >= MAX_OCCURRENCES:
            # What was moved to before this is none of those that the rule gives before this.
            for later in sorted(by_start):
                if later >= rule_start and by_start[later].moved_to is not None:
                    add(later)
            break
        add(rule_start)
    return sorted(found, key=lambda occurrence: occurrence.starts_at)[:MAX_OCCURRENCES]


async def schedules(session: AsyncSession, group_id: str) -> Sequence[Schedule]:
    """The schedules of a group, also those that have ended."""
    return (
        await session.scalars(
            select(Schedule)
            .where(Schedule.group_id == group_id)
            .order_by(Schedule.created_at, Schedule.id)
        )
    ).all()


async def occurrences(
    session: AsyncSession,
    group_id: str,
    since: datetime,
    until: datetime,
    *,
    cancelled: bool = False,
) -> list[Occurrence]:
    """The sessions of a group that end after ``since`` and start before ``until``, in order.

    Args:
        session: to read with.
        group_id: of which group.
        since: UTC.
        until: UTC.
        cancelled: whether to give also those called off.
    """
    found: dict[datetime, Occurrence] = {}
    for schedule in await schedules(session, group_id):
        exceptions = await session.scalars(
            select(ScheduleException).where(ScheduleException.schedule_id == schedule.id)
        )
        for occurrence in expand(schedule, exceptions.all(), since, until):
            if occurrence.is_cancelled and not cancelled:
                continue
            before = found.get(occurrence.starts_at)
            if before is None or before.is_cancelled:
                found[occurrence.starts_at] = occurrence
    return [found[starts_at] for starts_at in sorted(found)][:MAX_OCCURRENCES]


async def next_occurrence(
    session: AsyncSession, group_id: str, now: datetime, within: timedelta = timedelta(days=400)
) -> Occurrence | None:
    """The session that goes on now, or the next one."""
    return next(iter(await occurrences(session, group_id, now, now + within)), None)


async def occurrence_at(
    session: AsyncSession, group_id: str, starts_at: datetime
) -> Occurrence | None:
    """The session that starts at exactly this moment and is not called off."""
    around = await occurrences(
        session, group_id, starts_at - MAX_DURATION, starts_at + timedelta(seconds=1)
    )
    return next((found for found in around if found.starts_at == starts_at), None)


async def session_at(session: AsyncSession, group_id: str, starts_at: datetime) -> Occurrence:
    """As `occurrence_at`.

    Raises:
        Refused: ``no_session``.
    """
    found = await occurrence_at(session, group_id, starts_at)
    if found is None:
        raise Refused("no_session", "There is no session of this group at this time.", 404)
    return found


def _checked(plan: Plan) -> tuple[str, str | None]:
    zone = recurrence.time_zone(plan.time_zone)
    starts_at = recurrence.local_time(plan.starts_at)
    if not 10 <= plan.duration_minutes <= 720:
        raise Refused("bad_duration", "A session can last from 10 minutes to 12 hours.")
    if plan.recurrence is None:
        return recurrence.written(starts_at), None
    rule = recurrence.checked_rule(plan.recurrence)
    return recurrence.written(recurrence.first_start(rule, starts_at, zone)), rule


async def add_schedule(session: AsyncSession, act: Act, group_id: str, plan: Plan) -> Schedule:
    """Have a group meet by one more schedule.

    Raises:
        Refused: ``bad_time``, ``bad_time_zone``, ``bad_rule``, ``bad_duration``, ``overlaps`` if
            its own sessions would, or ``too_many``.
    """
    starts_at, rule = _checked(plan)
    if len(await schedules(session, group_id)) >= MAX_SCHEDULES:
        await _drop_ended(session, group_id, act.now)
        if len(await schedules(session, group_id)) >= MAX_SCHEDULES:
            raise Refused("too_many", f"A group can have up to {MAX_SCHEDULES} schedules.", 409)
    row = Schedule(
        id=new_id(),
        group_id=group_id,
        starts_at=starts_at,
        time_zone=plan.time_zone,
        recurrence=rule,
        duration_minutes=plan.duration_minutes,
        created_at=act.now,
    )
    first = recurrence.moment(
        recurrence.local_time(starts_at), recurrence.time_zone(plan.time_zone)
    )
    year = expand(row, (), first, first + timedelta(days=366))
    if any(one.ends_at > other.starts_at for one, other in pairwise(year)):
        raise Refused("overlaps", "A session would begin before the one before it has ended.")
    session.add(row)
    await session.flush()
    on_record(session, act, "schedule.created", row.id, group_id)
    return row


async def _drop_ended(session: AsyncSession, group_id: str, now: datetime) -> None:
    """Delete what ended over a year ago, to make room; attendance does not need it."""
    for schedule in await schedules(session, group_id):
        if not expand(schedule, (), now - timedelta(days=366), now + timedelta(days=366 * 10)):
            await session.delete(schedule)
    await session.flush()


async def find_schedule(session: AsyncSession, group_id: str, schedule_id: str) -> Schedule:
    """A schedule of this group.

    Raises:
        Refused: ``not_found``.
    """
    schedule = await session.get(Schedule, schedule_id)
    if schedule is None or schedule.group_id != group_id:
        raise Refused("not_found", "This schedule does not exist.", 404)
    return schedule


async def end_schedule(session: AsyncSession, act: Act, group_id: str, schedule_id: str) -> None:
    """Have no more sessions by a schedule; those that began already stay as they were.

    Raises:
        Refused: ``not_found``.
    """
    schedule = await find_schedule(session, group_id, schedule_id)
    zone = recurrence.time_zone(schedule.time_zone)
    starts = recurrence.local_starts(
        schedule.recurrence, recurrence.local_time(schedule.starts_at), zone
    )
    began, more = False, False
    for local in starts:
        if recurrence.moment(local, zone) > act.now:
            more = True
            break
        began = True
    exceptions = (
        await session.scalars(
            select(ScheduleException).where(ScheduleException.schedule_id == schedule.id)
        )
    ).all()
    if not began:
        await session.delete(schedule)
    else:
        if more and schedule.recurrence is not None:
            schedule.recurrence = recurrence.ended(schedule.recurrence, act.now)
        for exception in exceptions:  # moved, and still to come
            local = recurrence.local_time(exception.moved_to or exception.occurrence)
            if exception.moved_to is not None and recurrence.moment(local, zone) > act.now:
                exception.moved_to = None
    await session.flush()
    on_record(session, act, "schedule.ended", schedule_id, group_id)


async def change_schedule(
    session: AsyncSession, act: Act, group_id: str, schedule_id: str, plan: Plan
) -> Schedule:
    """End a schedule and go on by another, so that past sessions stay as they were.

    Raises:
        Refused: as `end_schedule` and `add_schedule`.
    """
    _checked(plan)
    await end_schedule(session, act, group_id, schedule_id)
    return await add_schedule(session, act, group_id, plan)


async def _by_rule(session: AsyncSession, schedule: Schedule, rule_start: str) -> Occurrence:
    """What the rule gives at this local start, with its exception."""
    zone = recurrence.time_zone(schedule.time_zone)
    start = recurrence.moment(recurrence.local_time(rule_start), zone)
    exception = await _exception(session, schedule.id, rule_start)
    given = expand(schedule, (), start, start + timedelta(seconds=1))
    if not any(occurrence.rule_start == rule_start for occurrence in given):
        raise Refused("no_session", "There is no session of this group at this time.", 404)
    if exception is None or exception.moved_to is None:
        cancelled = exception is not None
        return next(
            Occurrence(
                found.group_id,
                found.starts_at,
                found.ends_at,
                found.schedule_id,
                rule_start,
                is_cancelled=cancelled,
            )
            for found in given
            if found.rule_start == rule_start
        )
    moved = recurrence.moment(recurrence.local_time(exception.moved_to), zone)
    duration = timedelta(minutes=schedule.duration_minutes)
    return Occurrence(
        schedule.group_id, moved, moved + duration, schedule.id, rule_start, is_moved=True
    )


async def _exception(
    session: AsyncSession, schedule_id: str, rule_start: str
) -> ScheduleException | None:
    return await session.scalar(
        select(ScheduleException).where(
            ScheduleException.schedule_id == schedule_id,
            ScheduleException.occurrence == rule_start,
        )
    )


async def except_session(
    session: AsyncSession,
    act: Act,
    group_id: str,
    schedule_id: str,
    occurrence: str,
    *,
    moved_to: str | None,
) -> None:
    """Call one session off, or move it; whatever people arranged for it moves along.

    Args:
        session: of a transaction.
        act: by whom.
        group_id: of which group.
        schedule_id: of which schedule.
        occurrence: the local start that the rule gives.
        moved_to: the local start instead; None to call it off.

    Raises:
        Refused: ``not_found``, ``no_session``, ``bad_time``, ``session_past`` if it began already
            or would lie in the past, or ``session_exists`` if the group meets then already.
    """
    schedule = await find_schedule(session, group_id, schedule_id)
    rule_start = recurrence.written(recurrence.local_time(occurrence))
    before = await _by_rule(session, schedule, rule_start)
    _refuse_past(before.starts_at, act.now)
    exception = await _exception(session, schedule_id, rule_start)
    local = None if moved_to is None else recurrence.local_time(moved_to)
    if local is not None:
        new = recurrence.moment(local, recurrence.time_zone(schedule.time_zone))
        _refuse_past(new, act.now)
        if new != before.starts_at:
            await _refuse_existing(session, group_id, new)
            await _move_along(session, group_id, before.starts_at, new)
    if exception is None:
        exception = ScheduleException(
            id=new_id(), schedule_id=schedule_id, occurrence=rule_start, moved_to=None
        )
        session.add(exception)
    exception.moved_to = None if local is None else recurrence.written(local)
    if exception.moved_to == rule_start:
        await session.delete(exception)
    await session.flush()
    action = "session.cancelled" if local is None else "session.moved"
    on_record(session, act, action, schedule_id, group_id, occurrence=rule_start)


async def restore_session(
    session: AsyncSession, act: Act, group_id: str, schedule_id: str, occurrence: str
) -> None:
    """Have a session that was called off or moved as the rule gives it.

    Raises:
        Refused: ``not_found``, ``no_session``, ``session_past`` or ``session_exists``.
    """
    schedule = await find_schedule(session, group_id, schedule_id)
    rule_start = recurrence.written(recurrence.local_time(occurrence))
    before = await _by_rule(session, schedule, rule_start)
    exception = await _exception(session, schedule_id, rule_start)
    if exception is None:
        return
    zone = recurrence.time_zone(schedule.time_zone)
    by_rule = recurrence.moment(recurrence.local_time(rule_start), zone)
    _refuse_past(before.starts_at, act.now)
    _refuse_past(by_rule, act.now)
    if before.is_moved or before.is_cancelled:
        await _refuse_existing(session, group_id, by_rule)
    if before.is_moved:
        await _move_along(session, group_id, before.starts_at, by_rule)
    await session.delete(exception)
    await session.flush()
    on_record(session, act, "session.restored", schedule_id, group_id, occurrence=rule_start)


def _refuse_past(starts_at: datetime, now: datetime) -> None:
    if starts_at <= now:
        raise Refused("session_past", "This time is past already.", 409)


async def _refuse_existing(session: AsyncSession, group_id: str, starts_at: datetime) -> None:
    if await occurrence_at(session, group_id, starts_at) is not None:
        raise Refused("session_exists", "The group meets at this time already.", 409)


async def _move_along(
    session: AsyncSession, group_id: str, before: datetime, after: datetime
) -> None:
    """Absences, guests and confirmations of a moved session are of the new time."""
    for model in (Absence, EntryConfirmation):
        # Left over from another session that was to be then: it would be in the way.
        await session.execute(
            delete(model).where(model.group_id == group_id, model.session_starts_at == after)
        )
    for moving in (Absence, EntryConfirmation, GuestLink, Guest):
        await session.execute(
            update(moving)
            .where(moving.group_id == group_id, moving.session_starts_at == before)
            .values(session_starts_at=after)
        )
    await session.execute(
        update(Absence)
        .where(Absence.make_up_group_id == group_id, Absence.make_up_starts_at == before)
        .values(make_up_starts_at=after)
    )
    shift = after - before
    links = await session.scalars(
        select(GuestLink).where(
            GuestLink.group_id == group_id, GuestLink.session_starts_at == after
        )
    )
    for link in links:
        link.expires_at += shift
    # Whoever was reminded of the old time is reminded again.
    await session.execute(
        delete(Reminder).where(
            Reminder.group_id == group_id, Reminder.session_starts_at.in_((before, after))
        )
    )
