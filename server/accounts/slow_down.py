"""Slowing down whoever guesses, without locking anyone out (OWASP ASVS 5, 6.3.1).

Every try counts as failed when it begins, so that many at once are no way around the waiting.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.refusals import Refused

FORGET_AFTER = timedelta(hours=24)
MAX_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How the waiting grows: after ``free`` failures 1 s, 2 s, 4 s, up to ``cap``."""

    free: int
    cap: timedelta = timedelta(minutes=10)

    def wait(self, failures: int) -> timedelta:
        """How long to wait after so many failures in a row."""
        if failures <= self.free:
            return timedelta(0)
        return min(self.cap, timedelta(seconds=2 ** min(failures - self.free - 1, 30)))


PER_ACCOUNT = Pace(free=3)

PER_ADDRESS = Pace(free=20)
"""Many people can share an address, such as in a clinic."""

PER_LINK = Pace(free=5)


class SlowDown:
    """Counts failures in a row by key, in memory; of too many keys the oldest is forgotten.

    Args:
        pace: how the waiting grows.
        max_keys: how many keys are remembered.
    """

    def __init__(self, pace: Pace, max_keys: int = MAX_KEYS) -> None:
        self._pace = pace
        self._max_keys = max_keys
        self._failures: OrderedDict[bytes, tuple[int, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def begin(
        self, key: bytes, now: datetime, *, stored: tuple[int, datetime | None] = (0, None)
    ) -> None:
        """Count a try, as failed until `succeeded` or `undo` says otherwise.

        Args:
            key: who or what tries.
            now: the moment, aware UTC.
            stored: failures in a row and when the last one was, as the database knows them from
                before a restart; what says more counts.

        Raises:
            Refused: ``slow_down``, if it comes too soon; then it is not counted.
        """
        known = self._fresh(self._failures.get(key, (0, None)), now)
        before = self._fresh(stored, now)
        failures, at = known if known[0] >= before[0] else before
        if at is not None and (left := at + self._pace.wait(failures) - now) > timedelta(0):
            raise Refused(
                "slow_down",
                "That did not work several times in a row. Please wait a little before you try "
                "again.",
                429,
                retry_after_s=left.total_seconds(),
            )
        self._failures.pop(key, None)
        while len(self._failures) >= self._max_keys:
            self._failures.popitem(last=False)
        self._failures[key] = (failures + 1, now)

    def succeeded(self, key: bytes) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def undo(self, key: bytes) -> None:
        """Count one try less: it was no failure, but does not make up for others either."""
        if (known := self._failures.get(key)) is None:
            return
        if known[0] <= 1:
            del self._failures[key]
        else:
            self._failures[key] = (known[0] - 1, known[1])

    @staticmethod
    def _fresh(counted: tuple[int, datetime | None], now: datetime) -> tuple[int, datetime | None]:
        failures, at = counted
        if at is None or failures <= 0 or now - at >= FORGET_AFTER:
            return 0, None
        return failures, min(at, now)  # a clock that was set back lets nobody wait longer
