"""What time alone brings about: turns that end, mutes that end, and a look around each second."""

from __future__ import annotations

import math

from moderation.attendance import watch_attendance
from moderation.conduct import decay
from moderation.fairness import roll, tell_own_shares
from moderation.muting import let_mutes_end, mutes_due
from moderation.room import Room
from moderation.switching import let_circle_end, switching_due
from moderation.turns import advance_turn, turn_due
from moderation.watch import watch_talk

PEOPLE_EVERY_S = 2.0
"""How often facilitators see shares grow, in s."""
OWN_SHARE_EVERY_S = 15.0
"""How often each person sees their own share, in s."""


def advance(room: Room) -> None:
    """Do what is due at the room's time."""
    let_mutes_end(room)
    advance_turn(room)
    let_circle_end(room)
    if room.now >= room.state.chores_at:
        _look_around(room)


def _look_around(room: Room) -> None:
    state = room.state
    state.chores_at = math.floor(room.now) + 1.0
    roll(room)
    watch_attendance(room)
    watch_talk(room)
    for person in room.participants():
        decay(person.conduct, room.format.conduct, room.now)
    if room.now - state.people_told_at >= PEOPLE_EVERY_S:
        room.people_changed = True
    if room.now - state.shares_told_at >= OWN_SHARE_EVERY_S:
        state.shares_told_at = room.now
        tell_own_shares(room)


def next_due(room: Room) -> float:
    """The next time at which :func:`advance` has something to do, in s."""
    return min([room.state.chores_at, *turn_due(room), *mutes_due(room), *switching_due(room)])
