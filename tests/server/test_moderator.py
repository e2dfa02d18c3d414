"""The moderator by itself: what becomes of a room whose engine fails, and of its clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from moderation import events
from moderation.session import Session
from server.formats import load_formats, shipped_formats
from server.moderator import MAX_NAMES, Moderator, steady_clock
from server.tasks import Tasks
from signaling import messages as m
from signaling.messages import Message
from tests.page import TIMEOUT_S


class Floor:
    """A room that notes what the moderator does to it."""

    def __init__(self) -> None:
        self.open: dict[str, bool] = {}
        self.told: list[tuple[str | None, Message]] = []
        self.asked = 0
        self.recorded: list[tuple[str, str | None, str | None]] = []

    def set_voice(self, person: str, is_open: bool) -> None:
        self.open[person] = is_open

    def levels(self) -> Mapping[str, tuple[int, bool]]:
        self.asked += 1
        return {}

    async def tell(self, person: str, message: Message) -> None:
        self.told.append((person, message))

    def put_on_record(self, action: str, by: str | None, about: str | None) -> None:
        self.recorded.append((action, by, about))

    async def tell_all(self, message: Message) -> None:
        self.told.append((None, message))

    async def ticks(self, count: int = 3) -> None:
        until = self.asked + count
        async with asyncio.timeout(TIMEOUT_S):
            while self.asked < until:
                await asyncio.sleep(0.01)


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.fixture
async def moderator(floor: Floor) -> AsyncIterator[Moderator]:
    tasks = Tasks()
    made = Moderator(load_formats(shipped_formats()), floor, tasks)
    made.joined("fay", "Fay", "facilitator")
    made.joined("ada", "Ada", "participant")
    made.command(events.SetPhase("fay", "work"))
    yield made
    made.close()
    await tasks.close()


def break_engine(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The engine loses what it decided, so many ticks in a row."""
    handle = Session.handle
    left = times

    def failing(session: Session, event: events.Event, now: float) -> list[object]:
        nonlocal left
        answer = handle(session, event, now)
        if left > 0 and isinstance(event, events.VoiceFrames):
            left -= 1
            raise RuntimeError("broken")
        return list(answer)

    monkeypatch.setattr(Session, "handle", failing)


async def test_an_engine_that_fails_once_goes_on_with_all_it_knew(
    moderator: Moderator, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moderator.command(events.MutePerson("fay", "ada"))
    floor.open["ada"] = True  # as if the effect had been lost
    break_engine(monkeypatch, 1)
    await floor.ticks()
    assert floor.open == {"fay": True, "ada": False}


async def test_an_engine_that_fails_again_is_started_anew(
    moderator: Moderator, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moderator.command(events.MutePerson("fay", "ada"))
    moderator.lost("ada")
    break_engine(monkeypatch, 10)
    await floor.ticks(12)
    assert floor.open == {"fay": True, "ada": True}
    people = [message for _, message in floor.told if isinstance(message, m.People)][-1]
    assert {person.id: person.connected for person in people.people} == {"fay": True, "ada": False}
    assert [told.phase for _, told in floor.told if isinstance(told, m.Floor)][-1] == "work"
    told = len(floor.told)
    moderator.command(events.MutePerson("fay", "ada"))
    await floor.ticks()
    assert floor.open["ada"] is False
    assert len(floor.told) > told


async def test_a_request_that_breaks_the_engine_undoes_nothing(
    moderator: Moderator, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Session.handle

    def failing(session: Session, event: events.Event, now: float) -> list[object]:
        if isinstance(event, events.Pause):
            raise RuntimeError("broken")
        return list(handle(session, event, now))

    monkeypatch.setattr(Session, "handle", failing)
    moderator.command(events.MutePerson("fay", "ada"))
    for _ in range(3):
        with pytest.raises(RuntimeError):
            moderator.command(events.Pause("fay"))
    await floor.ticks()
    assert floor.open == {"fay": True, "ada": False}


async def test_a_broken_engine_keeps_nobody_from_leaving(
    moderator: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Session, "handle", broken)
    moderator.lost("ada")
    moderator.left("ada")
    with pytest.raises(RuntimeError):
        moderator.command(events.Pause("fay"))


def test_the_clock_never_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady_clock()
    before = clock()
    monkeypatch.setattr("server.moderator.time", lambda: 0.0)
    assert 0 <= clock() - before < TIMEOUT_S


async def test_who_is_there_keeps_their_name_however_many_come_and_go(
    moderator: Moderator, floor: Floor
) -> None:
    for number in range(MAX_NAMES + 10):
        moderator.joined(f"guest-{number}", "Guest", "participant")
        moderator.left(f"guest-{number}")
    moderator.command(events.AskHelp("ada"))
    await floor.ticks()
    alert = [message for _, message in floor.told if isinstance(message, m.Alert)][-1]
    assert alert.about_name == "Ada"
