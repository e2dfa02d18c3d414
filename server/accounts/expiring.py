"""What is kept in memory for a few minutes, such as the challenges of a login under way."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from server.storage.ids import new_token

T = TypeVar("T")

DEFAULT_LIFETIME = timedelta(minutes=5)
MAX_ENTRIES = 10_000


class ExpiringStore(Generic[T]):
    """Values by tickets that nobody can guess. A restart of the server loses them.

    Args:
        lifetime: for how long a value is kept.
        max_entries: when there are more, the oldest goes.
    """

    def __init__(
        self, lifetime: timedelta = DEFAULT_LIFETIME, max_entries: int = MAX_ENTRIES
    ) -> None:
        self._lifetime = lifetime
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[datetime, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, value: T, now: datetime) -> str:
        """Keep a value; the ticket is what it is found by."""
        self._drop_expired(now)
        while len(self._entries) >= self._max_entries:
            self._entries.popitem(last=False)
        ticket = new_token()
        self._entries[ticket] = (now + self._lifetime, value)
        return ticket

    def get(self, ticket: str, now: datetime) -> T | None:
        self._drop_expired(now)
        entry = self._entries.get(ticket)
        return None if entry is None else entry[1]

    def take(self, ticket: str, now: datetime) -> T | None:
        """The value, which is then gone: of two who take it at once, one gets it."""
        self._drop_expired(now)
        entry = self._entries.pop(ticket, None)
        return None if entry is None else entry[1]

    def drop(self, ticket: str) -> None:
        self._entries.pop(ticket, None)

    def _drop_expired(self, now: datetime) -> None:
        # All live equally long, so the first to come is the first to go.
        while self._entries:
            ticket, (expires_at, _) = next(iter(self._entries.items()))
            if expires_at > now:
                return
            del self._entries[ticket]
