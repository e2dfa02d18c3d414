"""Routes about who will not come to a session of a group, and makes it up in another."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.api.group_session_page import act_of, read_session_key, session_key
from server.api.routes import Call, Id, Model, Route
from server.api.routes_groups_sessions import SESSION, the_session
from server.groups import absences
from server.storage.models import Absence


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


async def _announce(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        _, occurrence = await the_session(call, session)
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
        _, occurrence = await the_session(call, session)
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
        _, occurrence = await the_session(call, session)
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
        _, occurrence = await the_session(call, session)
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
        _, occurrence = await the_session(call, session)
        await absences.give_up_make_up(session, act_of(call), occurrence, call.who.id)


ROUTES = [
    Route(
        "PUT",
        f"{SESSION}/absence",
        _announce,
        "member",
        "Say that one will not come.",
        body=AbsenceBody,
    ),
    Route(
        "DELETE",
        f"{SESSION}/absence",
        _take_back,
        "member",
        "Come after all.",
    ),
    Route(
        "GET",
        f"{SESSION}/absences",
        _absences,
        "facilitator",
        "Who will not come.",
        reply=Absences,
    ),
    Route(
        "GET",
        f"{SESSION}/make-ups",
        _options,
        "participant",
        "In which sessions this one can be made up.",
        reply=Options,
    ),
    Route(
        "PUT",
        f"{SESSION}/make-up",
        _make_up,
        "participant",
        "Choose a session in which to make up this one.",
        body=MakeUpBody,
        reply=MakeUpId,
    ),
    Route(
        "DELETE",
        f"{SESSION}/make-up",
        _give_up,
        "participant",
        "Not make it up after all.",
    ),
]
