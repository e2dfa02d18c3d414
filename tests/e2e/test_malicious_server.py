"""What a server that means harm can do to people's pages: nothing that is played, and where a
person should know, a warning."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator
from pylibsrtp import _binding

from relay import forward
from server.app import RunningServer, running
from server.room import Member, Room
from signaling.delivery import TURN_S, Delivery, new_group_id
from signaling.messages import (
    CaughtUp,
    CommitDue,
    Committed,
    Message,
    Participant,
    Roster,
    Waiting,
)
from simulated.group import CIPHERSUITE
from simulated.group import Member as Outsider
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import PATIENCE_S, Inbound, Visit, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = on_loopback(
        tmp_path,
        ciphersuite=CIPHERSUITE,
    )
    async with running(settings) as running_server:
        yield running_server


async def enter(begin: Begin, server: RunningServer, *names: str) -> list[Visit]:
    """Let people in one after the other, until all see and hear each other."""
    visits = []
    for name in names:
        visit = await begin()
        await visit.join(server.links.to(ROOM, "participant"), name)
        await visit.secured()
        visits.append(visit)
    for visit in visits:
        await visit.sees(len(names))
        for name in names:
            if await visit.slot_of(name) != await visit.slot_of(names[visits.index(visit)]):
                await visit.receives(await visit.slot_of(name))
    return visits


def room_of(server: RunningServer) -> Room:
    return server.rooms.rooms[ROOM]


def member(server: RunningServer, name: str) -> Member:
    return next(one for one in room_of(server).members.values() if one.name == name)


async def warned(visit: Visit, part: str, patience_s: float = PATIENCE_S) -> None:
    warning = visit.page.get_by_test_id("encryption-warning").filter(has_text=part)
    await warning.first.wait_for(timeout=patience_s * 1000)


async def dropped(visit: Visit, reason: str, at_least: int) -> None:
    before = (await visit.frames())["dropped"][reason]

    async def so_many() -> bool:
        return bool((await visit.frames())["dropped"][reason] >= before + at_least)

    await until(so_many, f"{at_least} frames more dropped as {reason}", PATIENCE_S)


STILL_S = 4.0
"""What was on its way, and in the jitter buffer, is through by then; old keys are kept longer."""


async def played(visit: Visit, slot: int, seconds: float) -> tuple[int, float]:
    """The pictures of a place that are decoded in the next seconds, and the energy of its sound."""
    video, audio = f"v{slot:x}", f"a{slot:x}"
    before = await visit.inbound()
    await asyncio.sleep(seconds)
    after = await visit.inbound()
    return (
        after.get(video, Inbound()).frames - before.get(video, Inbound()).frames,
        after.get(audio, Inbound()).energy - before.get(audio, Inbound()).energy,
    )


async def nothing_plays(visit: Visit, slot: int) -> None:
    """Check that no picture of a place is decoded any more, nor any of its sound."""

    async def is_still() -> bool:
        """Once what was on its way, and what the jitter buffer still had, is through."""
        pictures, energy = await played(visit, slot, 0.7)
        return pictures == 0 and energy < 1e-6

    await until(is_still, f"slot {slot} to be still", STILL_S)
    pictures, energy = await played(visit, slot, 1.5)
    assert pictures == 0
    assert energy < 1e-6


async def test_swapped_places(begin: Begin, server: RunningServer) -> None:
    ada, ben, cleo = await enter(begin, server, "Ada", "Ben", "Cleo")
    slot = await ben.slot_of("Ada")
    cleos, bens = member(server, "Cleo").peer.sources, member(server, "Ben").peer.slots
    server.relay.feed(bens[f"a{slot:x}"], cleos["mi"])
    server.relay.feed(bens[f"v{slot:x}"], cleos["ca"])
    await nothing_plays(ben, slot)
    await warned(ben, "not from Ada")
    await ben.receives(await ben.slot_of("Cleo"))
    assert await ada.page.get_by_test_id("encryption-warning").count() == 0
    assert await cleo.page.get_by_test_id("encryption-warning").count() == 0


class Tampering:
    """In place of libsrtp in the relay: changes payloads on their way to one slot."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.change: Callable[[bytes], bytes] = lambda payload: payload
        self.passed: deque[bytes] = deque(maxlen=500)

    def __getattr__(self, name: str) -> Any:
        return getattr(_binding.lib, name)

    def srtp_protect(self, context: Any, packet: Any, length: Any) -> Any:
        view = forward._tx_view
        if int.from_bytes(view[8:12], "big") == self.ssrc:
            header = 12 + 4 * (view[0] & 0x0F)
            if view[0] & 0x10:
                header += 4 + 4 * int.from_bytes(view[header + 2 : header + 4], "big")
            payload = self.change(bytes(view[header : length[0]]))
            self.passed.append(payload)
            view[header : header + len(payload)] = payload
            length[0] = header + len(payload)
        return _binding.lib.srtp_protect(context, packet, length)


