"""Whom the ids in a group's record mean: names that the group knows anyway."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.storage.models import Absence, Account, EntryConfirmation, Guest, Membership


@dataclass(frozen=True, slots=True)
class RecordNames:
    """Whom ids mean.

    Args:
        people: chosen names by the ids of members, also former ones, and guests, and of what they
            confirmed or announced.
        administrators: those of the ids that are of administrators.
    """

    people: dict[str, str]
    administrators: frozenset[str]


async def record_names(session: AsyncSession, group_id: str, ids: Collection[str]) -> RecordNames:
    """Find out whom some ids mean within a group; an id that means nobody there is left out."""
    people: dict[str, str] = {}
    owners: dict[str, str] = {}
    """Accounts and guests by the ids of rows about them."""
    confirmed = select(
        EntryConfirmation.id, EntryConfirmation.account_id, EntryConfirmation.guest_id
    ).where(EntryConfirmation.group_id == group_id, EntryConfirmation.id.in_(ids))
    for row_id, account_id, guest_id in (await session.execute(confirmed)).all():
        owners[row_id] = account_id or guest_id or ""
    announced = select(Absence.id, Absence.account_id).where(
        Absence.group_id == group_id, Absence.id.in_(ids)
    )
    owners.update((row[0], row[1]) for row in (await session.execute(announced)).all())
    meant = {*ids, *owners.values()}
    members = (
        select(Membership.id, Membership.account_id, Membership.display_name)
        .where(
            Membership.group_id == group_id,
            or_(Membership.id.in_(meant), Membership.account_id.in_(meant)),
        )
        .order_by(Membership.created_at)
    )
    for membership_id, account_id, name in (await session.execute(members)).all():
        people[membership_id] = people[account_id] = name
    guests = select(Guest.id, Guest.display_name).where(
        Guest.group_id == group_id, Guest.id.in_(meant)
    )
    people.update((row[0], row[1]) for row in (await session.execute(guests)).all())
    people.update({row: people[owner] for row, owner in owners.items() if owner in people})
    administrators = await session.scalars(
        select(Account.id).where(Account.id.in_(ids), Account.is_administrator)
    )
    return RecordNames(
        {each: name for each, name in people.items() if each in ids},
        frozenset(administrators.all()),
    )
