"""Coming and going, and what gives way when nobody facilitates.

A person is in the room once, however many pages they open; who reconnects keeps everything. When
the last facilitator is gone, structured formats go on by themselves, and whatever only a
facilitator could have lifted gets an end: no room stays mute by accident.
"""

from __future__ import annotations

from dataclasses import fields

from moderation.care import someone_facilitates
from moderation.effects import CallOnCall, Refused
from moderation.events import Joined, Left, NetworkBack, NetworkLost
from moderation.muting import give_mutes_an_end, lift_mute, unmute_everyone
from moderation.notices import Scalar
from moderation.people import Person, Role
from moderation.room import Room
from moderation.state import fresh
from moderation.switching import set_paused
from moderation.turns import end_turn
from moderation.watch import in_own_turn, watch_leaving, withdraw
from moderation.words import REFUSALS

CAPACITY = 16
"""People in a room, as many as the relay has slots."""

REMEMBERED = 64
"""So many who left are remembered, should they come back in this session."""


def joined(room: Room, event: Joined) -> None:
    people = room.state.people
    person = people.get(event.person)
    if person is None and len(people) >= CAPACITY:
        room.effects.append(Refused(event.person, "room_full", REFUSALS["room_full"]))
        return
    if person is None:
        person = room.state.gone.pop(event.person, None) or Person(event.person, event.role, 0.0)
        person.joined_at = room.now
        people[event.person] = person
        room.audit("joined", None, person.id, role=event.role)
    else:
        room.audit("joined_again", None, person.id, role=event.role)
    _take_role(room, person, event.role)
    _is_here(room, person)


def _take_role(room: Room, person: Person, role: Role) -> None:
    person.role = role
    circle = room.state.floor.circle
    if role == "facilitator":
        lift_mute(room, person, None)
        person.exempt = False
        circle.leave(person.id)
    elif person.id != room.state.floor.holder:
        circle.seat(person.id)


def _is_here(room: Room, person: Person) -> None:
    """They are told everything afresh: their page may know nothing."""
    person.lost_at = None
    person.gate = "unknown"
    person.told = None
    room.newcomers.append(person.id)
    room.people_changed = True
    watch_attendance(room)


def network_lost(room: Room, event: NetworkLost) -> None:
    person = room.state.people.get(event.person)
    if person is not None and person.connected:
        person.lost_at = room.now
        person.lost_in_turn = in_own_turn(room, person)
        room.people_changed = True
        watch_attendance(room)


def network_back(room: Room, event: NetworkBack) -> None:
    person = room.state.people.get(event.person)
    if person is not None:
        _is_here(room, person)


def left(room: Room, event: Left) -> None:
    state = room.state
    person = state.people.get(event.person)
    if person is None:
        return
    watch_leaving(room, person)
    del state.people[person.id]
    state.gone[person.id] = person
    for forgotten in list(state.gone)[:-REMEMBERED]:
        del state.gone[forgotten]
    room.listening.forget(person.id)
    floor = state.floor
    floor.lower(person.id)
    floor.circle.leave(person.id)
    if floor.holder == person.id:
        end_turn(room, "left")
    if floor.presenter is not None and floor.presenter.person == person.id:
        floor.presenter = None
    room.people_changed = True
    room.audit("left", None, person.id)
    if state.people:
        watch_attendance(room)
    else:
        _clear(room)


def _clear(room: Room) -> None:
    """Nobody is left: only the phase of the session outlasts them.

    Urgent alerts about a person that nobody acknowledged go to the person on call now, since no one
    else will see them.
    """
    for alert in room.state.alerts.open():
        if alert.severity == "urgent" and alert.about is not None:
            room.effects.append(CallOnCall(alert.view()))
    empty = fresh(room.formats, room.state.phase)
    empty.time = room.now
    empty.active_since = room.state.active_since
    for spec in fields(empty):
        setattr(room.state, spec.name, getattr(empty, spec.name))
    room.listening.clear()
    room.audit("room_empty", None)


def watch_attendance(room: Room) -> None:
    """Notice that nobody facilitates, and that somebody does again."""
    state = room.state
    rules = room.format.unattended
    if not state.people or someone_facilitates(room):
        if state.unattended:
            room.audit("attended", None)
        state.unattended_since = None
        state.unattended = False
        withdraw(room, "nobody_facilitating", None)
        return
    if state.unattended_since is None:
        state.unattended_since = room.now
    if room.now < state.unattended_since + rules.after_s:
        return
    if not state.unattended:
        state.unattended = True
        room.audit("unattended", None)
        if state.active_since is not None:
            evidence: dict[str, Scalar] = {"people": len(state.people), "phase": state.phase}
            room.alert("nobody_facilitating", "urgent", None, evidence)
    give_mutes_an_end(room)
    alone_since = state.unattended_since + rules.after_s
    if state.all_muted and room.now >= alone_since + rules.mute_s:
        unmute_everyone(room, None)
    if state.paused and room.now >= alone_since + rules.pause_s:
        set_paused(room, False, None)
