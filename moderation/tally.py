"""Counting over a whole session and over its last ten minutes, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass, field

SLOT_S = 10.0
"""The recent past is kept in slots of this length, in s: its edge is that coarse."""
SLOTS = 60
"""Ten minutes."""


@dataclass(slots=True)
class Rolling:
    """One quantity: its sum since the session began, and its sums in the recent slots."""

    total: float = 0.0
    slots: list[int] = field(default_factory=list)
    """Numbers (time // SLOT_S) of the recent slots in which there was any, oldest first."""
    sums: list[float] = field(default_factory=list)
    """The sum in each of them."""

    def add(self, amount: float, slot: int) -> None:
        """Add in the running slot."""
        self.total += amount
        if self.slots and self.slots[-1] == slot:
            self.sums[-1] += amount
        else:
            self.slots.append(slot)
            self.sums.append(amount)

    def forget(self, slot: int) -> None:
        """Forget what is not recent any more now that slot number ``slot`` has begun."""
        while self.slots and self.slots[0] <= slot - SLOTS:
            del self.slots[0], self.sums[0]

    def recent(self) -> float:
        return sum(self.sums)


@dataclass(slots=True)
class Tally:
    """One person's part in the talk."""

    talk_s: Rolling = field(default_factory=Rolling)
    turns: Rolling = field(default_factory=Rolling)
    made: Rolling = field(default_factory=Rolling)
    """Interruptions judged to be theirs."""
    suffered: Rolling = field(default_factory=Rolling)
    last_heard_at: float | None = None
    spurt_s: float = 0.0
    """Length of the current talk spurt so far; a turn is counted when it is long enough."""

    def forget(self, slot: int) -> None:
        for quantity in (self.talk_s, self.turns, self.made, self.suffered):
            quantity.forget(slot)


def gini(amounts: list[float]) -> float:
    """Gini coefficient of amounts ≥ 0: 0 for all equal, (n-1)/n for all in one hand.

    With the amounts sorted upwards, Σ(2i - n - 1)·xᵢ / (n·Σxᵢ), i from 1 to n.
    """
    total = sum(amounts)
    count = len(amounts)
    if total <= 0.0:
        return 0.0
    weighted = sum(
        (2 * rank - count - 1) * amount for rank, amount in enumerate(sorted(amounts), start=1)
    )
    return weighted / (count * total)
