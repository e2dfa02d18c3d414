"""Routes about the links by which guests come to a session of a group."""

from __future__ import annotations

from datetime import datetime

from server.api.group_session_page import act_of
from server.api.routes import PREFIX, Call, Model, Route
from server.api.routes_groups_sessions import SESSION, the_session
from server.groups import guests


class NewLinkView(Model):
    """The token is shown once."""

    id: str
    token: str
    expires_at: datetime


class GuestLinkView(Model):
    id: str
    created_at: datetime
    expires_at: datetime
    guests: int


class Links(Model):
    links: list[GuestLinkView]


async def _new_link(call: Call) -> NewLinkView:
    async with call.services.storage.transaction() as session:
        group, occurrence = await the_session(call, session)
        new = await guests.create_link(session, act_of(call), group, occurrence)
    return NewLinkView(id=new.link.id, token=new.token, expires_at=new.link.expires_at)


async def _links(call: Call) -> Links:
    async with call.services.storage.snapshot() as session:
        group, occurrence = await the_session(call, session)
        found = await guests.links(session, group.id, occurrence)
    return Links(
        links=[
            GuestLinkView(
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


_GROUP = f"{PREFIX}/groups/{{group}}"

ROUTES = [
    Route(
        "POST",
        f"{SESSION}/guest-links",
        _new_link,
        "facilitator",
        "Make a link by which guests come to this session.",
        reply=NewLinkView,
        status=201,
    ),
    Route(
        "GET",
        f"{SESSION}/guest-links",
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
]
