"""Mutes: put on and lifted, and all of them together."""

from __future__ import annotations

from moderation.people import Mute, MuteCause, Person
from moderation.room import Room


def put_mute(
    room: Room,
    person: Person,
    cause: MuteCause,
    until: float | None,
    by: str | None,
    why: str = "",
) -> None:
    """Mute a participant until a time in s, or (None) until a facilitator lifts it."""
    person.mute = Mute(cause, room.now, until, by, why)
    person.muted_at = room.now
    person.exempt = False
    room.people_changed = True
    room.audit("muted", by, person.id, cause=cause, until=until)


def lift_mute(room: Room, person: Person, by: str | None) -> None:
    if person.mute is None:
        return
    room.audit("unmuted", by, person.id, cause=person.mute.cause)
    person.mute = None
    person.unmuted_at = room.now
    room.people_changed = True


def unmute_everyone(room: Room, by: str | None) -> None:
    room.state.all_muted = False
    for person in room.participants():
        person.exempt = False
        lift_mute(room, person, by)
    room.audit("unmuted_everyone", by)


def let_mutes_end(room: Room) -> None:
    """Lift the mutes whose time is over."""
    for person in room.participants():
        if person.mute and person.mute.until is not None and room.now >= person.mute.until:
            lift_mute(room, person, None)


def give_mutes_an_end(room: Room) -> None:
    """With no facilitator there to lift them, mutes end by themselves."""
    for person in room.participants():
        if person.mute is not None and person.mute.until is None:
            person.mute.until = room.now + room.format.unattended.mute_s
            room.people_changed = True
            room.audit("mute_given_an_end", None, person.id, until=person.mute.until)


def mutes_due(room: Room) -> list[float]:
    return [
        person.mute.until
        for person in room.participants()
        if person.mute and person.mute.until is not None
    ]