async def test_changed_and_repeated_frames(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ada, ben = await enter(begin, server, "Ada", "Ben")
    slot = await ben.slot_of("Ada")
    tampering = Tampering(member(server, "Ben").peer.slots[f"a{slot:x}"].ssrc)
    monkeypatch.setattr(forward, "lib", tampering)
    await asyncio.sleep(1)
    recorded = list(tampering.passed)
    assert len(recorded) > 30

    again = iter(recorded * 100)
    tampering.change = lambda _: next(again)
    await dropped(ben, "replayed", 30)
    tampering.change = lambda payload: payload[:-1] + bytes([payload[-1] ^ 1])
    await dropped(ben, "forged", 30)
    await warned(ben, "changed on its way")
    tampering.change = lambda payload: payload
    await ben.receives(slot)


async def test_withheld_commit(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = await enter(begin, server, "Ada", "Ben")
    room = room_of(server)
    tell = room.tell
    bens_id = member(server, "Ben").id

    async def withholding(person: str, message: Message) -> None:
        if person != bens_id or not isinstance(message, Committed):
            await tell(person, message)

    monkeypatch.setattr(room, "tell", withholding)
    monkeypatch.setattr(Delivery, "catch_up", lambda *_: CaughtUp(commits=[]))
    cleo = await begin()
    await cleo.join(server.links.to(ROOM, "participant"), "Cleo")
    await cleo.receives(await cleo.slot_of("Ada"))
    await nothing_plays(ben, await ben.slot_of("Ada"))
    await warned(ben, "cut off", 40)
    assert await ben.safety_words() != await ada.safety_words()


def ghost(name: str) -> tuple[Outsider, bytes]:
    outsider = Outsider(name, "participant")
    return outsider, outsider.key_package()


async def test_key_packages_of_its_own(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ada] = await enter(begin, server, "Ada")
    room = room_of(server)
    tell = room.tell
    stranger, unlisted = ghost("Stranger")
    _, in_adas_name = ghost("Ada")
    adas_id = member(server, "Ada").id

    async def smuggling(person: str, message: Message) -> None:
        if isinstance(message, CommitDue):
            added = [
                *message.add,
                Waiting(id=stranger.id, key_package=unlisted),
                Waiting(id=adas_id, key_package=in_adas_name),
            ]
            message = message.model_copy(update={"add": added})
        await tell(person, message)

    monkeypatch.setattr(room, "tell", smuggling)
    ben = await begin()
    await ben.join(server.links.to(ROOM, "participant"), "Ben")
    await ben.receives(await ben.slot_of("Ada"))
    await ada.page.get_by_test_id("encryption").click()
    members = ada.page.get_by_test_id("safety")
    await members.get_by_text("Ben").first.wait_for()
    assert await members.get_by_text("Stranger").count() == 0
    assert len(room.encryption._delivery.leaves) == 2


def pretend_dan(room: Room, dan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster has a participant more, of this id."""
    roster = room.roster
    listed = Participant(
        id=dan,
        name="Dan",
        role="participant",
        slot=9,
        mic=True,
        camera=True,
        screen=False,
        connection="connected",
    )

    def with_dan() -> Roster:
        now = roster()
        return now.model_copy(update={"participants": [*now.participants, listed]})

    monkeypatch.setattr(room, "roster", with_dan)
    room._note_change()


async def test_someone_in_the_roster_with_anothers_key(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The roster names a newcomer whose key package is really for someone else."""
    [ada] = await enter(begin, server, "Ada")
    room = room_of(server)
    claimed = Outsider("Dan", "participant").id
    _, other_key = ghost("Dan")
    pretend_dan(room, claimed, monkeypatch)
    await ada.tile("Dan").wait_for()
    due = CommitDue(
        group=room.encryption._delivery.group,
        epoch=room.encryption._delivery.epoch,
        add=[Waiting(id=claimed, key_package=other_key)],
        remove=[],
    )
    await room.tell(member(server, "Ada").id, due)
    await warned(ada, "Dan was not let in")
    await warned(ada, "cannot hear or be heard yet", 20)


def question(visit: Visit, where: str, name: str) -> Locator:
    """Whether someone belongs in the encrypted call, as a facilitator is asked."""
    questions = visit.page.locator(f"[data-testid=door-question][data-where={where}]")
    return questions.filter(has_text=name)


async def test_someone_whom_the_server_lets_in_by_itself(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a facilitator lets people in, here without a clinic around it."""
    monkeypatch.setattr("server.encryption.new_group_id", lambda _: new_group_id("facilitator"))
    fay, ada = await begin(), await begin()
    await fay.join(server.links.to(ROOM, "facilitator"), "Fay")
    await fay.secured()
    await ada.join(server.links.to(ROOM, "participant"), "Ada")
    # She came by a link, past the waiting room: that much the server can do.
    asked = question(fay, "outside", "Ada")
    await asked.wait_for()
    await asked.get_by_test_id("door-yes").click()
    await ada.secured()

    room = room_of(server)
    delivery = room.encryption._delivery
    dan, package = ghost("Dan")
    pretend_dan(room, dan.id, monkeypatch)
    await fay.tile("Dan").wait_for()
    room.encryption.join(dan.id, "participant", package, None)
    asked = question(fay, "outside", "Dan")
    await asked.wait_for()
    assert "The server has let Dan in, but no facilitator has" in await asked.inner_text()
    await asyncio.sleep(2 * TURN_S + 1)  # and it was everyone's turn
    assert dan.id not in delivery.leaves
    assert await ada.page.get_by_test_id("door-question").count() == 0

    await asked.get_by_test_id("door-no").click()
    kept_out = question(fay, "kept_out", "Dan")
    await kept_out.wait_for()
    assert dan.id not in delivery.leaves
    assert await fay.safety_words() == await ada.safety_words()

    # It is hers to decide.
    await kept_out.get_by_test_id("door-yes").click()

    async def is_in() -> bool:
        return dan.id in delivery.leaves

    await until(is_in, "Dan is in the group", PATIENCE_S)


async def test_claimed_name(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben, _cleo = await enter(begin, server, "Ada", "Ben", "Cleo")
    cleos_id = member(server, "Cleo").id
    seen = Member.seen

    def renamed(self: Member) -> Participant:
        shown = seen(self)
        return shown.model_copy(update={"name": "Ben"}) if self.id == cleos_id else shown

    monkeypatch.setattr(Member, "seen", renamed)
    room_of(server)._note_change()
    await warned(ada, "that person’s own page says “Cleo”")
    assert await ada.tile("Cleo").count() == 1
    assert await ada.tile("Ben").count() == 1
    await warned(ben, "that person’s own page says “Cleo”")


async def test_someone_in_the_group_whom_the_roster_hides(
    begin: Begin, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ben = await enter(begin, server, "Ada", "Ben")
    room = room_of(server)
    roster = room.roster
    bens_id = member(server, "Ben").id

    def without_ben() -> Roster:
        now = roster()
        people = [one for one in now.participants if one.id != bens_id]
        return now.model_copy(update={"participants": people})

    monkeypatch.setattr(room, "roster", without_ben)
    room._note_change()
    await warned(ada, "Ben can hear and read what is shared here", 25)
