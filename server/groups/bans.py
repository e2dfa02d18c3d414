"""Keeping someone out of a group, for a time or for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups.act import Act, on_record
from server.groups.persons import Person, rows_of
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Ban, Guest, Membership

LONGEST = timedelta(days=3_653)
"""The longest that a ban with an end can be."""


async def is_banned(session: AsyncSession, group_id: str, person: Person, now: datetime) -> bool:
    """Whether someone is kept out of a group now."""
    ban = await session.scalar(
        select(Ban.id)
        .where(
            Ban.group_id == group_id,
            rows_of(Ban, person),
            or_(Ban.until.is_(None), Ban.until > now),
        )
        .limit(1)
    )
    return ban is not None


async def refuse_banned(
    session: AsyncSession, group_id: str, person: Person, now: datetime
) -> None:
    """Refuse someone who is kept out.

    Raises:
        Refused: ``banned``.
    """
    if await is_banned(session, group_id, person, now):
        raise Refused(
            "banned",
            "You cannot come into this group at the moment. If you would like to talk about it, "
            "please get in touch with its facilitator.",
            403,
        )


async def ban(
    session: AsyncSession, act: Act, group_id: str, person: Person, until: datetime | None
) -> Ban:
    """Keep someone out of a group.

    Args:
        session: of a transaction.
        act: by whom.
        group_id: out of which group.
        person: whom; a facilitator cannot be kept out, their role has to end first.
        until: until when; None until someone lifts it.

    Raises:
        Refused: ``bad_time`` if ``until`` is past or too far, ``is_facilitator``.
    """
    if until is not None and not act.now < until <= act.now + LONGEST:
        raise Refused("bad_time", "Please choose a time within the next ten years, or no end.")
    if person.account_id is not None:
        facilitates = await session.scalar(
            select(Membership.id).where(
                Membership.group_id == group_id,
                Membership.account_id == person.account_id,
                Membership.role == "facilitator",
                Membership.removed_at.is_(None),
            )
        )
        if facilitates is not None:
            raise Refused("is_facilitator", "A facilitator cannot be kept out of the group.", 409)
    row = Ban(
        id=new_id(),
        group_id=group_id,
        account_id=person.account_id,
        guest_id=person.guest_id,
        until=until,
        created_by=act.actor,
        created_at=act.now,
    )
    session.add(row)
    await session.flush()
    on_record(session, act, "member.banned", person.id, group_id, for_good=until is None)
    return row


@dataclass(frozen=True, slots=True)
class NamedBan:
    """A ban, and under which name the group knew the person."""

    ban: Ban
    display_name: str


async def bans(session: AsyncSession, group_id: str, now: datetime) -> Sequence[NamedBan]:
    """The bans that hold now."""
    rows = await session.scalars(
        select(Ban)
        .where(Ban.group_id == group_id, or_(Ban.until.is_(None), Ban.until > now))
        .order_by(Ban.created_at, Ban.id)
    )
    return [NamedBan(row, await _known_as(session, row)) for row in rows]


async def _known_as(session: AsyncSession, row: Ban) -> str:
    if row.guest_id is not None:
        guest = await session.get(Guest, row.guest_id)
        return "" if guest is None else guest.display_name
    name = await session.scalar(
        select(Membership.display_name)
        .where(Membership.group_id == row.group_id, Membership.account_id == row.account_id)
        .order_by(Membership.created_at.desc())
        .limit(1)
    )
    return name or ""


async def lift(session: AsyncSession, act: Act, group_id: str, ban_id: str) -> None:
    """End a ban.

    Raises:
        Refused: ``not_found``.
    """
    row = await session.get(Ban, ban_id)
    if row is None or row.group_id != group_id:
        raise Refused("not_found", "There is no such ban.", 404)
    subject = row.account_id or row.guest_id
    await session.delete(row)
    on_record(session, act, "ban.lifted", subject, group_id)
