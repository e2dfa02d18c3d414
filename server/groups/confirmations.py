"""What people confirm before a session, so that help can be sent to them in an emergency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.viewing import view_sealed
from server.groups import attendance
from server.groups.act import Act, on_record
from server.groups.opening import CONFIRM_EARLY, closes_at
from server.groups.persons import Person, rows_of
from server.groups.schedule import Occurrence
from server.groups.standing import person_named
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import EntryConfirmation, Group, GroupRole
from server.storage.sealed import Place, seal

KEEP_HOURS = 24
"""As `server.storage.retention.RetentionPeriods.entry_confirmation_hours`."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Where someone is, and whom to call.

    Args:
        location: the address where they are now.
        phone: a number under which they can be reached now.
        contact_name: whom to call in an emergency.
        contact_phone: their number.
        is_private: whether nobody else can hear: alone, or with headphones.
    """

    location: str
    phone: str
    contact_name: str
    contact_phone: str
    is_private: bool


async def confirm(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    occurrence: Occurrence,
    person: Person,
    given: Confirmation,
    *,
    keep_hours: int = KEEP_HOURS,
) -> None:
    """Keep what someone confirmed for one session, in place of what they confirmed before.

    Raises:
        Refused: ``incomplete``, ``bad_phone``, ``not_private``, ``too_early`` or
            ``session_past``.
    """
    if act.now < occurrence.starts_at - CONFIRM_EARLY:
        raise Refused(
            "too_early",
            "You can fill this in from one hour before the session, when you know where you "
            "will be.",
            409,
        )
    if act.now >= closes_at(occurrence.ends_at):
        raise Refused("session_past", "This session is over.", 409)
    texts = [given.location, given.phone, given.contact_name, given.contact_phone]
    location, phone, contact_name, contact_phone = [" ".join(text.split()) for text in texts]
    if len(location) < 3 or not contact_name:
        raise Refused("incomplete", "Please fill in all fields, so that help could reach you.")
    for number in (phone, contact_phone):
        if sum(char.isdecimal() for char in number) < 3:
            raise Refused("bad_phone", "Please give a phone number that can be called.")
    if not given.is_private:
        raise Refused(
            "not_private",
            "Please find a place where nobody else can hear the group, or put on headphones. "
            "Then confirm again.",
        )
    row = await _find(session, occurrence.group_id, occurrence.starts_at, person)
    if row is None:
        row = EntryConfirmation(
            id=new_id(),
            group_id=occurrence.group_id,
            session_starts_at=occurrence.starts_at,
            account_id=person.account_id,
            guest_id=person.guest_id,
        )
        session.add(row)
    contact = json.dumps({"name": contact_name, "phone": contact_phone}, ensure_ascii=False)
    row.location = seal(keyring, Place.of(EntryConfirmation.location, row.id), location)
    row.phone = seal(keyring, Place.of(EntryConfirmation.phone, row.id), phone)
    row.emergency_contact = seal(
        keyring, Place.of(EntryConfirmation.emergency_contact, row.id), contact
    )
    row.is_private = True
    row.confirmed_at = act.now
    row.expires_at = occurrence.ends_at + timedelta(hours=keep_hours)
    await session.flush()
    on_record(session, act, "confirmation.given", row.id, occurrence.group_id)


async def _find(
    session: AsyncSession, group_id: str, starts_at: datetime, person: Person
) -> EntryConfirmation | None:
    return await session.scalar(
        select(EntryConfirmation).where(
            EntryConfirmation.group_id == group_id,
            EntryConfirmation.session_starts_at == starts_at,
            rows_of(EntryConfirmation, person),
        )
    )


async def is_confirmed(
    session: AsyncSession, group_id: str, starts_at: datetime, person: Person, now: datetime
) -> bool:
    """Whether someone has confirmed for this session, and it is still kept."""
    row = await _find(session, group_id, starts_at, person)
    return row is not None and row.is_private and row.expires_at > now


async def refuse_who_is_not_there(
    session: AsyncSession, group_id: str, starts_at: datetime, role: GroupRole, person: Person
) -> None:
    """Facilitators care for a session at any time; counselors while they are in it themselves.

    Raises:
        Refused: ``not_allowed``; ``not_in_session`` for a counselor who is not there now.
    """
    if role == "facilitator":
        return
    if role != "counselor":
        raise Refused("not_allowed", "Only those who care for this session see this.", 403)
    if not await attendance.is_present(session, group_id, starts_at, person):
        raise Refused(
            "not_in_session",
            "You see this while you are in the session. Please go in first, and then look here "
            "again.",
            403,
        )


@dataclass(frozen=True, slots=True)
class OpenedConfirmation:
    """What someone confirmed, opened."""

    location: str
    phone: str
    contact_name: str
    contact_phone: str
    is_private: bool
    confirmed_at: datetime


async def view_confirmation(
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    group: Group,
    starts_at: datetime,
    person_key: str,
    *,
    role: GroupRole,
) -> OpenedConfirmation:
    """What someone confirmed for a session, for who may have to send help; put on record.

    Args:
        storage: where it is.
        keyring: opens it.
        act: by whom.
        group: which group.
        starts_at: which session.
        person_key: of `server.groups.standing.Standing`.
        role: of who looks, in this group.

    Raises:
        Refused: as `refuse_who_is_not_there`, or ``not_confirmed``.
    """
    async with storage.snapshot() as session:
        await refuse_who_is_not_there(
            session, group.id, starts_at, role, Person(account_id=act.actor)
        )
        person = await person_named(session, group.id, person_key)
        row = None
        if person is not None:
            row = await _find(session, group.id, starts_at, person)
    if row is None or row.expires_at <= act.now:
        raise _not_confirmed()
    opened = await view_sealed(
        storage,
        keyring,
        [
            EntryConfirmation.location,
            EntryConfirmation.phone,
            EntryConfirmation.emergency_contact,
        ],
        row.id,
        actor=act.actor,
        group_id=group.id,
        address=act.address,
    )
    if opened is None:
        raise _not_confirmed()
    contact = json.loads(opened["emergency_contact"] or "{}")
    return OpenedConfirmation(
        opened["location"] or "",
        opened["phone"] or "",
        contact.get("name", ""),
        contact.get("phone", ""),
        row.is_private,
        row.confirmed_at,
    )


def _not_confirmed() -> Refused:
    return Refused("not_confirmed", "They have not confirmed for this session.", 404)
