"""What is remembered of when one person talked: the last seconds, frame by frame.

They are one integer, a bit for each 20 ms frame, the newest lowest, 1 where the frame
was voiced. Questions about them ("for how long were both voiced since then?") become an ``and``
and a count of bits, which costs well under a microsecond in plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FRAMES_PER_S = 50
NEVER = -1e9
"""A time before all others, s: JSON has no infinities."""
HISTORY_FRAMES = 10 * FRAMES_PER_S
_MASK = (1 << HISTORY_FRAMES) - 1
_PENDING_MASK = (1 << 50) - 1
DIP_FRAMES = 5
"""Shorter dips inside a spurt are speech: the closure of a stop consonant is silent for 50 to
100 ms, and a lost packet or two tell nothing."""
_DIP_MASK = (1 << DIP_FRAMES + 2) - 1


def last(bits: int, frames: int) -> int:
    """The newest ``frames`` of a history."""
    return bits & ((1 << frames) - 1)


def silence(bits: int) -> int:
    """Frames since the newest voiced one: 0 when the newest is voiced."""
    return (bits & -bits).bit_length() - 1 if bits else HISTORY_FRAMES


def first_pause(bits: int, frames: int, pause: int) -> int:
    """Where, within the newest ``frames``, the first unvoiced run of ``pause`` frames began.

    Counted in frames from the beginning of the window; ``frames`` when there is none.
    """
    runs = ~bits & ((1 << frames) - 1)
    have = 1
    while have < pause:  # after each step a set bit starts a run of ``have`` unvoiced frames
        step = min(have, pause - have)
        runs &= runs >> step
        have += step
    return frames - runs.bit_length() - pause + 1 if runs else frames


class Rhythm:
    """One person's talk so far."""

    __slots__ = ("bits", "onset", "pending", "talking")

    def __init__(self) -> None:
        self.bits = 0
        """The last 10 s of talk."""
        self.pending = 0
        """The last second of voiced sound, talk or not: a spurt is only known a little later."""
        self.talking = False
        """Whether a talk spurt is going on."""
        self.onset = NEVER
        """When their latest spurt began, s."""

    def advance(self, steps: int, voiced: bool, in_spurt: bool) -> None:
        """Take in one more frame, after ``steps - 1`` that were missed."""
        if self.bits:
            self.bits = self.bits << steps & _MASK
        if voiced:
            if in_spurt:
                bits = self.bits
                if not bits & 2 and bits & _DIP_MASK:
                    bits |= (bits & -bits) - 1
                self.bits = bits | 1
            self.pending = (self.pending << steps | 1) & _PENDING_MASK
        elif self.pending:
            self.pending = self.pending << steps & _PENDING_MASK

    def begin(self, onset: float, frames: int) -> None:
        """A talk spurt is known that began ``frames`` ago: what was voiced since is talk."""
        self.bits |= last(self.pending, frames)  # its dips, if any, stay
        self.onset = onset
        self.talking = True

    def save(self) -> dict[str, Any]:
        """All of it as JSON-able data; the histories as hexadecimal digits."""
        return {
            "bits": f"{self.bits:x}",
            "onset": self.onset,
            "pending": f"{self.pending:x}",
            "talking": self.talking,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Rhythm:
        rhythm = cls()
        rhythm.bits = int(data["bits"], 16)
        rhythm.onset = data["onset"]
        rhythm.pending = int(data["pending"], 16)
        rhythm.talking = data["talking"]
        return rhythm
