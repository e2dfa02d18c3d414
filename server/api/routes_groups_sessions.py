"""Routes about the sessions of groups: the next ones, the page of one, and who is expected."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from server.api.group_session_page import (
    ConfirmationBody,
    SessionPage,
    SessionView,
    act_of,
    confirm,
    read_session_key,
    session_page,
    session_view,
)
from server.api.routes import PREFIX, Call, Model, Route
from server.groups import (
    absences,
    attendance,
    confirmations,
    memberships,
    opening,
    schedule,
    signatures,
    standing,
)
from server.groups.groups import find_group
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.models import DocumentKind, Group, GroupRole

SESSION = f"{PREFIX}/groups/{{group}}/sessions/{{session}}"


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
    is_private: bool
    """Whether nobody else can hear: they are alone, or wear headphones."""
    confirmed_at: datetime


async def the_session(call: Call, session: AsyncSession) -> tuple[Group, schedule.Occurrence]:
    """The group and the session that the route names.

    Raises:
        Refused: ``no_session``.
    """
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
        group, occurrence = await the_session(call, session)
        stands = await standing.standing(session, group, occurrence.starts_at, Person(call.who.id))
        if stands is None:
            raise Refused("not_found", "There is no such thing here.", 404)
        return await session_page(
            session, call.services.keyring, group, occurrence, stands, call.now
        )


async def _people(call: Call) -> People:
    async with call.services.storage.snapshot() as session:
        group, occurrence = await the_session(call, session)
        starts_at = occurrence.starts_at
        await confirmations.refuse_who_is_not_there(
            session, group.id, starts_at, call.within.role, Person(call.who.id)
        )
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
        _, occurrence = await the_session(call, session)
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
        is_private=opened.is_private,
        confirmed_at=opened.confirmed_at,
    )


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
        SESSION,
        _page,
        "member",
        "Whether the session is open, and what is missing before one can enter.",
        reply=SessionPage,
    ),
    Route(
        "GET",
        f"{SESSION}/people",
        _people,
        "care",
        "Who is expected, and whether they have signed and confirmed; a counselor sees it while "
        "they are in the session.",
        reply=People,
    ),
    Route(
        "PUT",
        f"{SESSION}/confirmation",
        _confirm,
        "member",
        "Confirm where one is, and whom to call in an emergency.",
        body=ConfirmationBody,
    ),
    Route(
        "GET",
        f"{SESSION}/confirmations/{{person}}",
        _confirmation,
        "care",
        "What someone confirmed; a counselor sees it while they are in the session.",
        reply=ConfirmationView,
    ),
]
