"""Passwords: strength, and hashing that does not hold up the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters

from server.accounts.expiring import ExpiringStore
from server.accounts.passwords import Passwords, argon2id
from server.accounts.slow_down import PER_ACCOUNT, Pace, SlowDown
from server.refusals import Refused

NOW = datetime(2027, 1, 5, tzinfo=UTC)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield made
    made.close()


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password",
        "aaaaaaaaaaaa",
        "passwordpassword",
        "123456789012",
        "qwertyuiop12",
        "adalovelace1815",
        "ada@example.org",
        "holdspaceholdspace",
    ],
)
async def test_what_is_easy_to_guess_is_refused(passwords: Passwords, password: str) -> None:
    with pytest.raises(Refused, match="password_weak"):
        await passwords.refuse_weak(password, ["Ada Lovelace", "ada@example.org", "1815"])


@pytest.mark.parametrize("password", ["violet harbour sings", "kX9#vQ2!mT", "ж" * 6 + "щцюяэъыё"])
async def test_there_are_no_rules_of_composition(passwords: Passwords, password: str) -> None:
    await passwords.refuse_weak(password, [])


async def test_a_password_has_an_upper_limit_and_is_not_cut(passwords: Passwords) -> None:
    long = "correct horse battery staple " * 8
    await passwords.refuse_weak(long, [])
    hashed = await passwords.hash(long)
    assert await passwords.matches(hashed, long)
    assert not await passwords.matches(hashed, long[:-1])
    with pytest.raises(Refused, match="password_long"):
        await passwords.refuse_weak("x" * 257, [])


async def test_a_password_is_the_same_from_every_keyboard(passwords: Passwords) -> None:
    assert await passwords.matches(await passwords.hash("café au lait"), "cafe\u0301 au lait")


async def test_no_hash_matches_nothing_but_is_as_much_work(passwords: Passwords) -> None:
    assert not await passwords.matches(None, "of nobody")
    assert not await passwords.matches("not a hash", "x")
    assert passwords.checks == 2


async def test_the_loop_goes_on_and_too_many_are_refused() -> None:
    slow = Passwords(PasswordHasher(time_cost=4, memory_cost=16_384, parallelism=1))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    results = await asyncio.gather(
        *(slow.matches(None, "x") for _ in range(80)), return_exceptions=True
    )
    counting.cancel()
    slow.close()
    assert sum(isinstance(result, Refused) for result in results) == 16
    assert turns > 64  # not one turn for each


def test_the_parameters_are_those_of_owasp() -> None:
    parameters = extract_parameters(argon2id().hash("x"))
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (47_104, 1, 1)
    assert parameters.type.name == "ID"


def wait_of(slow: SlowDown, now: datetime) -> float:
    """How long to wait before the next try; 0 if that was one."""
    try:
        slow.begin(b"x", now)
    except Refused as refused:
        return refused.retry_after_s or 0
    return 0


def test_waiting_grows_is_capped_and_is_forgotten() -> None:
    slow = SlowDown(PER_ACCOUNT)
    now = NOW
    waits = []
    for _ in range(40):
        waits.append(wait_of(slow, now))
        now += timedelta(seconds=waits[-1])
    waits = [wait for wait in waits if wait]
    assert waits == sorted(waits)
    assert max(waits) == 600
    assert wait_of(slow, NOW - timedelta(days=1)) == 600  # the clock was set back
    later = now + timedelta(hours=24)
    assert [wait_of(slow, later) for _ in range(5)] == [0, 0, 0, 0, 1]


def test_memory_is_bounded() -> None:
    slow = SlowDown(Pace(free=0), max_keys=10)
    for number in range(100):
        slow.begin(str(number).encode(), NOW)
    assert len(slow) == 10
    store: ExpiringStore[int] = ExpiringStore(timedelta(minutes=5), max_entries=10)
    tickets = [store.put(number, NOW) for number in range(100)]
    assert len(store) == 10
    assert store.get(tickets[0], NOW) is None
    assert store.take(tickets[-1], NOW) == 99
    assert store.take(tickets[-1], NOW) is None
    assert store.get(tickets[-2], NOW + timedelta(minutes=5)) is None
    assert len(store) == 0
