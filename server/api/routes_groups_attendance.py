"""Routes about who came to the sessions of a group."""

from __future__ import annotations

from datetime import datetime

from server.api.group_session_page import act_of, session_key
from server.api.routes import PREFIX, Call, Model, Reply, Route
from server.groups import attendance_report
from server.groups.groups import find_group
from server.refusals import Refused
from server.storage.models import GroupRole


class Period(Model):
    since: datetime
    until: datetime
    legal_names: bool = False


class LineView(Model):
    person: str
    display_name: str
    legal_name: str | None
    role: GroupRole
    status: attendance_report.Status
    joined_at: datetime | None
    left_at: datetime | None
    minutes: int


class SessionAttendance(Model):
    key: str
    starts_at: datetime
    ends_at: datetime | None
    people: list[LineView]


class AttendanceReport(Model):
    sessions: list[SessionAttendance]


async def _reports(call: Call) -> list[attendance_report.SessionReport]:
    query: Period = call.query
    if query.since.tzinfo is None or query.until.tzinfo is None:
        raise Refused("bad_period", "The period needs times with their time zone.")
    async with call.services.storage.snapshot() as session:
        group = await find_group(session, call.within.id)
    return await attendance_report.report(
        call.services.storage,
        call.services.keyring,
        act_of(call),
        group,
        query.since,
        query.until,
        legal_names=query.legal_names,
    )


async def _attendance(call: Call) -> AttendanceReport:
    return AttendanceReport(
        sessions=[
            SessionAttendance(
                key=session_key(one.starts_at),
                starts_at=one.starts_at,
                ends_at=one.ends_at,
                people=[
                    LineView(
                        person=line.key,
                        display_name=line.display_name,
                        legal_name=line.legal_name,
                        role=line.role,
                        status=line.status,
                        joined_at=line.joined_at,
                        left_at=line.left_at,
                        minutes=line.minutes,
                    )
                    for line in one.lines
                ],
            )
            for one in await _reports(call)
        ]
    )


async def _attendance_csv(call: Call) -> Reply:
    reports = await _reports(call)
    async with call.services.storage.snapshot() as session:
        zone = (await find_group(session, call.within.id)).time_zone
    return Reply(
        body=attendance_report.as_csv(reports, zone).encode(),
        content_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="attendance.csv"'},
    )


_GROUP = f"{PREFIX}/groups/{{group}}"

ROUTES = [
    Route(
        "GET",
        f"{_GROUP}/attendance",
        _attendance,
        "facilitator",
        "Who came to the sessions of a period.",
        query=Period,
        reply=AttendanceReport,
        step_up=True,
    ),
    Route(
        "GET",
        f"{_GROUP}/attendance.csv",
        _attendance_csv,
        "facilitator",
        "Who came to the sessions of a period, as CSV.",
        query=Period,
        step_up=True,
        content_type="text/csv",
    ),
]
