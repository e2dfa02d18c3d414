"""Emergency access: what an administrator, who does not see into groups, does when lives depend
on it and no facilitator can be reached (45 CFR 164.312(a)(2)(ii)).

It takes a stated reason, is for one group and one hour, and all that is looked at is put on record,
where the group's facilitators see it, too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import QueryableAttribute

from server.audit.record import AuditEvent, record
from server.audit.viewing import view_sealed
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Account, BreakGlassGrant, EntryConfirmation, Group, Membership
from server.storage.models.base import GroupRole
from server.storage.sealed import Place, seal

GRANTED = "break_glass.granted"
ENDED = "break_glass.ended"
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


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What someone confirmed for a session, opened."""

    session_starts_at: datetime
    confirmed_at: datetime
    location: str = field(repr=False)
    phone: str = field(repr=False)
    contact_name: str = field(repr=False)
    contact_phone: str = field(repr=False)
    is_private: bool
    """Whether nobody else can hear them: alone, or with headphones."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who can be reached how.

    Args:
        membership_id: of the member.
        display_name: as the group knows them.
        role: in the group.
        legal_name: as they gave it.
        email: if they have one.
        phone: if they gave one.
        confirmed: for the latest session, if that is kept yet.
    """

    membership_id: str
    display_name: str
    role: GroupRole
    legal_name: str = field(repr=False)
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    confirmed: Confirmed | None


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
) -> Grant | None:
    """The access that someone has now, the longest if there are several."""
    query = (
        select(BreakGlassGrant.id, BreakGlassGrant.granted_at, BreakGlassGrant.expires_at)
        .where(*_current(account_id, group_id, now))
        .order_by(BreakGlassGrant.expires_at.desc())
        .limit(1)
    )
    async with storage.snapshot() as session:
        row = (await session.execute(query)).one_or_none()
    return None if row is None else Grant(row.id, group_id, row.granted_at, row.expires_at)


async def end(
    storage: Storage, *, account_id: str, group_id: str, address: str | None, now: datetime
) -> None:
    """End someone's access before its time; without any nothing happens."""
    async with storage.transaction() as session:
        query = select(BreakGlassGrant).where(*_current(account_id, group_id, now))
        for row in (await session.scalars(query)).all():
            row.expires_at = now
            event = AuditEvent(
                actor=account_id,
                action=ENDED,
                subject=row.id,
                group_id=group_id,
                address=address,
                time=now,
            )
            record(session, event)


def _current(account_id: str, group_id: str, now: datetime) -> list[ColumnElement[bool]]:
    return [
        BreakGlassGrant.account_id == account_id,
        BreakGlassGrant.group_id == group_id,
        BreakGlassGrant.granted_at <= now,
        BreakGlassGrant.expires_at > now,
    ]


async def people(
    storage: Storage,
    keyring: KeyRing,
    access: Grant,
    *,
    account_id: str,
    address: str | None,
    now: datetime,
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
                    EntryConfirmation.confirmed_at,
                    EntryConfirmation.is_private,
                )
                .where(
                    EntryConfirmation.group_id == access.group_id,
                    EntryConfirmation.expires_at > now,
                )
                .order_by(EntryConfirmation.session_starts_at)
            )
        ).all()
    latest = {row.account_id: row for row in confirmations}

    async def view(
        attributes: Sequence[QueryableAttribute[Any]], row_id: str
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
        contacts = await view([Account.legal_name, Account.email, Account.phone], member.account_id)
        confirmed = None
        if (row := latest.get(member.account_id)) is not None:
            opened = await view(
                [
                    EntryConfirmation.location,
                    EntryConfirmation.phone,
                    EntryConfirmation.emergency_contact,
                ],
                row.id,
            )
            contact = json.loads(opened.get("emergency_contact") or "{}")
            confirmed = Confirmed(
                session_starts_at=row.session_starts_at,
                confirmed_at=row.confirmed_at,
                location=opened.get("location") or "",
                phone=opened.get("phone") or "",
                contact_name=contact.get("name", ""),
                contact_phone=contact.get("phone", ""),
                is_private=row.is_private,
            )
        found.append(
            Person(
                membership_id=member.id,
                display_name=member.display_name,
                role=member.role,
                legal_name=contacts.get("legal_name") or "",
                email=contacts.get("email"),
                phone=contacts.get("phone"),
                confirmed=confirmed,
            )
        )
    return found
