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


@dataclass(frozen=True, slots=True)
class OpenedConfirmation:
    """What someone confirmed, opened."""

    location: str
    phone: str
    contact_name: str
    contact_phone: str
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
    engaged: bool = False,
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
        engaged: whether the live session has called the counselor in. Otherwise a counselor may
            look only while they are in the session themselves.

    Raises:
        Refused: ``not_allowed`` or ``not_found``.
    """
    async with storage.snapshot() as session:
        if role == "counselor" and not engaged:
            engaged = await attendance.is_present(
                session, group.id, starts_at, Person(account_id=act.actor)
            )
        if role != "facilitator" and not (role == "counselor" and engaged):
            raise Refused("not_allowed", "Only those who care for this session see this.", 403)
        person = await person_named(session, group.id, person_key)
        row = None
        if person is not None:
            row = await _find(session, group.id, starts_at, person)
    if row is None or row.expires_at <= act.now:
        raise Refused("not_found", "They have not confirmed for this session.", 404)
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
        raise Refused("not_found", "They have not confirmed for this session.", 404)
    contact = json.loads(opened["emergency_contact"] or "{}")
    return OpenedConfirmation(
        opened["location"] or "",
        opened["phone"] or "",
        contact.get("name", ""),
        contact.get("phone", ""),
        row.confirmed_at,
    )
