"""As what someone stands to a session: a member, a guest, or making up another group's session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import memberships, names
from server.groups.persons import Person
from server.storage.models import (
    Absence,
    Account,
    Group,
    GroupRole,
    Guest,
    GuestLink,
    Membership,
)

Kind = Literal["member", "guest", "make_up"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Someone who belongs to a session.

    Args:
        person: who.
        key: by which the group's facilitators name them: the id of the membership, of the guest,
            or of the absence that is made up. Account ids would tell who is in which other group.
        role: in this session.
        kind: by what they belong to it.
        display_name: the chosen name.
        pronouns: as chosen.
    """

    person: Person
    key: str
    role: GroupRole
    kind: Kind
    display_name: str
    pronouns: str | None


async def standing(
    session: AsyncSession, group: Group, starts_at: datetime, person: Person
) -> Standing | None:
    """As what someone stands to a session; None for strangers."""
    if person.guest_id is not None:
        guest = await session.get(Guest, person.guest_id)
        if guest is None or guest.group_id != group.id or guest.session_starts_at != starts_at:
            return None
        return await _as_guest(session, group, guest)
    assert person.account_id is not None
    account = await session.get(Account, person.account_id)
    if account is None or account.closed_at is not None:
        return None
    member = await memberships.current(session, group.id, account.id)
    if member is not None:
        return _as_member(member)
    absence = await session.scalar(
        select(Absence).where(
            Absence.account_id == account.id,
            Absence.make_up_group_id == group.id,
            Absence.make_up_starts_at == starts_at,
        )
    )
    return None if absence is None else await _as_make_up(session, group, absence)


def _as_member(member: Membership) -> Standing:
    return Standing(
        Person(account_id=member.account_id),
        member.id,
        member.role,
        "member",
        member.display_name,
        member.pronouns,
    )


async def _as_guest(session: AsyncSession, group: Group, guest: Guest) -> Standing | None:
    link = None
    if guest.guest_link_id is not None:
        link = await session.get(GuestLink, guest.guest_link_id)
    if not group.guests_allowed or link is None or link.revoked_at is not None:
        return None
    return Standing(
        Person(guest_id=guest.id),
        guest.id,
        "participant",
        "guest",
        guest.display_name,
        guest.pronouns,
    )


async def _as_make_up(session: AsyncSession, group: Group, absence: Absence) -> Standing | None:
    if not group.make_ups_allowed:
        return None
    home = await memberships.current(session, absence.group_id, absence.account_id)
    if home is None or home.role != "participant":
        return None
    members = await memberships.members(session, group.id)
    name = names.visiting(home.display_name, (member.display_name for member in members))
    return Standing(
        Person(account_id=absence.account_id),
        absence.id,
        "participant",
        "make_up",
        name,
        home.pronouns,
    )


async def person_named(session: AsyncSession, group_id: str, key: str) -> Person | None:
    """Whom a group's facilitators name by this key, also if they belong to it no more.

    Someone who has just been removed may be the one who needs help.
    """
    member = await session.get(Membership, key)
    if member is not None and member.group_id == group_id:
        return Person(account_id=member.account_id)
    guest = await session.get(Guest, key)
    if guest is not None and guest.group_id == group_id:
        return Person(guest_id=guest.id)
    absence = await session.get(Absence, key)
    if absence is not None and absence.make_up_group_id == group_id:
        return Person(account_id=absence.account_id)
    return None


async def everyone(session: AsyncSession, group: Group, starts_at: datetime) -> list[Standing]:
    """All who belong to a session: members first, then those making up, then guests."""
    found: list[Standing | None] = [
        _as_member(member) for member in await memberships.members(session, group.id)
    ]
    members = {one.person for one in found if one is not None}
    absences = await session.scalars(
        select(Absence)
        .where(Absence.make_up_group_id == group.id, Absence.make_up_starts_at == starts_at)
        .order_by(Absence.created_at, Absence.id)
    )
    found += [
        await _as_make_up(session, group, absence)
        for absence in absences.all()
        if Person(account_id=absence.account_id) not in members
    ]
    guests = await session.scalars(
        select(Guest)
        .where(Guest.group_id == group.id, Guest.session_starts_at == starts_at)
        .order_by(Guest.created_at, Guest.id)
    )
    found += [await _as_guest(session, group, guest) for guest in guests.all()]
    return [one for one in found if one is not None]
