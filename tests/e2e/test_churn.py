"""Whatever people and their networks do, in the end all are in one epoch and hear each other."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, randrange
from typing import Any, Final

import pytest
import pytest_asyncio
from aiortc.rtcdtlstransport import RTCCertificate

from server.app import RunningServer, running
from server.room import Room
from simulated.group import CIPHERSUITE
from tests.e2e.churn import (
    BROWSERS,
    SIMULATED,
    Action,
    BrowserPerson,
    Duties,
    Person,
    SimulatedPerson,
    script,
    talk,
)
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import Inbound, until
from tests.loopback import on_loopback

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.alone]

ACTIONS: Final = 200
CHECKED_EVERY: Final = 50
"""Actions."""
PACE_S: Final = 0.22
SETTLED_WITHIN_S: Final = 30.0
HEARD_WITHIN_S: Final = 20.0
PLAYED_WITHIN_S: Final = 60.0
"""The actions between two checks."""
GRACE_S: Final = 4.0
"""Shorter than some are away, so that these lose their places."""

SEED_VARIABLE: Final = "HOLDSPACE_CHURN_SEED"
CI_SEED: Final = 13

KEEP_WARNINGS = """
(() => {
  const seen = new Set();
  setInterval(() => {
    for (const one of document.querySelectorAll('[data-testid=encryption-warning]')) {
      if (seen.has(one.textContent)) continue;
      seen.add(one.textContent);
      window.keepWarning(one.textContent.trim());
    }
  }, 200);
})();
"""


def chosen_seed() -> int:
    """CI plays the same script each time, so that it judges the change and not the day."""
    if os.environ.get("CI") == "true":
        return CI_SEED
    given = os.environ.get(SEED_VARIABLE)
    return randrange(1_000_000) if given is None else int(given)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = on_loopback(
        tmp_path,
        ciphersuite=CIPHERSUITE,
        room_capacity=16,
        rejoin_grace_s=GRACE_S,
    )
    async with running(settings) as running_server:
        yield running_server


class Meeting:
    """Everyone of the script, and what they are expected to have in common."""

    def __init__(
        self,
        server: RunningServer,
        simulated: list[SimulatedPerson],
        browsers: list[BrowserPerson],
        duties: Duties,
    ) -> None:
        self._server = server
        self._simulated = simulated
        self._browsers = browsers
        self._duties = duties
        self._by_name: dict[str, Person] = {one.name: one for one in [*simulated, *browsers]}
        self._turns = {name: asyncio.Lock() for name in self._by_name}
        """What happens to one person happens one after the other."""
        self._underway: dict[str, str] = {}
        """By name, what happens to them now."""
        self.journal: list[str] = []
        self._began = asyncio.get_running_loop().time()

    def note(self, line: str) -> None:
        self.journal.append(f"{asyncio.get_running_loop().time() - self._began:6.1f} {line}")

    async def play(self, actions: Sequence[Action]) -> None:
        try:
            async with asyncio.timeout(PLAYED_WITHIN_S), asyncio.TaskGroup() as group:
                for action in actions:
                    group.create_task(self._play(action))
                    await asyncio.sleep(action.pause)
        except TimeoutError:
            raise AssertionError(f"still not through: {self._underway}") from None

    async def _play(self, action: Action) -> None:
        person = self._by_name[action.who]
        async with self._turns[action.who]:
            self.note(f"{action.who} {action.kind} {action.seconds:.1f}")
            self._underway[action.who] = action.kind
            match action.kind:
                case "join":
                    await person.join()
                    person.present = True
                case "leave":
                    await person.leave()
                    person.present = False
                case "drop":
                    await person.lose(0.3)
                case "away":
                    await person.lose(action.seconds)
                case "reload":
                    await person.reload()
                case "rivals":
                    self._duties.rivals = True
                case "neglect":
                    await self._duties.neglect(self._id(person), action.seconds)
                case "vanish":
                    assert isinstance(person, SimulatedPerson)
                    await person.me.vanish()
                    person.present = False
                case "freeze":
                    assert isinstance(person, SimulatedPerson)
                    await person.me.freeze(action.seconds)
            del self._underway[action.who]

    # --- what they are to have in common -------------------------------------------------------

    @property
    def _room(self) -> Room:
        return self._server.rooms.rooms[ROOM]

    def _id(self, person: Person) -> str:
        if isinstance(person, SimulatedPerson):
            return person.me.id
        here = [one.id for one in self._room.members.values() if one.name == person.shown]
        return here[0] if here else ""

    def _present(self) -> tuple[list[SimulatedPerson], list[BrowserPerson]]:
        return (
            [one for one in self._simulated if one.present],
            [one for one in self._browsers if one.present],
        )

    async def _unsettled(self) -> str | None:
        """What still differs; None if nothing does."""
        simulated, browsers = self._present()
        for one in simulated:
            if one.me.failure is not None:
                raise RuntimeError(f"{one.shown} gave up") from one.me.failure
        people = {one.shown for one in [*simulated, *browsers]}
        members = self._room.members.values()
        away = [f"{one.name} is {one.connection}" for one in members]
        if {one.name for one in members} != people:
            return f"in the room are {away}, expected {sorted(people)}"
        if any(one.connection != "connected" for one in members):
            return f"{away}"
        delivery = self._room.encryption._delivery
        leaves = [leaf for leaf in delivery.leaves if leaf is not None]
        if sorted(leaves) != sorted(one.id for one in members):
            names = {one.id: one.name for one in members}
            return f"leaves are of {[names.get(leaf, leaf) for leaf in leaves]}"
        epochs: dict[str, Any] = {one.name: one.me.epoch for one in simulated}
        for visitor in browsers:
            lock = visitor.visit.page.get_by_test_id("encryption")
            secured = await lock.get_attribute("data-phase") == "secured"
            epochs[visitor.name] = (
                int(await lock.get_attribute("data-epoch") or -1) if secured else -1
            )
        if set(epochs.values()) != {delivery.epoch}:
            return f"epochs are {epochs}, the delivery service's is {delivery.epoch}"
        keys = {one.name: one.me.base_key.hex() for one in simulated}
        for visitor in browsers:
            key: list[int] = await visitor.visit.page.evaluate(
                "() => Array.from(window.toldWorkers.at(-1).baseKey)"
            )
            keys[visitor.name] = bytes(key).hex()
        if len(set(keys.values())) != 1:
            return f"base keys are {keys}"
        for visitor in browsers:
            warnings = visitor.visit.page.get_by_test_id("encryption-warning")
            if await warnings.count():
                return f"{visitor.name} is warned: {await warnings.all_inner_texts()}"
        return None

    async def settles(self) -> None:
        """Wait until all are in one epoch of one group, and nobody else is."""
        self.note("to settle")
        found: str | None = ""

        async def is_settled() -> bool:
            nonlocal found
            found = await self._unsettled()
            return found is None

        try:
            await until(is_settled, "all in one epoch", SETTLED_WITHIN_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None
        self.note(f"settled in epoch {self._room.encryption._delivery.epoch}")

    async def all_hear_all(self) -> None:
        """Wait until each person has heard each other from now on."""
        simulated, browsers = self._present()
        people = {self._id(one): one for one in [*simulated, *browsers]}
        slots = {id_: self._room.members[id_].slot for id_ in people}
        before = {one.name: {id_: one.me.hears(id_) for id_ in people} for one in simulated}
        played = {one.name: await one.visit.inbound() for one in browsers}
        deaf: list[str] = []

        async def all_do() -> bool:
            deaf.clear()
            for one in simulated:
                deaf.extend(
                    f"{one.name} {other.name}"
                    for id_, other in people.items()
                    if other is not one and one.me.hears(id_) < before[one.name][id_] + 10
                )
            for visitor in browsers:
                now = await visitor.visit.inbound()
                for id_, other in people.items():
                    mid = f"a{slots[id_]:x}"
                    then = played[visitor.name].get(mid, Inbound())
                    heard = now.get(mid, Inbound())
                    if other is not visitor and not (
                        heard.packets > then.packets + 10 and heard.energy > then.energy
                    ):
                        deaf.append(f"{visitor.name} {other.name}")
            return not deaf

        try:
            await until(all_do, "each to hear each other", HEARD_WITHIN_S)
        except AssertionError as error:
            dropped = {
                f"{one.name} {people[id_].name}": dict(reception.dropped)
                for one in simulated
                for (id_, _), reception in one.me.received.items()
                if id_ in people and reception.dropped
            }
            raise AssertionError(f"{error}: not heard are {deaf}, dropped {dropped}") from None
        self.note("all hear all")


@asynccontextmanager
async def in_background(work: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def test_two_hundred_comings_goings_and_failures(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = chosen_seed()
    duties = Duties(Random(seed))

    async def tell(room: Room, person: str, message: Any) -> None:
        await duties.tell(room, person, message)

    monkeypatch.setattr(Room, "tell", tell)
    certificate = RTCCertificate.generateCertificate()
    simulated = [
        SimulatedPerson(server, name, server.links.to(ROOM, role), certificate)
        for name, role in SIMULATED.items()
    ]
    browsers = [
        BrowserPerson(server, name, server.links.to(ROOM, role), await begin())
        for name, role in BROWSERS.items()
    ]
    meeting = Meeting(server, simulated, browsers, duties)
    warnings: list[str] = []
    for one in browsers:

        async def keep(text: str, name: str = one.name) -> None:
            meeting.note(f"{name} is warned: {text}")
            warnings.append(text)

        await one.visit.context.expose_function("keepWarning", keep)
        await one.visit.context.add_init_script(KEEP_WARNINGS)
    actions = script(seed, ACTIONS, PACE_S)
    try:
        async with in_background(talk(simulated)):
            for start in range(0, ACTIONS, CHECKED_EVERY):
                await meeting.play(actions[start : start + CHECKED_EVERY])
                await meeting.settles()
                await meeting.all_hear_all()
        assert all(one.present for one in [*simulated, *browsers])
        for person in simulated:
            for reception in person.me.received.values():
                assert not reception.dropped["forged"]
        for one in browsers:
            counts = await one.visit.frames()
            assert counts["dropped"]["forged"] == 0
        # a meeting without any harm in it gives no reason for alarm
        assert not [text for text in warnings if "not played" in text or "cut off" in text]
        assert server.wire.refusals["stale_epoch"] > 0, "no commits of the same epoch"
    except BaseException as error:
        error.add_note("\n".join(meeting.journal))
        for one in browsers:
            error.add_note(f"on the console of {one.name}: {one.visit.complaints[-20:]}")
        error.add_note(f"To play it again: {SEED_VARIABLE}={seed}")
        raise
    finally:
        log.info("seed %d, refused: %s", seed, dict(server.wire.refusals))
        log.info("\n".join(meeting.journal))
        for person in simulated:
            await person.me.leave()
