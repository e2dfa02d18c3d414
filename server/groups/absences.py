"""Saying that one will not come, and making a session up in another group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.viewing import view_sealed
from server.groups import memberships
from server.groups.act import Act, on_record
from server.groups.bans import is_banned
from server.groups.groups import find_group, formats_of
from server.groups.persons import Person
from server.groups.schedule import Occurrence, occurrences, session_at
from server.groups.standing import everyone
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Absence, Group
from server.storage.sealed import Place, open_sealed, seal

MAKE_UP_WITHIN = timedelta(days=28)
"""How long after now, and after the session that is missed, it can be made up."""

MAX_NOTE = 500


async def find(
    session: AsyncSession, group_id: str, starts_at: datetime, account_id: str
) -> Absence | None:
    """What someone announced for a session."""
    return await session.scalar(
        select(Absence).where(
            Absence.group_id == group_id,
            Absence.session_starts_at == starts_at,
            Absence.account_id == account_id,
        )
    )


def own_note(keyring: KeyRing, absence: Absence) -> str | None:
    """The note of an absence, to show it to whom it is from; that is not put on record."""
    if absence.note is None:
        return None
    return open_sealed(keyring, Place.of(Absence.note, absence.id), absence.note)


async def announce(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    occurrence: Occurrence,
    account_id: str,
    note: str | None,
) -> Absence:
    """Say that one will not come. Again, it replaces the note.

    Raises:
        Refused: ``session_past`` or ``bad_note``.
    """
    if act.now >= occurrence.ends_at:
        raise Refused("session_past", "This session is over.", 409)
    text = (note or "").strip()
    if len(text) > MAX_NOTE:
        raise Refused("bad_note", f"A note can have up to {MAX_NOTE} characters.")
    row = await find(session, occurrence.group_id, occurrence.starts_at, account_id)
    if row is None:
        row = Absence(
            id=new_id(),
            group_id=occurrence.group_id,
            session_starts_at=occurrence.starts_at,
            account_id=account_id,
            created_at=act.now,
        )
        session.add(row)
    row.note = seal(keyring, Place.of(Absence.note, row.id), text) if text else None
    await session.flush()
    on_record(session, act, "absence.announced", row.id, occurrence.group_id)
    return row


async def take_back(
    session: AsyncSession, act: Act, occurrence: Occurrence, account_id: str
) -> None:
    """Come after all; a make-up session is given up, too. Without an absence nothing happens."""
    row = await find(session, occurrence.group_id, occurrence.starts_at, account_id)
    if row is not None:
        await session.delete(row)
        on_record(session, act, "absence.withdrawn", row.id, occurrence.group_id)


async def places(session: AsyncSession, group: Group, starts_at: datetime) -> int:
    """How many places a session has free, if all come who have not said otherwise."""
    absent = (
        await session.scalars(
            select(Absence.account_id).where(
                Absence.group_id == group.id, Absence.session_starts_at == starts_at
            )
        )
    ).all()
    expected = [
        one
        for one in await everyone(session, group, starts_at)
        if one.person.account_id is None or one.person.account_id not in absent
    ]
    return group.capacity - len(expected)


@dataclass(frozen=True, slots=True)
class MakeUp:
    """A session in which another can be made up."""

    group: Group
    occurrence: Occurrence
    places: int


async def _takes(
    session: AsyncSession, home: Group, other: Group, account_id: str, now: datetime
) -> bool:
    """Whether someone of one group may make up sessions in another."""
    return (
        other.id != home.id
        and other.closed_at is None
        and set(formats_of(other)) == set(formats_of(home))
        # Being in such a group is itself protected, so nobody drops in from outside.
        and other.substance_use == home.substance_use
        and other.make_ups_allowed
        and await memberships.current(session, other.id, account_id) is None
        and not await is_banned(session, other.id, Person(account_id), now)
    )


async def options(
    session: AsyncSession, occurrence: Occurrence, account_id: str, now: datetime
) -> list[MakeUp]:
    """Where someone can make up a session: the sessions with room, in order of time."""
    home = await find_group(session, occurrence.group_id)
    until = max(now, occurrence.starts_at) + MAKE_UP_WITHIN
    found = []
    for other in (await session.scalars(select(Group).where(Group.closed_at.is_(None)))).all():
        if not await _takes(session, home, other, account_id, now):
            continue
        for one in await occurrences(session, other.id, now, until):
            if one.starts_at > now:
                free = await places(session, other, one.starts_at)
                if free > 0:
                    found.append(MakeUp(other, one, free))
    return sorted(found, key=lambda option: (option.occurrence.starts_at, option.group.id))


async def make_up(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    occurrence: Occurrence,
    account_id: str,
    in_group_id: str,
    in_starts_at: datetime,
) -> Absence:
    """Choose where to make up a session; the absence is announced with it, if it was not.

    Raises:
        Refused: ``no_make_up`` if that session is none to choose (any more), or ``session_past``.
    """
    # Locked, so that two who choose at once do not both get the last place.
    await session.scalar(select(Group).where(Group.id == in_group_id).with_for_update())
    possible = await options(session, occurrence, account_id, act.now)
    if not any(
        option.group.id == in_group_id and option.occurrence.starts_at == in_starts_at
        for option in possible
    ):
        raise Refused("no_make_up", "This session cannot be chosen any more.", 409)
    row = await find(session, occurrence.group_id, occurrence.starts_at, account_id)
    if row is None:
        row = await announce(session, keyring, act, occurrence, account_id, None)
    row.make_up_group_id, row.make_up_starts_at = in_group_id, in_starts_at
    await session.flush()
    on_record(session, act, "make_up.chosen", row.id, in_group_id)
    return row


async def give_up_make_up(
    session: AsyncSession, act: Act, occurrence: Occurrence, account_id: str
) -> None:
    """Not make it up after all; the absence stays."""
    row = await find(session, occurrence.group_id, occurrence.starts_at, account_id)
    if row is not None and row.make_up_group_id is not None:
        on_record(session, act, "make_up.given_up", row.id, row.make_up_group_id)
        row.make_up_group_id = row.make_up_starts_at = None


async def chosen(
    session: AsyncSession, account_id: str, since: datetime
) -> list[tuple[Absence, Group, Occurrence]]:
    """The make-up sessions that someone has before them."""
    rows = await session.scalars(
        select(Absence)
        .where(
            Absence.account_id == account_id,
            Absence.make_up_group_id.is_not(None),
            Absence.make_up_starts_at > since - timedelta(days=1),
        )
        .order_by(Absence.make_up_starts_at)
    )
    found = []
    for row in rows.all():
        assert row.make_up_group_id is not None
        assert row.make_up_starts_at is not None
        group = await find_group(session, row.make_up_group_id)
        try:
            occurrence = await session_at(session, group.id, row.make_up_starts_at)
        except Refused:  # called off since
            continue
        if occurrence.ends_at > since:
            found.append((row, group, occurrence))
    return found


@dataclass(frozen=True, slots=True)
class Announced:
    """An absence as facilitators see it."""

    key: str
    display_name: str
    note: str | None
    created_at: datetime
    makes_up: bool


async def view_absences(
    storage: Storage, keyring: KeyRing, act: Act, group_id: str, starts_at: datetime
) -> Sequence[Announced]:
    """For facilitators: who will not come, with their notes, which is put on record."""
    async with storage.snapshot() as session:
        members = {
            member.account_id: member for member in await memberships.members(session, group_id)
        }
        rows = (
            await session.scalars(
                select(Absence)
                .where(Absence.group_id == group_id, Absence.session_starts_at == starts_at)
                .order_by(Absence.created_at, Absence.id)
            )
        ).all()
    seen = []
    for row in rows:
        member = members.get(row.account_id)
        if member is None:
            continue
        note = None
        if row.note is not None:
            opened = await view_sealed(
                storage,
                keyring,
                [Absence.note],
                row.id,
                actor=act.actor,
                group_id=group_id,
                address=act.address,
            )
            note = None if opened is None else opened["note"]
        seen.append(
            Announced(
                member.id,
                member.display_name,
                note,
                row.created_at,
                row.make_up_group_id is not None,
            )
        )
    return seen
