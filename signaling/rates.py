"""How often one socket may ask for what."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple


class Rate(NamedTuple):
    burst: int
    """So many at once."""
    per_second: float
    """So many per second in the long run."""


FRAMES = Rate(burst=120, per_second=30)
"""WebSocket frames of any kind. A page sends a pong every 5 s and few requests beside it, so that
a socket with more than this is closed."""

REQUESTS: dict[str, Rate] = {
    "join": Rate(5, 0.5),
    "answer": Rate(6, 0.5),
    "media": Rate(20, 4),
    "share_screen": Rate(10, 1),
    "restart_ice": Rate(5, 0.25),
    "leave": Rate(5, 0.5),
    "knock": Rate(5, 0.2),
    "commit": Rate(30, 10),
    "catch_up": Rate(10, 1),
    "renew": Rate(5, 0.5),
    "chat": Rate(15, 1),
    "request_floor": Rate(10, 1),
    "cancel_request": Rate(10, 1),
    "release_floor": Rate(10, 1),
    "pass_turn": Rate(10, 1),
    "ask_help": Rate(5, 0.5),
    "rate_distress": Rate(15, 1),
    "grant_floor": Rate(15, 2),
    "revoke_floor": Rate(15, 2),
    "reorder_queue": Rate(20, 4),
    "set_queue_order": Rate(10, 1),
    "extend_turn": Rate(15, 2),
    "next_round": Rate(10, 1),
    "invite": Rate(15, 1),
    "set_format": Rate(10, 1),
    "set_phase": Rate(10, 1),
    "pause": Rate(10, 1),
    "resume": Rate(10, 1),
    "mute_person": Rate(20, 4),
    "unmute_person": Rate(20, 4),
    "mute_all": Rate(10, 1),
    "unmute_all": Rate(10, 1),
    "forgive": Rate(15, 2),
    "set_ladder": Rate(10, 1),
    "acknowledge_alert": Rate(30, 4),
    "admit": Rate(20, 2),
    "turn_away": Rate(20, 2),
    "remove_person": Rate(10, 1),
    "show_text": Rate(10, 0.5),
}
"""Each kind of request; one that comes sooner is refused as ``too_fast``."""

UNKNOWN = Rate(5, 0.2)
"""All requests of unknown name together."""


class TokenBucket:
    """Lets through ``rate.burst`` at once and ``rate.per_second`` in the long run."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._at = clock()

    def take(self) -> bool:
        """Whether one more may pass now; if so, it is counted."""
        now = self._clock()
        self._tokens = min(
            self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second
        )
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
