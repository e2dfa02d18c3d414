"""Routes that let someone into the live room of a session."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from server.admission import Entrant
from server.api.group_session_page import act_of, read_session_key
from server.api.routes import PREFIX, Call, Model, Rate, Route
from server.api.routes_groups_visitors import guest_of, make_up_of
from server.entrance import EntryTokens
from server.groups.act import Act
from server.groups.entry import enter
from server.groups.opening import closes_at
from server.groups.persons import Person
from server.groups.schedule import session_at

ENTRY_TOKENS: Final = "entry_tokens"
"""The `EntryTokens` in `Services.more`."""

_RATE = Rate(burst=20, per_second=0.2)


class EntryView(Model):
    """The way in: the page of ``/room/<room>#<token>``."""

    room: str
    token: str
    waits: bool
    """Whether a facilitator has to let them in from the waiting room."""


async def _enter(
    call: Call, act: Act, group_id: str, starts_at: datetime, person: Person
) -> EntryView:
    storage = call.services.storage
    entry = await enter(storage, act, group_id, starts_at, person)
    async with storage.snapshot() as session:
        occurrence = await session_at(session, group_id, starts_at)
    tokens: EntryTokens = call.services.more[ENTRY_TOKENS]
    entrant = Entrant(
        person=person,
        group_id=group_id,
        starts_at=starts_at,
        closes_at=closes_at(occurrence.ends_at),
        group_role=entry.role,
        name=entry.display_name,
        pronouns=entry.pronouns,
        kind=entry.kind,
        key=entry.key,
        waits=entry.waits,
        members_wait=entry.members_wait,
        formats=entry.formats,
    )
    return EntryView(room=tokens.room_of(entrant), token=tokens.issue(entrant), waits=entrant.waits)


async def _as_member(call: Call) -> EntryView:
    starts_at = read_session_key(call.path["session"])
    return await _enter(call, act_of(call), call.within.id, starts_at, Person(call.who.id))


async def _as_make_up(call: Call) -> EntryView:
    async with call.services.storage.snapshot() as session:
        group_id, starts_at = await make_up_of(call, session)
    return await _enter(call, act_of(call), group_id, starts_at, Person(call.who.id))


async def _as_guest(call: Call) -> EntryView:
    async with call.services.storage.snapshot() as session:
        guest = await guest_of(call, session)
    return await _enter(
        call,
        Act(guest.id, call.now, call.address),
        guest.group_id,
        guest.session_starts_at,
        Person(guest_id=guest.id),
    )


ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/groups/{{group}}/sessions/{{session}}/entry",
        _as_member,
        "member",
        "Enter a session's room.",
        reply=EntryView,
        rate=_RATE,
    ),
    Route(
        "POST",
        f"{PREFIX}/make-ups/{{absence}}/entry",
        _as_make_up,
        "signed_in",
        "Enter the room of a session in which one makes up another.",
        reply=EntryView,
        rate=_RATE,
    ),
    Route(
        "POST",
        f"{PREFIX}/guest/entry",
        _as_guest,
        "anyone",
        "Enter a session's room as a guest.",
        reply=EntryView,
        rate=_RATE,
    ),
]
