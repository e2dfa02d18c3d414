"""Simulated people, whose MLS is mls-rs, in one room with a page, whose MLS is ts-mls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import av
import pytest
import pytest_asyncio
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import RTCCertificate
from av import AudioFrame, VideoFrame

from relay import forward
from relay.feedback import request_key_frame
from server.app import RunningServer, running
from signaling.messages import Committed, Message
from signaling.mls import read_commit
from simulated.group import CIPHERSUITE
from simulated.participant import Participant
from simulated.sealing import CLEAR_BYTE, Track
from simulated.sframe import read_header
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.test_sealed_bytes import Recorder, speaking
from tests.e2e.visit import Visit, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_S = 30.0


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = on_loopback(
        tmp_path,
        ciphersuite=CIPHERSUITE,
    )
    async with running(settings) as running_server:
        yield running_server


@pytest.fixture
def link(server: RunningServer) -> str:
    return server.links.to(ROOM, "participant")


class Simulated(Participant):
    """Keeps who made which commit, as far as others made it, and what came of everyone's media."""

    def __init__(self, link: str, name: str, certificate: RTCCertificate) -> None:
        super().__init__(
            link, name, certificate=certificate, on_event=self._note, on_frame=self._keep
        )
        self.committers: dict[int, int] = {}
        """The leaf that ended an epoch."""
        self.frames: list[tuple[str, Track, bytes]] = []

    def _note(self, event: Message) -> None:
        if isinstance(event, Committed):
            self.committers[event.epoch] = read_commit(event.commit).sender_leaf

    def _keep(self, person: str, track: Track, frame: bytes) -> None:
        self.frames.append((person, track, frame))

    async def in_group(self) -> bool:
        return self.epoch is not None

    @property
    def own_leaf(self) -> int:
        assert self._member is not None
        return self._member.epoch_keys().own_leaf

    def leaves(self) -> dict[str, int]:
        """Of everyone in the group, by id."""
        assert self._member is not None
        return self._member.epoch_keys().leaves

    def base_key(self) -> tuple[int, bytes]:
        """The epoch, and the secret that it exports for media."""
        assert self._member is not None
        keys = self._member.epoch_keys()
        return keys.epoch, keys.base_key

    def pictures_of(self, person: str) -> list[VideoFrame]:
        eye = Vp8Decoder()
        pictures: list[VideoFrame] = []
        for one, track, frame in self.frames:
            if (one, track) == (person, Track.CAMERA):
                with suppress(av.FFmpegError):  # until the first key frame comes
                    decoded = eye.decode(JitterFrame(frame, 0))
                    pictures += [shown for shown in decoded if isinstance(shown, VideoFrame)]
        return pictures

    def loudest_of(self, person: str) -> int:
        """The largest sample, of 16 bits, in what came from someone's microphone."""
        ear, loudest = OpusDecoder(), 0
        for one, track, frame in self.frames:
            if (one, track) == (person, Track.MICROPHONE):
                (sound,) = ear.decode(JitterFrame(frame, 0))
                assert isinstance(sound, AudioFrame)
                loudest = max(loudest, *memoryview(bytes(sound.planes[0])).cast("h"))
        return loudest


@asynccontextmanager
async def simulated(link: str, *names: str) -> AsyncIterator[list[Simulated]]:
    """People who come in, all talking, and leave at the end if they are still there."""
    certificate = RTCCertificate.generateCertificate()
    people = [Simulated(link, name, certificate) for name in names]
    async with AsyncExitStack() as stack:
        for person in people:
            await person.join()
            stack.push_async_callback(person.leave)
            # one commit for each
            await until(person.in_group, f"{person.name} to be in the group", PATIENCE_S)
        await stack.enter_async_context(speaking(list(people)))
        yield people


async def enter(begin: Begin, link: str, name: str) -> tuple[Visit, str]:
    """A page that comes in, and its person's id."""
    visit = await begin()
    await visit.join(link, name)
    await visit.secured()
    return visit, await visit.tile(name).get_attribute("data-participant") or ""


async def all_in(page: Visit, people: list[Simulated], epoch: int) -> None:
    """Wait until everyone is in this epoch."""

    async def are_in() -> bool:
        return all(person.epoch == epoch for person in people)

    await page.secured(epoch)
    await until(are_in, f"the simulated people to be in epoch {epoch}", PATIENCE_S)


async def all_meet(page: Visit, own: str, people: list[Simulated]) -> None:
    """Wait until everyone hears and sees everyone, from now on."""
    before = {
        (one.id, other): (one.hears(other), one.sees(other))
        for one in people
        for other in (own, *(person.id for person in people))
    }

    async def meet() -> bool:
        return all(
            one.hears(other) > before[one.id, other][0] + 25
            and one.sees(other) > before[one.id, other][1] + 3
            for one in people
            for other in (own, *(person.id for person in people))
            if one.id != other
        )

    await page.sees(len(people) + 1, PATIENCE_S)
    for person in people:
        await page.receives(await page.slot_of(person.name), PATIENCE_S)
    await until(meet, "the simulated people to hear and see everyone", PATIENCE_S)


async def decodes(one: Simulated, own: str, server: RunningServer) -> None:
    """Wait until pictures and sound from the page decode; simulated people ask for no key frame."""
    source = server.rooms.rooms[ROOM].members[own].peer.sources["ca"]
    request_key_frame(source, monotonic())

    async def decoded() -> bool:
        return len(one.pictures_of(own)) > 3 and one.loudest_of(own) > 3_000

    await until(decoded, f"{one.name} to decode the page's media", PATIENCE_S)


