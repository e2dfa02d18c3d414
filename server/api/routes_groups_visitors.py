"""Routes for people who come to one session of a group without being in it: guests, and members of
another group who make up a session.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from server.api.group_session_page import (
    ConfirmationBody,
    DocumentList,
    SessionPage,
    SignatureBody,
    act_of,
    confirm,
    document_list,
    session_page,
    sign,
)
from server.api.routes import PREFIX, Call, Model, Rate, Reply, Route
from server.groups import guests
from server.groups.act import Act
from server.groups.bans import refuse_banned
from server.groups.groups import find_group
from server.groups.persons import Person
from server.groups.schedule import Occurrence, session_at
from server.groups.standing import Standing, standing
from server.refusals import Refused
from server.storage.models import Absence, Group, Guest

_GUEST_RATE = Rate(burst=20, per_second=0.5)
_NOBODY = "anonymous"

Token = Annotated[str, Field(min_length=20, max_length=100)]


class LinkBody(Model):
    """The secret of a guest link."""

    token: Token


class LinkView(Model):
    group_name: str
    starts_at: datetime
    ends_at: datetime


class GuestBody(Model):
    """Come as a guest, under a chosen name."""

    token: Token
    display_name: Annotated[str, Field(max_length=80)]
    pronouns: Annotated[str, Field(max_length=60)] | None


class _Visit:
    """Someone at the one session that they came for."""

    def __init__(self, act: Act, group: Group, occurrence: Occurrence, stands: Standing) -> None:
        self.act = act
        self.group = group
        self.occurrence = occurrence
        self.stands = stands

    async def page(self, call: Call, session: AsyncSession) -> SessionPage:
        keyring = call.services.keyring
        return await session_page(
            session, keyring, self.group, self.occurrence, self.stands, self.act.now
        )

    async def documents(self, session: AsyncSession) -> DocumentList:
        return await document_list(session, self.group, self.stands.person, self.stands.role)

    async def sign(self, call: Call, session: AsyncSession) -> None:
        await sign(call, session, self.act, self.group, self.stands.person)

    async def confirm(self, call: Call, session: AsyncSession) -> None:
        await confirm(call, session, self.act, self.occurrence, self.stands.person)


async def _visit(
    session: AsyncSession, act: Act, group_id: str, starts_at: datetime, person: Person
) -> _Visit:
    group = await find_group(session, group_id, open_only=True)
    stands = await standing(session, group, starts_at, person)
    if stands is None:
        raise Refused("not_found", "You are not expected in this session any more.", 404)
    await refuse_banned(session, group_id, person, act.now)
    return _Visit(act, group, await session_at(session, group_id, starts_at), stands)


async def guest_of(call: Call, session: AsyncSession) -> Guest:
    """The guest whose browser asks.

    Raises:
        Refused: ``signed_out``.
    """
    guest = None if call.token is None else await guests.known_again(session, call.token)
    if guest is None:
        raise Refused("signed_out", "Please open the link that you were sent again.", 401)
    return guest


async def make_up_of(call: Call, session: AsyncSession) -> tuple[str, datetime]:
    """Group and start of the session in which who asks makes up the absence of the path.

    Raises:
        Refused: ``not_found``.
    """
    absence = await session.get(Absence, call.path["absence"])
    if (
        absence is None
        or absence.account_id != call.who.id
        or absence.make_up_group_id is None
        or absence.make_up_starts_at is None
    ):
        raise Refused("not_found", "There is no such session of yours.", 404)
    return absence.make_up_group_id, absence.make_up_starts_at


async def _as_guest(call: Call, session: AsyncSession) -> _Visit:
    guest = await guest_of(call, session)
    act = Act(guest.id, call.now, call.address)
    return await _visit(
        session, act, guest.group_id, guest.session_starts_at, Person(guest_id=guest.id)
    )


async def _as_make_up(call: Call, session: AsyncSession) -> _Visit:
    group_id, starts_at = await make_up_of(call, session)
    return await _visit(session, act_of(call), group_id, starts_at, Person(call.who.id))


async def _open_link(call: Call) -> LinkView:
    body: LinkBody = call.body
    act = Act(_NOBODY, call.now, call.address)
    async with call.services.storage.snapshot() as session:
        _, group, occurrence = await guests.open_link(session, act, body.token)
    return LinkView(
        group_name=group.name, starts_at=occurrence.starts_at, ends_at=occurrence.ends_at
    )


async def _come(call: Call) -> Reply:
    body: GuestBody = call.body
    if call.account is not None:
        raise Refused("signed_in", "You are signed in. Please sign out to come as a guest.", 409)
    async with call.services.storage.transaction() as session:
        new = await guests.come(
            session,
            Act(_NOBODY, call.now, call.address),
            body.token,
            name=body.display_name,
            pronouns=body.pronouns,
        )
        act = Act(new.guest.id, call.now, call.address)
        visit = await _visit(
            session,
            act,
            new.guest.group_id,
            new.guest.session_starts_at,
            Person(guest_id=new.guest.id),
        )
        page = await visit.page(call, session)
    return Reply(body=page, session_token=new.token)


async def _guest(call: Call) -> SessionPage:
    async with call.services.storage.snapshot() as session:
        return await (await _as_guest(call, session)).page(call, session)


async def _guest_documents(call: Call) -> DocumentList:
    async with call.services.storage.snapshot() as session:
        return await (await _as_guest(call, session)).documents(session)


async def _guest_signs(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await (await _as_guest(call, session)).sign(call, session)


async def _guest_confirms(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await (await _as_guest(call, session)).confirm(call, session)


async def _make_up(call: Call) -> SessionPage:
    async with call.services.storage.snapshot() as session:
        return await (await _as_make_up(call, session)).page(call, session)


async def _make_up_documents(call: Call) -> DocumentList:
    async with call.services.storage.snapshot() as session:
        return await (await _as_make_up(call, session)).documents(session)


async def _make_up_signs(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await (await _as_make_up(call, session)).sign(call, session)


async def _make_up_confirms(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await (await _as_make_up(call, session)).confirm(call, session)


_GUEST = f"{PREFIX}/guest"
_MAKE_UP = f"{PREFIX}/make-ups/{{absence}}"

ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/guest-links/open",
        _open_link,
        "anyone",
        "Which session a guest link leads to.",
        body=LinkBody,
        reply=LinkView,
        rate=_GUEST_RATE,
    ),
    Route(
        "POST",
        _GUEST,
        _come,
        "anyone",
        "Come to a session as a guest.",
        body=GuestBody,
        reply=SessionPage,
        status=201,
        rate=_GUEST_RATE,
    ),
    Route(
        "GET",
        _GUEST,
        _guest,
        "anyone",
        "The page of the session that a guest came for.",
        reply=SessionPage,
        rate=_GUEST_RATE,
    ),
    Route(
        "GET",
        f"{_GUEST}/documents",
        _guest_documents,
        "anyone",
        "The texts that a guest reads and signs.",
        reply=DocumentList,
        rate=_GUEST_RATE,
    ),
    Route(
        "POST",
        f"{_GUEST}/documents/{{kind}}/signature",
        _guest_signs,
        "anyone",
        "Sign a text as a guest.",
        body=SignatureBody,
        rate=_GUEST_RATE,
    ),
    Route(
        "PUT",
        f"{_GUEST}/confirmation",
        _guest_confirms,
        "anyone",
        "Confirm where one is, as a guest.",
        body=ConfirmationBody,
        rate=_GUEST_RATE,
    ),
    Route(
        "GET",
        _MAKE_UP,
        _make_up,
        "signed_in",
        "The page of a session in which one makes up another.",
        reply=SessionPage,
        sensitive=True,
    ),
    Route(
        "GET",
        f"{_MAKE_UP}/documents",
        _make_up_documents,
        "signed_in",
        "The texts to sign for a session in which one makes up another.",
        reply=DocumentList,
        sensitive=True,
    ),
    Route(
        "POST",
        f"{_MAKE_UP}/documents/{{kind}}/signature",
        _make_up_signs,
        "signed_in",
        "Sign a text for a session in which one makes up another.",
        body=SignatureBody,
    ),
    Route(
        "PUT",
        f"{_MAKE_UP}/confirmation",
        _make_up_confirms,
        "signed_in",
        "Confirm where one is, for a session in which one makes up another.",
        body=ConfirmationBody,
    ),
]
