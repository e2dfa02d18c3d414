"""Changing the rules in mid-session: formats, phases, pauses.

A change of format ends the running turn and the round, and keeps raised hands: whoever wanted to
speak still does. A pause lies over any format and touches nothing but the clock.
"""

from __future__ import annotations

from moderation.circle import Circle
from moderation.formats import Format, Phase
from moderation.room import Room
from moderation.turns import end_turn


def change_format(room: Room, new: Format, by: str | None) -> None:
    end_turn(room, "format")
    floor = room.state.floor
    floor.format = new.name
    floor.order = new.queue.order
    floor.presenter = None
    floor.circle = Circle()
    room.listening.judge_by(new.overlap)
    room.audit("format", by, format=new.name)


def change_phase(room: Room, phase: Phase, by: str | None) -> None:
    """Each phase opens with its own format; the end of the session frees everyone."""
    state = room.state
    state.phase = phase
    if phase in {"lobby", "ended"}:
        state.active_since = None
    elif state.active_since is None:
        state.active_since = room.now
    room.audit("phase", by, phase=phase)
    change_format(room, room.formats.default_for(phase), by)
    if phase == "ended":
        state.floor.queue.clear()
        state.paused = state.all_muted = False


def set_paused(room: Room, paused: bool, by: str | None) -> None:
    room.state.paused = paused
    room.audit("paused" if paused else "resumed", by)


def let_circle_end(room: Room) -> None:
    """A talking piece that rested long enough, or with nobody to take it up, makes room."""
    circle = room.state.floor.circle
    if room.format.kind != "circle" or circle.rests_since is None or room.frozen:
        return
    rest_s = 0.0 if room.state.unattended else room.format.circle.rest_s
    if room.now >= circle.rests_since + rest_s:
        change_format(room, room.formats[room.format.circle.then], None)


def switching_due(room: Room) -> list[float]:
    circle = room.state.floor.circle
    if circle.rests_since is None or room.frozen:
        return []
    return [circle.rests_since + room.format.circle.rest_s]
