"""What people are told, sorted by who may see it: that is what keeps private things private.

``FloorState`` is all that everyone sees. A ``PersonalNotice`` goes to one person, a
``FacilitatorNotice`` to facilitators. Times are in s on the engine's clock; a deadline is None
while the clock stands still or has no end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

GateReason = Literal[
    "not_your_turn", "paused", "all_muted", "short_mute", "held_mute", "facilitator_mute"
]
"""Why a gate is closed. Lifted by, in order: GrantFloor (or an open format), Resume, UnmuteAll (or
UnmutePerson), UnmutePerson or Forgive (short, held), UnmutePerson."""

HelpState = Literal["none", "asked", "seen"]

Scalar = str | int | float | bool | None

TurnEnd = Literal[
    "released", "passed", "time", "revoked", "granted_to_another", "lost", "left", "format", "muted"
]
"""Why a turn ended; who left is not told."""

# --- To everyone ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PieceState:
    """Where the talking piece is in a circle."""

    round: int
    rounds: int
    waiting: tuple[str, ...]
    """Who still gets it in this round, in order."""
    resting: bool
    """The last round is over: nobody has the piece."""


@dataclass(frozen=True, slots=True)
class FloorState:
    """The one thing that all may see; holds no mute, no rating, no reprimand."""

    phase: str
    format: str
    kind: str
    holder: str | None
    turn_ends_at: float | None
    turn_left_s: float | None
    """What is left of a turn whose clock stands still (pause, lost network)."""
    queue: tuple[str, ...]
    """Raised hands, next first."""
    queue_order: str
    piece: PieceState | None
    presenter: str | None
    paused: bool
    all_muted: bool
    attended: bool
    """False: no facilitator is in the room. A short loss of network is not shown to the group."""


# --- To one person -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnState:
    """How things stand for the person told; replaces the one before it."""

    holding: bool
    hand_raised: bool
    place: int | None
    """Own place in the queue, or among those waiting for the talking piece; 1 is next."""
    muted: GateReason | None
    """Why nobody hears them; None: they are heard."""
    muted_until: float | None
    text: str
    """One kind sentence on why; empty while they are heard."""
    rating: int | None
    help: HelpState
    """Asked for help, and whether a facilitator has seen it."""


@dataclass(frozen=True, slots=True)
class YourTurn:
    ends_at: float | None
    text: str


@dataclass(frozen=True, slots=True)
class TurnEndingSoon:
    ends_at: float
    text: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    why: TurnEnd
    text: str


@dataclass(frozen=True, slots=True)
class Nudge:
    """A gentle word that nobody else sees."""

    about: Literal["interruption", "share"]
    text: str


@dataclass(frozen=True, slots=True)
class Muted:
    reason: GateReason
    until: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Unmuted:
    text: str


@dataclass(frozen=True, slots=True)
class Invited:
    text: str


@dataclass(frozen=True, slots=True)
class OwnShare:
    """How much of the talk was one's own, in the last ten minutes and the whole session."""

    talk_s: float
    share: float
    recent_share: float
    fair_share: float
    """What each would have if all had the same, 0 to 1."""
    text: str


@dataclass(frozen=True, slots=True)
class HelpReceived:
    text: str


@dataclass(frozen=True, slots=True)
class HelpSeen:
    """A facilitator has acknowledged this person's call for help."""

    text: str


PersonalNotice = (
    FloorState
    | OwnState
    | YourTurn
    | TurnEndingSoon
    | TurnEnded
    | Nudge
    | Muted
    | Unmuted
    | Invited
    | OwnShare
    | HelpReceived
    | HelpSeen
)

# --- To facilitators -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Someone's part in the talk over one stretch of time."""

    talk_s: float
    share: float
    """Of all participants' talk, 0 to 1; 0 for facilitators, whose talk is not shared out."""
    turns: int
    interruptions_made: int
    interruptions_suffered: int


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person as facilitators see them."""

    id: str
    role: str
    connected: bool
    session: Figures
    recent: Figures
    """Over the last 10 minutes."""
    last_heard_at: float | None
    gate: GateReason | None
    """Why they cannot be heard; None: they can."""
    gate_text: str
    """The same in words, with what lifts it."""
    muted_until: float | None
    muted_by: str | None
    muted_why: str
    """What happened, of a mute by the conduct ladder; {challenger} and {victim} stand for names."""
    strikes: int
    rating: int | None
    rated_at: float | None
    hand_raised: bool


@dataclass(frozen=True, slots=True)
class PeopleState:
    """The facilitators' console."""

    people: tuple[PersonView, ...]
    gini: float
    """Gini coefficient of the participants' talk time: 0 equal, towards 1 all by one person."""
    recent_gini: float
    fair_share: float
    suggested: tuple[str, ...]
    """Whom one could invite next, best first."""
    ladder_on: bool


AlertKind = Literal[
    "help_asked",
    "distress_high",
    "repeated_interruptions",
    "not_heard",
    "dominating",
    "left_abruptly",
    "nobody_facilitating",
]

Severity = Literal["info", "attention", "urgent"]


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert as it stands."""

    id: int
    kind: AlertKind
    severity: Severity
    about: str | None
    """The person it is about; None for the room."""
    text: str
    evidence: dict[str, Scalar] = field(hash=False)
    count: int
    """How many times its cause came while it was open."""
    raised_at: float
    changed_at: float
    rises: int
    """How often it rose again because nobody acknowledged it."""
    acknowledged_by: str | None
    acknowledged_at: float | None


@dataclass(frozen=True, slots=True)
class AlertNotice:
    change: Literal["raised", "changed", "acknowledged", "rose_again", "withdrawn"]
    alert: AlertView


FacilitatorNotice = PeopleState | AlertNotice
