from __future__ import annotations

from server.api.rates import Rates
from signaling.rates import Rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_key_has_a_bucket_of_its_own_that_fills_again() -> None:
    clock = Clock()
    rates = Rates(clock=clock)
    rate = Rate(burst=2, per_second=0.5)
    assert [rates.take("a", rate) for _ in range(3)] == [True, True, False]
    assert rates.take("b", rate)
    clock.now = 2.0
    assert rates.take("a", rate)
    assert not rates.take("a", rate)


def test_memory_is_bounded_and_who_asks_on_is_not_forgotten() -> None:
    rates = Rates(most=100, clock=Clock())
    rate = Rate(burst=1, per_second=0.001)
    assert rates.take("often", rate)
    for number in range(10_000):
        rates.take(number, rate)
        assert not rates.take("often", rate)
    assert len(rates) == 100
