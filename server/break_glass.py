"""Emergency access: what an administrator, who does not see into groups, does when lives depend
on it and no facilitator can be reached (45 CFR 164.312(a)(2)(ii)).

It takes a stated reason, is for one group and one hour, and all that is looked at is put on record,
where the group's facilitators see it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import QueryableAttribute

from server.audit.record import AuditEvent, record
from server.audit.viewing import view_sealed
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Account, BreakGlassGrant, EntryConfirmation, Group, Membership
from server.storage.models.base import GroupRole
from server.storage.sealed import Place, Sealed, seal

GRANTED = "break_glass.granted"
DURATION = timedelta(hours=1)
MAX_PEOPLE = 200
"""The most that are shown at a time."""


@dataclass(frozen=True)
class Grant:
    """Someone's access to a group, for now."""

    id: str
    group_id: str
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Person:
    """Who can be reached how, and what they confirmed for the latest session, if it is kept yet.

    Args:
        membership_id: of the member.
        display_name: as the group knows them.
        role: in the group.
        contacts: sealed fields of the account by name.
        session_starts_at: of the session that they confirmed for; None if there is none.
        confirmed: sealed fields of the confirmation by name.
    """

    membership_id: str
    display_name: str
    role: GroupRole
    contacts: dict[str, str | None]
    session_starts_at: datetime | None
    confirmed: dict[str, str | None]


async def grant(
    storage: Storage,
    keyring: KeyRing,
    *,
    account_id: str,
    group_id: str,
    reason: str,
    address: str | None,
    now: datetime,
) -> Grant:
    """Give an administrator access to a group for `DURATION`.

    That they are one is for the caller to check.

    Raises:
        Refused: ``no_such_group``.
    """
    row = new_id()
    async with storage.transaction() as session:
        if await session.scalar(select(Group.id).where(Group.id == group_id)) is None:
            raise Refused("no_such_group", "There is no such group.", 404)
        expires_at = now + DURATION
        session.add(
            BreakGlassGrant(
                id=row,
                account_id=account_id,
                group_id=group_id,
                reason=seal(keyring, Place.of(BreakGlassGrant.reason, row), reason),
                granted_at=now,
                expires_at=expires_at,
            )
        )
        event = AuditEvent(
            actor=account_id,
            action=GRANTED,
            subject=row,
            group_id=group_id,
            address=address,
            detail={"minutes": int(DURATION.total_seconds() // 60)},
            time=now,
        )
        record(session, event)
    return Grant(row, group_id, now, expires_at)


async def current_grant(
    storage: Storage, *, account_id: str, group_id: str, now: datetime
) -> Grant:
    """The access that someone has now.

    Raises:
        Refused: ``no_grant``.
    """
    query = (
        select(BreakGlassGrant.id, BreakGlassGrant.granted_at, BreakGlassGrant.expires_at)
        .where(
            BreakGlassGrant.account_id == account_id,
            BreakGlassGrant.group_id == group_id,
            BreakGlassGrant.granted_at <= now,
            BreakGlassGrant.expires_at > now,
        )
        .order_by(BreakGlassGrant.expires_at.desc())
        .limit(1)
    )
    async with storage.snapshot() as session:
        row = (await session.execute(query)).one_or_none()
    if row is None:
        raise Refused("no_grant", "Please state first why you need to see this.", 403)
    return Grant(row.id, group_id, row.granted_at, row.expires_at)


async def people(
    storage: Storage, keyring: KeyRing, access: Grant, *, account_id: str, address: str | None
) -> list[Person]:
    """Everyone in the group with what is sealed about them. Each look is put on record."""
    async with storage.snapshot() as session:
        members = (
            await session.execute(
                select(
                    Membership.id, Membership.account_id, Membership.display_name, Membership.role
                )
                .where(Membership.group_id == access.group_id, Membership.removed_at.is_(None))
                .order_by(Membership.created_at)
                .limit(MAX_PEOPLE)
            )
        ).all()
        confirmations = (
            await session.execute(
                select(
                    EntryConfirmation.id,
                    EntryConfirmation.account_id,
                    EntryConfirmation.session_starts_at,
                )
                .where(EntryConfirmation.group_id == access.group_id)
                .order_by(EntryConfirmation.session_starts_at)
            )
        ).all()
    latest = {row.account_id: row for row in confirmations}

    async def view(
        attributes: Sequence[QueryableAttribute[str]], row_id: str
    ) -> dict[str, str | None]:
        values = await view_sealed(
            storage,
            keyring,
            attributes,
            row_id,
            actor=account_id,
            group_id=access.group_id,
            address=address,
            break_glass=access.id,
        )
        return values or {}

    found = []
    for member in members:
        confirmation = latest.get(member.account_id)
        found.append(
            Person(
                membership_id=member.id,
                display_name=member.display_name,
                role=member.role,
                contacts=await view(_sealed_of(Account), member.account_id),
                session_starts_at=None if confirmation is None else confirmation.session_starts_at,
                confirmed={}
                if confirmation is None
                else await view(_sealed_of(EntryConfirmation), confirmation.id),
            )
        )
    return found


def _sealed_of(
    model: type[Account] | type[EntryConfirmation],
) -> list[QueryableAttribute[str]]:
    return [
        getattr(model, column.key)
        for column in model.__table__.columns
        if isinstance(column.type, Sealed)
    ]
