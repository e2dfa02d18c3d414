"""What the engine is told: the only way in. Times travel beside events, in s (see ``Session``).

Ids of people are opaque strings, stable for as long as a person belongs to the session. ``by`` is
who gives the command, as the server authenticated them; a command that they may not give or that
makes no sense just now is answered with a ``Refused`` effect and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moderation.people import Role

# --- From the server itself ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """Someone entered, or entered again from another page: they keep what they had."""

    person: str
    role: Role


@dataclass(frozen=True, slots=True)
class Left:
    """Someone is gone for good: they left, were removed, or did not reconnect in time."""

    person: str


@dataclass(frozen=True, slots=True)
class NetworkLost:
    """Someone's connection broke; they keep their place for now."""

    person: str


@dataclass(frozen=True, slots=True)
class NetworkBack:
    person: str


@dataclass(frozen=True, slots=True)
class VoiceFrames:
    """One 20 ms tick of the whole room; people whose packets are missing are left out.

    Each value is the RFC 6464 level in -dBov (0 loudest, 127 silence) and the voice activity bit.
    """

    frames: Mapping[str, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time passing: at least once a second while no voice frames come."""


# --- From anyone: floor requests (RFC 8855, section 10) ------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestFloor:
    """Raise a hand (FloorRequest, RFC 8855 section 10.1). Always possible, also when muted."""

    by: str


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Lower one's hand (FloorRelease of a pending request, RFC 8855 section 10.2)."""

    by: str


@dataclass(frozen=True, slots=True)
class ReleaseFloor:
    """Give the floor back (FloorRelease of a granted request, RFC 8855 section 10.2)."""

    by: str


@dataclass(frozen=True, slots=True)
class PassTurn:
    """Let the talking piece go by: in one's turn, or beforehand while the round still comes."""

    by: str


@dataclass(frozen=True, slots=True)
class AskHelp:
    """The silent help button."""

    by: str


@dataclass(frozen=True, slots=True)
class RateDistress:
    """Set one's own distress, 0 (none) to 10 (the worst imaginable); None takes it back."""

    by: str
    rating: int | None


# --- From facilitators: chair actions (RFC 8855, section 11) and care -----------------------------


@dataclass(frozen=True, slots=True)
class GrantFloor:
    by: str
    to: str


@dataclass(frozen=True, slots=True)
class RevokeFloor:
    by: str


@dataclass(frozen=True, slots=True)
class ReorderQueue:
    """Put hands (in a circle: the seats still waiting) in this order; others keep theirs after."""

    by: str
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetQueueOrder:
    """``first_come`` or ``quietest_first``."""

    by: str
    order: str


@dataclass(frozen=True, slots=True)
class ExtendTurn:
    by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class NextRound:
    """Send the talking piece round once more, after it came to rest."""

    by: str


@dataclass(frozen=True, slots=True)
class Invite:
    """Tell one person privately that they are welcome to speak."""

    by: str
    to: str


@dataclass(frozen=True, slots=True)
class SetFormat:
    by: str
    format: str


@dataclass(frozen=True, slots=True)
class SetPhase:
    by: str
    phase: str


@dataclass(frozen=True, slots=True)
class Pause:
    by: str


@dataclass(frozen=True, slots=True)
class Resume:
    by: str


@dataclass(frozen=True, slots=True)
class MutePerson:
    by: str
    who: str
    seconds: float | None = None
    """How long; None: until a facilitator lifts it."""


@dataclass(frozen=True, slots=True)
class UnmutePerson:
    by: str
    who: str


@dataclass(frozen=True, slots=True)
class MuteAll:
    by: str


@dataclass(frozen=True, slots=True)
class UnmuteAll:
    by: str


@dataclass(frozen=True, slots=True)
class Forgive:
    """Take someone back to the foot of the conduct ladder and lift what it did to them."""

    by: str
    who: str


@dataclass(frozen=True, slots=True)
class SetLadder:
    """Switch the conduct ladder on or off for the whole room."""

    by: str
    on: bool


@dataclass(frozen=True, slots=True)
class AcknowledgeAlert:
    by: str
    alert: int


PersonCommand = RequestFloor | CancelRequest | ReleaseFloor | PassTurn | AskHelp | RateDistress

FacilitatorCommand = (
    GrantFloor
    | RevokeFloor
    | ReorderQueue
    | SetQueueOrder
    | ExtendTurn
    | NextRound
    | Invite
    | SetFormat
    | SetPhase
    | Pause
    | Resume
    | MutePerson
    | UnmutePerson
    | MuteAll
    | UnmuteAll
    | Forgive
    | SetLadder
    | AcknowledgeAlert
)

Command = PersonCommand | FacilitatorCommand

Event = Joined | Left | NetworkLost | NetworkBack | VoiceFrames | Tick | Command