async def base_key_of(page: Visit) -> tuple[int, bytes]:
    epoch, key = await page.page.evaluate(
        "() => [window.toldWorkers.at(-1).epoch, Array.from(window.toldWorkers.at(-1).baseKey)]"
    )
    return epoch, bytes(key)


async def no_trouble(page: Visit, people: list[Simulated]) -> None:
    dropped = (await page.frames())["dropped"]
    assert (dropped["forged"], dropped["wrong_sender"], dropped["replayed"]) == (0, 0, 0)
    assert await page.page.get_by_test_id("encryption-warning").count() == 0
    for person in people:
        for reception in person.received.values():
            assert not reception.dropped.keys() & {"forged", "wrong_sender", "replayed"}


async def test_three_simulated_people_come_to_a_page(
    begin: Begin, server: RunningServer, link: str
) -> None:
    page, own = await enter(begin, link, "Pia")
    async with simulated(link, "Ada", "Ben", "Cai") as people:
        ada, ben, cai = people
        await all_meet(page, own, people)
        await all_in(page, people, 3)
        # the page founded the group, so it was the page's part to add everyone
        assert ada.committers == {1: 0, 2: 0}
        assert ben.committers == {2: 0}
        keys = await base_key_of(page)
        assert [person.base_key() for person in people] == [keys, keys, keys]
        await decodes(cai, own, server)
        await no_trouble(page, people)

        await cai.leave()
        await all_in(page, [ada, ben], 4)
        assert ada.committers[3] == 0
        await all_meet(page, own, [ada, ben])

        await page.page.get_by_role("button", name="Leave").click()

        async def gone() -> bool:
            return ada.epoch == ben.epoch == 5 and ada.base_key() == ben.base_key()

        await until(gone, "the page to be out of the group", PATIENCE_S)
        assert ben.committers[4] == ada.own_leaf == 1


async def test_a_page_comes_to_three_simulated_people(
    begin: Begin, server: RunningServer, link: str
) -> None:
    async with simulated(link, "Ada", "Ben", "Cai") as people:
        ada, ben, cai = people
        page, own = await enter(begin, link, "Pia")
        await all_meet(page, own, people)
        await all_in(page, people, 3)
        assert ben.committers == {1: 0, 2: 0}
        assert cai.committers == {2: 0}
        assert ada.own_leaf == 0
        keys = await base_key_of(page)
        assert [person.base_key() for person in people] == [keys, keys, keys]
        await decodes(ada, own, server)

        # loaded again, the page is removed and added by a simulated person, under the same id
        slot = await page.slot_of("Pia")
        await page.page.reload()
        await page.enter("Pia")
        await all_in(page, people, 5)
        assert await page.tile("Pia").get_attribute("data-participant") == own
        assert await page.slot_of("Pia") == slot
        await all_meet(page, own, people)
        assert (cai.committers[3], cai.committers[4]) == (0, 0)
        keys = await base_key_of(page)
        assert [person.base_key() for person in people] == [keys, keys, keys]
        await no_trouble(page, people)

        # the page follows a removal, too
        await ben.leave()
        await all_in(page, [ada, cai], 6)
        assert cai.committers[5] == 0
        await all_meet(page, own, [ada, cai])
        # Without Ada the left half of the tree is blank, and so is its root: there ts-mls needs the
        # mending that web/vite.config.ts gives it.
        await ada.leave()
        await all_in(page, [cai], 7)
        assert await base_key_of(page) == cai.base_key()
        await all_meet(page, own, [cai])

        # who is left at the end removes the last of the others
        epoch = cai.base_key()[0]
        await cai.leave()
        await page.secured(epoch + 1)
        await page.sees(1)


async def test_chat_both_ways(begin: Begin, link: str) -> None:
    page, own = await enter(begin, link, "Pia")
    async with simulated(link, "Ada", "Ben") as (ada, ben):
        await all_in(page, [ada, ben], 2)
        await ada.write("Good to see you, Pia. 🌿")
        await page.page.get_by_role("button", name="Messages").click()
        entry = page.page.locator(f"[data-testid=chat-entry][data-from='{ada.id}']")
        await entry.get_by_text("Good to see you, Pia. 🌿").wait_for()

        await page.page.get_by_test_id("chat-input").fill("And you, Ada and Ben: “hello”.")
        await page.page.get_by_test_id("chat-send").click()
        delivered = page.page.locator(
            f"[data-testid=chat-entry][data-from='{own}'][data-delivery=sent]"
        )
        await delivered.wait_for()
        said = (own, "And you, Ada and Ben: “hello”.")

        async def read() -> bool:
            return ada.chat == [said] and ben.chat == [(ada.id, "Good to see you, Pia. 🌿"), said]

        await until(read, "everyone to read the chat", PATIENCE_S)


async def test_the_first_byte_of_video_is_in_the_clear_only_while_someone_needs_it(
    begin: Begin, server: RunningServer, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(forward, "lib", recorder)
    page, own = await enter(begin, link, "Pia")
    room = server.rooms.rooms[ROOM]

    async def sends(track: int) -> bool:
        offset = 1 if track & CLEAR_BYTE else 0
        frames = recorder.camera(room, "Pia")
        return frames != [] and read_header(frames[-1][offset:]).kid >> 16 == track

    whole, clear = Track.CAMERA, Track.CAMERA | CLEAR_BYTE
    await until(lambda: sends(whole), "video sealed whole", PATIENCE_S)
    assert room.roster().whole_frames
    async with simulated(link, "Ada") as people:
        await until(lambda: sends(clear), "video with a clear byte", PATIENCE_S)
        assert not room.roster().whole_frames
        await all_meet(page, own, people)
    await until(lambda: sends(whole), "video sealed whole again", PATIENCE_S)
    assert room.roster().whole_frames
