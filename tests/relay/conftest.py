from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

import relay.forward
import relay.relay
from tests.relay.room import Clock, Room, open_room


@pytest.fixture(autouse=True)
def _nothing_raised(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What comes from the network never raises: nothing is logged as a warning or worse."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    loud = [record.getMessage() for record in records if record.levelno >= logging.WARNING]
    assert loud == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The relay's time, which passes only when told."""
    clock = Clock()
    monkeypatch.setattr(relay.forward, "monotonic", clock)
    monkeypatch.setattr(relay.relay, "monotonic", clock)
    return clock


@pytest.fixture
async def room(clock: Clock) -> AsyncIterator[Room]:
    """Three connected members, all fed and gated; time is driven by `Room.tick`."""
    async with open_room(3, clock) as opened:
        yield opened


@pytest.fixture
async def live_room() -> AsyncIterator[Room]:
    """Three connected members in real time."""
    async with open_room(3, None) as opened:
        yield opened
