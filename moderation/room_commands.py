"""Facilitators' commands about the room and the people in it."""

from __future__ import annotations

from typing import get_args

from moderation.care import help_seen
from moderation.conduct import forgive, switch_ladder
from moderation.events import (
    AcknowledgeAlert,
    Forgive,
    MuteAll,
    MutePerson,
    Pause,
    Resume,
    SetFormat,
    SetLadder,
    SetPhase,
    UnmuteAll,
    UnmutePerson,
)
from moderation.floor_commands import checked_seconds
from moderation.formats import Phase
from moderation.muting import lift_mute, put_mute, unmute_everyone
from moderation.notices import AlertNotice
from moderation.people import Person
from moderation.room import RefusalError, Room
from moderation.switching import change_format, change_phase, set_paused
from moderation.turns import end_turn

LONGEST_MUTE_S = 3600.0


def set_format(room: Room, by: Person, event: SetFormat) -> None:
    """Also the format that is there already: it then begins afresh."""
    if room.state.phase == "ended":
        raise RefusalError("ended")
    if event.format not in room.formats:
        raise RefusalError("no_such_format")
    change_format(room, room.formats[event.format], by.id)


def set_phase(room: Room, by: Person, event: SetPhase) -> None:
    """Forwards or back, as the group needs; only the end is final."""
    phase = next((known for known in get_args(Phase) if known == event.phase), None)
    if phase is None:
        raise RefusalError("no_such_phase")
    if room.state.phase == phase:
        raise RefusalError("already")
    if room.state.phase == "ended":
        raise RefusalError("ended")
    change_phase(room, phase, by.id)


def pause(room: Room, by: Person, _event: Pause) -> None:
    if room.state.phase == "ended":
        raise RefusalError("ended")
    if room.state.paused:
        raise RefusalError("already")
    set_paused(room, True, by.id)


def resume(room: Room, by: Person, _event: Resume) -> None:
    if not room.state.paused:
        raise RefusalError("not_paused")
    set_paused(room, False, by.id)


def mute_person(room: Room, by: Person, event: MutePerson) -> None:
    """Their turn goes on to the next one: a muted holder would keep everyone waiting."""
    who = room.person(event.who)
    seconds = event.seconds
    length_s = None if seconds is None else checked_seconds(seconds, LONGEST_MUTE_S)
    if who.facilitates:
        raise RefusalError("facilitator_voice")
    put_mute(room, who, "facilitator", None if length_s is None else room.now + length_s, by.id)
    if room.state.floor.holder == who.id:
        end_turn(room, "muted")


def unmute_person(room: Room, by: Person, event: UnmutePerson) -> None:
    who = room.person(event.who)
    everyone = room.state.all_muted and not who.exempt and not who.facilitates
    if who.mute is None and not everyone:
        raise RefusalError("not_muted")
    lift_mute(room, who, by.id)
    if everyone:
        who.exempt = True
        room.audit("unmuted", by.id, who.id, cause="all")


def mute_all(room: Room, by: Person, _event: MuteAll) -> None:
    if room.state.phase == "ended":
        raise RefusalError("ended")
    if room.state.all_muted and not any(person.exempt for person in room.participants()):
        raise RefusalError("already")
    room.state.all_muted = True
    for person in room.participants():
        person.exempt = False
    room.audit("muted_everyone", by.id)


def unmute_all(room: Room, by: Person, _event: UnmuteAll) -> None:
    if not room.state.all_muted and not any(person.mute for person in room.participants()):
        raise RefusalError("not_all_muted")
    unmute_everyone(room, by.id)


def forgive_person(room: Room, by: Person, event: Forgive) -> None:
    forgive(room, room.person(event.who), by.id)
    room.people_changed = True


def set_ladder(room: Room, by: Person, event: SetLadder) -> None:
    if not isinstance(event.on, bool):
        raise RefusalError("bad_value")
    if room.state.ladder_on is event.on:
        raise RefusalError("already")
    switch_ladder(room, event.on, by.id)
    room.people_changed = True


def acknowledge_alert(room: Room, by: Person, event: AcknowledgeAlert) -> None:
    alert = room.state.alerts.find(event.alert)
    if alert is None:
        raise RefusalError("no_such_alert")
    if not alert.is_open:
        raise RefusalError("already")
    room.state.alerts.acknowledge(alert, by.id, room.now)
    room.tell_facilitators(AlertNotice("acknowledged", alert.view()))
    room.audit("alert_acknowledged", by.id, alert.about, alert=alert.id, kind=alert.kind)
    help_seen(room, alert)
