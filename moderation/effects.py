"""What the engine answers: the only way out. The server carries effects out in their order."""

from __future__ import annotations

from dataclasses import dataclass, field

from moderation.notices import (
    AlertView,
    FacilitatorNotice,
    FloorState,
    GateReason,
    PersonalNotice,
    Scalar,
)
from moderation.words import RefusalCode


@dataclass(frozen=True, slots=True)
class SetGate:
    """Open or close one person's audio towards all others. Facilitators' gates are only opened."""

    person: str
    is_open: bool
    reason: GateReason | None
    """None exactly when open."""


@dataclass(frozen=True, slots=True)
class TellEveryone:
    state: FloorState


@dataclass(frozen=True, slots=True)
class TellPerson:
    to: str
    notice: PersonalNotice


@dataclass(frozen=True, slots=True)
class TellFacilitators:
    to: tuple[str, ...]
    """Exactly these; all of them facilitators in the room."""
    notice: FacilitatorNotice


@dataclass(frozen=True, slots=True)
class Refused:
    """The command just handled was not carried out; to be told to the one who gave it, only."""

    to: str
    code: RefusalCode
    text: str


@dataclass(frozen=True, slots=True)
class CallOnCall:
    """Nobody in the room answers for an urgent alert: reach the person on call."""

    alert: AlertView


@dataclass(frozen=True, slots=True)
class Audit:
    """One line for the audit log. Never holds a rating."""

    action: str
    by: str | None
    """Who decided; None: the engine's rules."""
    about: str | None
    detail: dict[str, Scalar] = field(default_factory=dict, hash=False)


Effect = SetGate | TellEveryone | TellPerson | TellFacilitators | Refused | CallOnCall | Audit
