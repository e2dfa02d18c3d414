"""Guests: people without an account who come to one session by a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import memberships, names
from server.groups.act import Act, on_record
from server.groups.groups import find_group
from server.groups.opening import closes_at
from server.groups.schedule import Occurrence, session_at
from server.refusals import Refused
from server.storage.ids import new_id, new_token, token_hash
from server.storage.models import Group, Guest, GuestLink

MAX_GUESTS = 16
"""Of one session."""

MAX_LINKS = 20
"""Of one session."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made; its token is not kept and cannot be shown again."""

    link: GuestLink
    token: str


async def create_link(
    session: AsyncSession, act: Act, group: Group, occurrence: Occurrence
) -> NewLink:
    """Make a link to one session, valid until that is over.

    Raises:
        Refused: ``guests_not_allowed``, ``group_closed``, ``session_past`` or ``too_many``.
    """
    if group.closed_at is not None:
        raise Refused("group_closed", "This group has ended.", 409)
    if not group.guests_allowed:
        raise Refused("guests_not_allowed", "This group takes no guests.", 409)
    expires_at = closes_at(occurrence.ends_at)
    if act.now >= expires_at:
        raise Refused("session_past", "This session is over.", 409)
    if len(await links(session, group.id, occurrence)) >= MAX_LINKS:
        raise Refused("too_many", f"A session can have up to {MAX_LINKS} guest links.", 409)
    token = new_token()
    link = GuestLink(
        id=new_id(),
        token_hash=token_hash(token),
        group_id=group.id,
        session_starts_at=occurrence.starts_at,
        created_by=act.actor,
        created_at=act.now,
        expires_at=expires_at,
    )
    session.add(link)
    await session.flush()
    on_record(session, act, "guest_link.created", link.id, group.id)
    return NewLink(link, token)


async def links(
    session: AsyncSession, group_id: str, occurrence: Occurrence
) -> Sequence[tuple[GuestLink, int]]:
    """The links to a session that are not revoked, and how many came by each."""
    rows = await session.execute(
        select(GuestLink, func.count(Guest.id))
        .outerjoin(Guest, Guest.guest_link_id == GuestLink.id)
        .where(
            GuestLink.group_id == group_id,
            GuestLink.session_starts_at == occurrence.starts_at,
            GuestLink.revoked_at.is_(None),
        )
        .group_by(GuestLink.id)
        .order_by(GuestLink.created_at, GuestLink.id)
    )
    return [(link, number) for link, number in rows]


async def revoke_link(session: AsyncSession, act: Act, group_id: str, link_id: str) -> None:
    """Make a link worthless, also for who came by it: they are taken out of the session.

    Raises:
        Refused: ``not_found``.
    """
    link = await session.get(GuestLink, link_id)
    if link is None or link.group_id != group_id:
        raise Refused("not_found", "There is no such link.", 404)
    if link.revoked_at is None:
        link.revoked_at = act.now
        on_record(session, act, "guest_link.revoked", link.id, group_id)


async def open_link(
    session: AsyncSession, act: Act, token: str
) -> tuple[GuestLink, Group, Occurrence]:
    """What a link leads to.

    Raises:
        Refused: ``bad_link`` if it never was a link, or is none any more.
    """
    link = await session.scalar(select(GuestLink).where(GuestLink.token_hash == token_hash(token)))
    if link is not None and link.revoked_at is None and act.now < link.expires_at:
        group = await find_group(session, link.group_id)
        if group.closed_at is None and group.guests_allowed:
            return link, group, await session_at(session, group.id, link.session_starts_at)
    raise Refused(
        "bad_link",
        "This link does not work any more. Please ask the person who sent it for a new one.",
        404,
    )


@dataclass(frozen=True, slots=True)
class NewGuest:
    """A guest who has just come; the token knows their browser again."""

    guest: Guest
    token: str


async def come(
    session: AsyncSession, act: Act, token: str, *, name: str, pronouns: str | None
) -> NewGuest:
    """Come by a link, under a chosen name; signing, confirming and waiting follow.

    Raises:
        Refused: ``bad_link``, ``bad_name``, ``bad_pronouns``, ``name_taken`` or ``full_group``.
    """
    link, group, _ = await open_link(session, act, token)
    shown = names.display_name(name)
    await memberships.refuse_taken(session, group.id, shown)
    others = await session.scalars(
        select(Guest).where(
            Guest.group_id == group.id, Guest.session_starts_at == link.session_starts_at
        )
    )
    taken = [names.likeness(other.display_name) for other in others]
    if len(taken) >= MAX_GUESTS:
        raise Refused("full_group", "There is no free place in this session.", 409)
    if names.likeness(shown) in taken:
        raise Refused("name_taken", "Someone has this name already. Please choose another.", 409)
    guest_token = new_token()
    guest = Guest(
        id=new_id(),
        token_hash=token_hash(guest_token),
        guest_link_id=link.id,
        group_id=group.id,
        session_starts_at=link.session_starts_at,
        display_name=shown,
        pronouns=names.pronouns(pronouns),
        created_at=act.now,
    )
    session.add(guest)
    await session.flush()
    came = Act(guest.id, act.now, act.address)
    on_record(session, came, "guest.came", guest.id, group.id, link=link.id)
    return NewGuest(guest, guest_token)


async def known_again(session: AsyncSession, token: str) -> Guest | None:
    """The guest whose browser has this token."""
    return await session.scalar(select(Guest).where(Guest.token_hash == token_hash(token)))
