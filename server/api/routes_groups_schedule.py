"""Routes about when a group meets, and about one's calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from server.api.group_session_page import (
    SessionView,
    act_of,
    read_basic_local,
    session_view,
)
from server.api.routes import PREFIX, Call, Model, Rate, Reply, Route
from server.groups import calendar_feed, schedule
from server.groups.groups import find_group

LocalTime = Annotated[str, Field(min_length=16, max_length=19)]


class ScheduleBody(Model):
    """When a group meets."""

    starts_at: LocalTime
    time_zone: Annotated[str, Field(max_length=64)] | None
    recurrence: Annotated[str, Field(max_length=200)] | None
    duration_minutes: int = Field(ge=10, le=720)


class ScheduleView(Model):
    id: str
    starts_at: str
    time_zone: str
    recurrence: str | None
    duration_minutes: int


class ScheduleList(Model):
    schedules: list[ScheduleView]


class ScheduleId(Model):
    id: str


class ExceptionBody(Model):
    """Where a session is moved to; null calls it off."""

    moved_to: LocalTime | None


class DaysAhead(Model):
    days: int = Field(60, ge=1, le=400)


class SessionList(Model):
    sessions: list[SessionView]


class CalendarView(Model):
    created_at: datetime | None


class CalendarPath(Model):
    """Shown once."""

    path: str


async def _schedules(call: Call) -> ScheduleList:
    async with call.services.storage.snapshot() as session:
        rows = await schedule.schedules(session, call.within.id)
    return ScheduleList(
        schedules=[
            ScheduleView(
                id=row.id,
                starts_at=row.starts_at,
                time_zone=row.time_zone,
                recurrence=row.recurrence,
                duration_minutes=row.duration_minutes,
            )
            for row in rows
        ]
    )


async def _add(call: Call) -> ScheduleId:
    async with call.services.storage.transaction() as session:
        group = await find_group(session, call.within.id, open_only=True)
        zone = call.body.time_zone or group.time_zone
        row = await schedule.add_schedule(session, act_of(call), call.within.id, _plan(call, zone))
    return ScheduleId(id=row.id)


def _plan(call: Call, zone: str) -> schedule.Plan:
    body: ScheduleBody = call.body
    return schedule.Plan(body.starts_at, zone, body.recurrence, body.duration_minutes)


async def _change(call: Call) -> ScheduleId:
    async with call.services.storage.transaction() as session:
        group = await find_group(session, call.within.id, open_only=True)
        zone = call.body.time_zone or group.time_zone
        row = await schedule.change_schedule(
            session, act_of(call), call.within.id, call.path["schedule"], _plan(call, zone)
        )
    return ScheduleId(id=row.id)


async def _end(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await schedule.end_schedule(session, act_of(call), call.within.id, call.path["schedule"])


async def _except(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await find_group(session, call.within.id, open_only=True)
        await schedule.except_session(
            session,
            act_of(call),
            call.within.id,
            call.path["schedule"],
            read_basic_local(call.path["occurrence"]),
            moved_to=call.body.moved_to,
        )


async def _restore(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await find_group(session, call.within.id, open_only=True)
        await schedule.restore_session(
            session,
            act_of(call),
            call.within.id,
            call.path["schedule"],
            read_basic_local(call.path["occurrence"]),
        )


async def _sessions(call: Call) -> SessionList:
    until = call.now + timedelta(days=call.query.days)
    async with call.services.storage.snapshot() as session:
        found = await schedule.occurrences(session, call.within.id, call.now, until, cancelled=True)
    return SessionList(sessions=[session_view(one) for one in found])


async def _calendar(call: Call) -> CalendarView:
    async with call.services.storage.snapshot() as session:
        row = await calendar_feed.feed_of(session, call.who.id)
    return CalendarView(created_at=None if row is None else row.created_at)


async def _new_calendar(call: Call) -> CalendarPath:
    async with call.services.storage.transaction() as session:
        token = await calendar_feed.create_feed(session, act_of(call), call.who.id)
    return CalendarPath(path=f"{PREFIX}/calendars/{token}.ics")


async def _end_calendar(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await calendar_feed.revoke_feed(session, act_of(call), call.who.id)


async def _feed(call: Call) -> Reply:
    async with call.services.storage.snapshot() as session:
        body = await calendar_feed.feed(session, call.path["token"], call.now)
    return Reply(body=body, content_type="text/calendar")


_GROUP = f"{PREFIX}/groups/{{group}}"
_SCHEDULES = f"{_GROUP}/schedules"
_EXCEPTION = f"{_SCHEDULES}/{{schedule}}/exceptions/{{occurrence}}"

ROUTES = [
    Route(
        "GET",
        _SCHEDULES,
        _schedules,
        "member",
        "When the group meets, as rules.",
        reply=ScheduleList,
    ),
    Route(
        "POST",
        _SCHEDULES,
        _add,
        "facilitator",
        "Have the group meet by one more schedule.",
        body=ScheduleBody,
        reply=ScheduleId,
        status=201,
    ),
    Route(
        "PUT",
        f"{_SCHEDULES}/{{schedule}}",
        _change,
        "facilitator",
        "Go on by another schedule; past sessions stay as they were.",
        body=ScheduleBody,
        reply=ScheduleId,
    ),
    Route(
        "DELETE",
        f"{_SCHEDULES}/{{schedule}}",
        _end,
        "facilitator",
        "Have no more sessions by a schedule.",
    ),
    Route(
        "PUT",
        _EXCEPTION,
        _except,
        "facilitator",
        "Call one session off, or move it.",
        body=ExceptionBody,
    ),
    Route(
        "DELETE",
        _EXCEPTION,
        _restore,
        "facilitator",
        "Have a session as the schedule gives it again.",
    ),
    Route(
        "GET",
        f"{_GROUP}/sessions",
        _sessions,
        "member",
        "The next sessions of the group, among them those called off.",
        query=DaysAhead,
        reply=SessionList,
    ),
    Route(
        "GET",
        f"{PREFIX}/calendar",
        _calendar,
        "signed_in",
        "Whether one has a calendar feed.",
        reply=CalendarView,
    ),
    Route(
        "POST",
        f"{PREFIX}/calendar",
        _new_calendar,
        "signed_in",
        "Make a new secret address of one's calendar feed; the one before stops working.",
        reply=CalendarPath,
        status=201,
        rate=Rate(burst=5, per_second=0.02),
    ),
    Route(
        "DELETE",
        f"{PREFIX}/calendar",
        _end_calendar,
        "signed_in",
        "Make the address of one's calendar feed stop working.",
    ),
    Route(
        "GET",
        f"{PREFIX}/calendars/{{token}}.ics",
        _feed,
        "anyone",
        "The calendar feed under a secret address.",
        rate=Rate(burst=20, per_second=0.2),
        content_type="text/calendar",
    ),
]
