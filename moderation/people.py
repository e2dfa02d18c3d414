"""One person in the room and everything the engine remembers of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from moderation.notices import HelpState, OwnState
from moderation.tally import Tally

Role = Literal["participant", "facilitator"]

MuteCause = Literal["short", "held", "facilitator"]
"""Short and held are the two upper rungs of the conduct ladder; the third is a decision."""


@dataclass(slots=True)
class Mute:
    """Why someone's gate is closed although the format would let them speak."""

    cause: MuteCause
    since: float
    until: float | None
    """Time at which it ends by itself, in s; None: only a facilitator lifts it."""
    by: str | None
    """The facilitator whose decision it was; None for the engine's."""
    why: str = ""
    """What happened, for facilitators; {challenger} and {victim} stand for people's names."""


@dataclass(slots=True)
class Conduct:
    """Where someone stands on the ladder (see :mod:`moderation.conduct`)."""

    strikes: int = 0
    struck_at: float = 0.0
    """When the last strike was added or the last one forgotten, in s."""
    nudged_at: float | None = None
    counted_onset: float | None = None
    """Onset of the talk spurt whose interruption was last counted: each counts once."""
    judged_at: list[float] = field(default_factory=list)
    """Times of recent judged interruptions, oldest first, for the alert on repetition."""


@dataclass(slots=True)
class ShareNudge:
    """How the talk stood when someone was nudged about their share, both in s."""

    own_s: float
    all_s: float
    reported: bool = False
    """The facilitators know that it went on."""


@dataclass(slots=True)
class Person:
    """State of one person; times in s."""

    id: str
    role: Role
    joined_at: float
    lost_at: float | None = None
    """Since when their network is lost; None while they are connected."""
    lost_in_turn: bool = False
    """They were speaking, or had the floor, when their network was lost."""
    mute: Mute | None = None
    muted_at: float | None = None
    """When the last mute began, kept after it ended: leaving soon after one raises an alert."""
    unmuted_at: float | None = None
    """When the last mute was lifted: talk begun before it was heard by nobody."""
    exempt: bool = False
    """Lifted out of a mute of everyone by a facilitator."""
    conduct: Conduct = field(default_factory=Conduct)
    tally: Tally = field(default_factory=Tally)
    rating: int | None = None
    """Distress, 0 to 10 (Subjective Units of Distress Scale, Wolpe 1969); facilitators only."""
    rated_at: float | None = None
    help: HelpState = "none"
    high_rated_at: float | None = None
    """When they last rated their distress high enough for an alert."""
    share_nudged_at: float | None = None
    share_nudge: ShareNudge | None = None
    silence_told_at: float | None = None
    gate: str | None = "unknown"
    """Reason the relay was last given for a closed gate; None: open; "unknown": not told yet."""
    told: OwnState | None = None
    """The state last sent to them, so that only changes are sent."""

    @property
    def connected(self) -> bool:
        return self.lost_at is None

    @property
    def facilitates(self) -> bool:
        return self.role == "facilitator"
