"""The floor: who holds it, who asks for it, and the clock of a turn (RFC 8855, section 2).

One room has one floor and at most one holder, by construction: there is one ``turn``. Requests
are pending in ``queue`` until granted, cancelled, or their person leaves (RFC 8855 sections 10.1,
10.2 and 13.1.2). Everything here is data and what can be said of it; who gets the floor when is
decided in :mod:`moderation.turns`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from moderation.circle import Circle
from moderation.formats import QueueOrder


@dataclass(slots=True)
class Request:
    """A raised hand."""

    person: str
    number: int
    """Counts up with each request of the session: who asked first, even within one tick."""


@dataclass(slots=True)
class Turn:
    """Someone's time with the floor. Its clock stands still in a pause and while they are lost."""

    holder: str
    started_at: float
    question: bool
    """In a presentation: one from the group, after which the floor goes back to the presenter."""
    left_s: float | None
    """Time left when the clock was last started or stopped, in s; None: no end, nobody waits."""
    clock_at: float | None = None
    """When the clock was last started; None while it stands still."""
    warned: bool = False

    def remaining(self, now: float) -> float | None:
        if self.left_s is None or self.clock_at is None:
            return self.left_s
        return self.left_s - (now - self.clock_at)

    def ends_at(self) -> float | None:
        """When the time is up; None while the clock stands still or there is no end."""
        if self.left_s is None or self.clock_at is None:
            return None
        return self.clock_at + self.left_s

    def run(self, running: bool, now: float) -> None:
        """Start or stop the clock."""
        if running and self.clock_at is None:
            self.clock_at = now
        elif not running and self.clock_at is not None:
            self.left_s = self.remaining(now)
            self.clock_at = None


@dataclass(slots=True)
class Presenter:
    """Whose presentation it is, also while someone else asks a question."""

    person: str
    left_s: float
    """Time they get when the floor comes back to them, in s."""
    yields: bool = False
    """They gave the floor to the questions: the next raised hand goes before them."""


@dataclass(slots=True)
class Floor:
    """All floor state of a room."""

    format: str
    order: QueueOrder
    queue: list[Request] = field(default_factory=list)
    last_number: int = 0
    turn: Turn | None = None
    presenter: Presenter | None = None
    circle: Circle = field(default_factory=Circle)

    @property
    def holder(self) -> str | None:
        return self.turn.holder if self.turn else None

    def ask(self, person: str) -> None:
        """A hand is raised: to the end of the queue."""
        self.last_number += 1
        self.queue.append(Request(person, self.last_number))

    def ask_first(self, person: str) -> None:
        """A hand is put before all others."""
        self.queue.insert(0, Request(person, min((r.number for r in self.queue), default=1) - 1))

    def hand_of(self, person: str) -> Request | None:
        return next((request for request in self.queue if request.person == person), None)

    def lower(self, person: str) -> None:
        self.queue = [request for request in self.queue if request.person != person]

    def rearrange(self, first: list[str]) -> None:
        """Put these people's requests first, in this order; the others keep theirs behind them."""
        self.queue.sort(key=lambda request: rank(request.person, first))

    def sort_by(self, amount: Callable[[str], tuple[float, ...]]) -> None:
        """Put those with the least first; among equals the one who asked first."""
        self.queue.sort(key=lambda request: (amount(request.person), request.number))


def rank(person: str, first: list[str]) -> int:
    """Sort key (stable sorts only) that puts the people named in ``first`` in that order."""
    return first.index(person) if person in first else len(first)
