"""Everything a session remembers, as one value that can be saved and restored."""

from __future__ import annotations

from dataclasses import dataclass, field

from moderation.alerts import AlertBook
from moderation.floor import Floor
from moderation.formats import Formats, Phase
from moderation.notices import FloorState
from moderation.people import Person


@dataclass(slots=True)
class RoomState:
    """State of one room; times in s."""

    floor: Floor
    time: float = 0.0
    """The latest time heard of; time never runs backwards."""
    phase: Phase = "lobby"
    active_since: float | None = None
    """When the lobby was last left for the session itself; None in lobby and at the end."""
    people: dict[str, Person] = field(default_factory=dict)
    """Who is in the room, in the order in which they came."""
    gone: dict[str, Person] = field(default_factory=dict)
    """Who was there in this session and left, last ones last: leaving does not wipe the slate."""
    paused: bool = False
    all_muted: bool = False
    ladder_on: bool = True
    unattended_since: float | None = None
    """Since when no facilitator is connected; None while one is, or nobody is there at all."""
    unattended: bool = False
    """It has lasted long enough to count (``unattended.after_s``)."""
    alerts: AlertBook = field(default_factory=AlertBook)
    frames_at: float | None = None
    """When voice frames last came."""
    slot: int = 0
    """Number of the running slot of :mod:`moderation.tally`."""
    last_speaker: str | None = None
    """Who had the last turn of talk: going on oneself is no new turn."""
    chores_at: float = 0.0
    told_floor: FloorState | None = None
    """What everyone was last told, so that only changes are sent."""
    people_told_at: float = 0.0
    shares_told_at: float = 0.0


def fresh(formats: Formats, phase: Phase) -> RoomState:
    """The state of a room with nobody in it."""
    opening = formats.default_for(phase)
    return RoomState(floor=Floor(format=opening.name, order=opening.queue.order), phase=phase)
