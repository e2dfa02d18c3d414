"""Routes that let someone into the live room of a session."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from server.admission import Entrant
from server.api.group_session_page import act_of, read_session_key
from server.api.routes import PREFIX, Call, Model, Rate, Route
from server.entrance import EntryTokens
from server.groups import guests
from server.groups.act import Act
from server.groups.entry import enter
from server.groups.opening import closes_at
from server.groups.persons import Person
from server.groups.schedule import session_at
from server.refusals import Refused
from server.storage.models import Absence

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
    )
    return EntryView(room=tokens.room_of(entrant), token=tokens.issue(entrant), waits=entrant.waits)


async def _as_member(call: Call) -> EntryView:
    starts_at = read_session_key(call.path["session"])
    return await _enter(call, act_of(call), call.within.id, starts_at, Person(call.who.id))


async def _as_make_up(call: Call) -> EntryView:
    async with call.services.storage.snapshot() as session:
        absence = await session.get(Absence, call.path["absence"])
    if (
        absence is None
        or absence.account_id != call.who.id
        or absence.make_up_group_id is None
        or absence.make_up_starts_at is None
    ):
        raise Refused("not_found", "There is no such session of yours.", 404)
    return await _enter(
        call,
        act_of(call),
        absence.make_up_group_id,
        absence.make_up_starts_at,
        Person(call.who.id),
    )


async def _as_guest(call: Call) -> EntryView:
    guest = None
    if call.token is not None:
        async with call.services.storage.snapshot() as session:
            guest = await guests.known_again(session, call.token)
    if guest is None:
        raise Refused("signed_out", "Please open the link that you were sent again.", 401)
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
