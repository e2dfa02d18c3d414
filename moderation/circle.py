"""The talking piece: whom it still visits in this round of a circle.

Everyone gets it once a round, in the order in which they came, and may always pass. Who comes late
sits down at the end and is visited in the running round. Who is away for a moment is skipped and
keeps their place in the round, for as long as anyone else is still to be visited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Circle:
    """State of the round; empty outside circles."""

    round: int = 0
    """1 for the first; 0 before anyone is there to begin it."""
    waiting: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    """Who had the piece in this round, or passed."""
    rests_since: float | None = None
    """When the last round was over, in s."""

    def begin_round(self, people: Iterable[str]) -> None:
        self.round += 1
        self.waiting = list(people)
        self.done = []
        self.rests_since = None

    def seat(self, person: str) -> None:
        """A newcomer takes a seat in the running round, once."""
        if (
            self.round
            and self.rests_since is None
            and person not in self.waiting
            and person not in self.done
        ):
            self.waiting.append(person)

    def leave(self, person: str) -> None:
        """Their seat is taken out; that they were visited stays known should they come back."""
        if person in self.waiting:
            self.waiting.remove(person)

    def visited(self, person: str) -> None:
        """They have the piece now, or passed it beforehand."""
        self.leave(person)
        if person not in self.done:
            self.done.append(person)

    def owed(self, person: str) -> None:
        """Their turn was cut off by the network: they get another one at the end of the round."""
        if person in self.done:
            self.done.remove(person)
            self.waiting.append(person)

    def next(self, can_speak: Callable[[str], bool]) -> str | None:
        return next((person for person in self.waiting if can_speak(person)), None)
