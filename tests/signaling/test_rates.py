from __future__ import annotations

from signaling import messages
from signaling.rates import REQUESTS, Rate, TokenBucket


def test_bucket_lets_a_burst_through_and_then_refills() -> None:
    now = 0.0
    bucket = TokenBucket(Rate(burst=3, per_second=2), clock=lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 1_000.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_every_request_has_a_rate() -> None:
    assert REQUESTS.keys() == messages.REQUESTS.keys()
