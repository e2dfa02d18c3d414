"""How often someone may ask, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

from signaling.rates import Rate, TokenBucket

MAX_BUCKETS = 20_000


class Rates:
    """A token bucket for each of many keys.

    Of more than ``most`` keys the one that was used longest ago is forgotten: its bucket is the
    likeliest to be full again.
    """

    def __init__(self, *, most: int = MAX_BUCKETS, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, rate: Rate) -> bool:
        """Whether one more may pass now; if so, it is counted."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(rate, self._clock)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take()
