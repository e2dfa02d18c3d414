"""Routes about one session of a group: its page, who comes, and who came."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from server.api.group_session_page import (
    ConfirmationBody,
    SessionPage,
    SessionView,
    act_of,
    confirm,
    read_session_key,
    session_key,
    session_page,
    session_view,
)
from server.api.routes import PREFIX, Call, Id, Model, Reply, Route
from server.groups import (
    absences,
    attendance,
    attendance_report,
    confirmations,
    guests,
    memberships,
    opening,
    schedule,
    signatures,
    standing,
)
from server.groups.groups import find_group
from server.groups.particulars import particulars
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.models import Absence, DocumentKind, Group, GroupRole


class Ahead(Model):
    days: int = Field(14, ge=1, le=100)


class MySession(Model):
    session: SessionView
    group_name: str
    opens_at: datetime
    is_open: bool
    is_absent: bool
    absence: str | None
    """The id for the routes of make-up sessions, if this is one."""


class MySessions(Model):
    sessions: list[MySession]


class PersonView(Model):
    person: str
    display_name: str
    pronouns: str | None
    role: GroupRole
    kind: standing.Kind
    is_absent: bool
    unsigned: list[DocumentKind]
    is_confirmed: bool
    is_present: bool


class People(Model):
    people: list[PersonView]


class ConfirmationView(Model):
    location: str
    phone: str
    contact_name: str
    contact_phone: str
    confirmed_at: datetime


class AbsenceBody(Model):
    """A word to the facilitators, if one likes."""

    note: Annotated[str, Field(max_length=absences.MAX_NOTE)] | None


class AbsenceView(Model):
    person: str
    display_name: str
    note: str | None
    created_at: datetime
    makes_up: bool


class Absences(Model):
    absences: list[AbsenceView]


class OptionView(Model):
    group: str
    group_name: str
    key: str
    starts_at: datetime
    ends_at: datetime
    places: int


class Options(Model):
    options: list[OptionView]


class MakeUpBody(Model):
    """Which session instead."""

    group: Id
    key: Annotated[str, Field(max_length=20)]


class MakeUpId(Model):
    absence: str


class NewLinkView(Model):
    """The token is shown once."""

    id: str
    token: str
    expires_at: datetime


class LinkView(Model):
    id: str
    created_at: datetime
    expires_at: datetime
    guests: int


class Links(Model):
    links: list[LinkView]


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


async def _the_session(call: Call, session: AsyncSession) -> tuple[Group, schedule.Occurrence]:
    group = await find_group(session, call.within.id)
    starts_at = read_session_key(call.path["session"])
    return group, await schedule.session_at(session, group.id, starts_at)


async def _my_sessions(call: Call) -> MySessions:
    now, until = call.now, call.now + timedelta(days=call.query.days)
    found: list[MySession] = []

    def add(
        one: schedule.Occurrence, group: Group, role: GroupRole, *, absent: bool, by: str | None
    ) -> None:
        found.append(
            MySession(
                session=session_view(one),
                group_name=group.name,
                opens_at=opening.opens_at(one.starts_at, role),
                is_open=not one.is_cancelled
                and opening.is_open(one.starts_at, one.ends_at, role, now),
                is_absent=absent,
                absence=by,
            )
        )

    async with call.services.storage.snapshot() as session:
        for member, group in await memberships.of_account(session, call.who.id):
            if group.closed_at is not None:
                continue
            for one in await schedule.occurrences(
                session, group.id, now - opening.LATE, until, cancelled=True
            ):
                absence = await absences.find(session, group.id, one.starts_at, call.who.id)
                add(one, group, member.role, absent=absence is not None, by=None)
        for row, group, one in await absences.chosen(session, call.who.id, now - opening.LATE):
            add(one, group, "participant", absent=False, by=row.id)
    return MySessions(sessions=sorted(found, key=lambda one: one.session.starts_at))


async def _page(call: Call) -> SessionPage:
    async with call.services.storage.snapshot() as session:
        group, occurrence = await _the_session(call, session)
        stands = await standing.standing(session, group, occurrence.starts_at, Person(call.who.id))
        if stands is None:
            raise Refused("not_found", "There is no such thing here.", 404)
        return await session_page(session, group, occurrence, stands, call.now)


async def _people(call: Call) -> People:
    async with call.services.storage.snapshot() as session:
        group, occurrence = await _the_session(call, session)
        starts_at = occurrence.starts_at
        present = await attendance.present(session, group.id, starts_at)
        people = []
        for one in await standing.everyone(session, group, starts_at):
            absence = None
            if one.kind == "member" and one.person.account_id is not None:
                absence = await absences.find(session, group.id, starts_at, one.person.account_id)
            people.append(
                PersonView(
                    person=one.key,
                    display_name=one.display_name,
                    pronouns=one.pronouns,
                    role=one.role,
                    kind=one.kind,
                    is_absent=absence is not None,
                    unsigned=await signatures.unsigned(session, group, one.person, one.role),
                    is_confirmed=await confirmations.is_confirmed(
                        session, group.id, starts_at, one.person, call.now
                    ),
                    is_present=one.person in present,
                )
            )
    return People(people=people)


async def _confirm(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        _, occurrence = await _the_session(call, session)
        await confirm(call, session, act_of(call), occurrence, Person(call.who.id))


async def _confirmation(call: Call) -> ConfirmationView:
    # Not by the schedule: a session that was called off while people are in it is one, too.
    async with call.services.storage.snapshot() as session:
        group = await find_group(session, call.within.id)
    opened = await confirmations.view_confirmation(
        call.services.storage,
        call.services.keyring,
        act_of(call),
        group,
        read_session_key(call.path["session"]),
        call.path["person"],
        role=call.within.role,
    )
    return ConfirmationView(
        location=opened.location,
        phone=opened.phone,
        contact_name=opened.contact_name,
        contact_phone=opened.contact_phone,
        confirmed_at=opened.confirmed_at,
    )


async def _announce(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        _, occurrence = await _the_session(call, session)
        await absences.announce(
            session,
            call.services.keyring,
            act_of(call),
            occurrence,
            call.who.id,
            call.body.note,
        )


async def _take_back(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        _, occurrence = await _the_session(call, session)
        await absences.take_back(session, act_of(call), occurrence, call.who.id)


async def _absences(call: Call) -> Absences:
    seen = await absences.view_absences(
        call.services.storage,
        call.services.keyring,
        act_of(call),
        call.within.id,
        read_session_key(call.path["session"]),
    )
    return Absences(
        absences=[
            AbsenceView(
                person=one.key,
                display_name=one.display_name,
                note=one.note,
                created_at=one.created_at,
                makes_up=one.makes_up,
            )
            for one in seen
        ]
    )


async def _options(call: Call) -> Options:
    async with call.services.storage.snapshot() as session:
        _, occurrence = await _the_session(call, session)
        found = await absences.options(session, occurrence, call.who.id, call.now)
    return Options(
        options=[
            OptionView(
                group=one.group.id,
                group_name=one.group.name,
                key=session_key(one.occurrence.starts_at),
                starts_at=one.occurrence.starts_at,
                ends_at=one.occurrence.ends_at,
                places=one.places,
            )
            for one in found
        ]
    )


async def _make_up(call: Call) -> MakeUpId:
    body: MakeUpBody = call.body
    async with call.services.storage.transaction() as session:
        _, occurrence = await _the_session(call, session)
        row: Absence = await absences.make_up(
            session,
            call.services.keyring,
            act_of(call),
            occurrence,
            call.who.id,
            body.group,
            read_session_key(body.key),
        )
    return MakeUpId(absence=row.id)


async def _give_up(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        _, occurrence = await _the_session(call, session)
        await absences.give_up_make_up(session, act_of(call), occurrence, call.who.id)


async def _new_link(call: Call) -> NewLinkView:
    async with call.services.storage.transaction() as session:
        group, occurrence = await _the_session(call, session)
        new = await guests.create_link(session, act_of(call), group, occurrence)
    return NewLinkView(id=new.link.id, token=new.token, expires_at=new.link.expires_at)


async def _links(call: Call) -> Links:
    async with call.services.storage.snapshot() as session:
        group, occurrence = await _the_session(call, session)
        found = await guests.links(session, group.id, occurrence)
    return Links(
        links=[
            LinkView(
                id=link.id,
                created_at=link.created_at,
                expires_at=link.expires_at,
                guests=number,
            )
            for link, number in found
        ]
    )


async def _revoke_link(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await guests.revoke_link(session, act_of(call), call.within.id, call.path["link"])


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
        zone = (await particulars(session, call.within.id)).time_zone
    return Reply(
        body=attendance_report.as_csv(reports, zone).encode(),
        content_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="attendance.csv"'},
    )


_GROUP = f"{PREFIX}/groups/{{group}}"
_SESSION = f"{_GROUP}/sessions/{{session}}"

ROUTES = [
    Route(
        "GET",
        f"{PREFIX}/sessions",
        _my_sessions,
        "signed_in",
        "One's next sessions in all groups, and those in which one makes up another.",
        query=Ahead,
        reply=MySessions,
    ),
    Route(
        "GET",
        _SESSION,
        _page,
        "member",
        "Whether the session is open, and what is missing before one can enter.",
        reply=SessionPage,
    ),
    Route(
        "GET",
        f"{_SESSION}/people",
        _people,
        "facilitator",
        "Who is expected, and whether they have signed and confirmed.",
        reply=People,
    ),
    Route(
        "PUT",
        f"{_SESSION}/confirmation",
        _confirm,
        "member",
        "Confirm where one is, and whom to call in an emergency.",
        body=ConfirmationBody,
    ),
    Route(
        "GET",
        f"{_SESSION}/confirmations/{{person}}",
        _confirmation,
        "care",
        "What someone confirmed; a counselor sees it while they are in the session.",
        reply=ConfirmationView,
    ),
    Route(
        "PUT",
        f"{_SESSION}/absence",
        _announce,
        "member",
        "Say that one will not come.",
        body=AbsenceBody,
    ),
    Route(
        "DELETE",
        f"{_SESSION}/absence",
        _take_back,
        "member",
        "Come after all.",
    ),
    Route(
        "GET",
        f"{_SESSION}/absences",
        _absences,
        "facilitator",
        "Who will not come.",
        reply=Absences,
    ),
    Route(
        "GET",
        f"{_SESSION}/make-ups",
        _options,
        "participant",
        "In which sessions this one can be made up.",
        reply=Options,
    ),
    Route(
        "PUT",
        f"{_SESSION}/make-up",
        _make_up,
        "participant",
        "Choose a session in which to make up this one.",
        body=MakeUpBody,
        reply=MakeUpId,
    ),
    Route(
        "DELETE",
        f"{_SESSION}/make-up",
        _give_up,
        "participant",
        "Not make it up after all.",
    ),
    Route(
        "POST",
        f"{_SESSION}/guest-links",
        _new_link,
        "facilitator",
        "Make a link by which guests come to this session.",
        reply=NewLinkView,
        status=201,
    ),
    Route(
        "GET",
        f"{_SESSION}/guest-links",
        _links,
        "facilitator",
        "The guest links to this session.",
        reply=Links,
    ),
    Route(
        "DELETE",
        f"{_GROUP}/guest-links/{{link}}",
        _revoke_link,
        "facilitator",
        "Make a guest link worthless.",
    ),
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
