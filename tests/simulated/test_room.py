"""Simulated participants in a room of a real server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import RTCCertificate
from av import AudioFrame, VideoFrame

from server.app import RunningServer
from simulated.company import company
from simulated.group import CIPHERSUITE
from simulated.participant import Link, Participant
from simulated.sealing import Track
from simulated.voice import FRAME_S, VOICES, speak
from tests.conftest import Start

CERTIFICATE = RTCCertificate.generateCertificate()
PATIENCE_S = 20.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def server(start: Start) -> AsyncIterator[RunningServer]:
    async with start(ciphersuite=CIPHERSUITE, rejoin_grace_s=5.0) as running_server:
        yield running_server


async def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.02)


async def hum(people: list[Participant]) -> None:
    """Everyone sends the same words, over and over."""
    frames = speak(VOICES[0], "I am here, and all of you can hear me.")
    while True:
        for frame in frames:
            for person in people:
                person.send_audio(frame.opus, frame.level)
            await asyncio.sleep(FRAME_S)


@asynccontextmanager
async def sending(people: list[Participant]) -> AsyncIterator[None]:
    task = asyncio.create_task(hum(people))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def participants(server: RunningServer, *names: str) -> AsyncIterator[list[Participant]]:
    link = server.links.to("circle", "participant")
    async with AsyncExitStack() as stack:
        people = [Participant(link, name, certificate=CERTIFICATE) for name in names]
        for person in people:
            await person.join()
            stack.push_async_callback(person.leave)
        yield people


def all_hear_all(people: list[Participant], since: dict[tuple[str, str], int]) -> bool:
    return all(
        one.hears(other.id) >= since.get((one.id, other.id), 0) + 25
        for one in people
        for other in people
        if one is not other
    )


def heard(people: list[Participant]) -> dict[tuple[str, str], int]:
    return {(one.id, other.id): one.hears(other.id) for one in people for other in people}


async def test_four_hear_each_other(server: RunningServer) -> None:
    async with participants(server, "Ada", "Ben", "Cai", "Dan") as people, sending(people):
        await until(lambda: all_hear_all(people, {}))
        assert len({person.epoch for person in people}) == 1
        since = heard(people)
        await until(lambda: all_hear_all(people, since))
        for person in people:
            for (_, track), reception in person.received.items():
                assert track is Track.MICROPHONE
                assert not reception.dropped.keys() & {"forged", "wrong_sender", "replayed"}
        assert people[0].talking() <= {person.id for person in people[1:]}


async def test_who_leaves_is_out_of_the_group_and_who_stays_goes_on(server: RunningServer) -> None:
    async with participants(server, "Ada", "Ben", "Cai") as people, sending(people):
        await until(lambda: all_hear_all(people, {}))
        epoch = people[1].epoch
        assert epoch is not None
        await people[0].leave()
        rest = people[1:]
        await until(lambda: all(person.epoch == epoch + 1 for person in rest))
        since = heard(rest)
        await until(lambda: all_hear_all(rest, since))


async def test_who_comes_back_keeps_their_id_and_leaf(server: RunningServer) -> None:
    async with participants(server, "Ada", "Ben", "Cai") as people, sending(people):
        await until(lambda: all_hear_all(people, {}))
        epoch, own = people[1].epoch, people[1].id
        await people[1].drop_connection()
        await until(lambda: server.rooms.rooms["circle"].members[own].page is None)
        since = heard(people)
        await until(lambda: all_hear_all(people, since))
        assert (people[1].id, people[1].epoch) == (own, epoch)


async def test_chat(server: RunningServer) -> None:
    async with participants(server, "Ada", "Ben") as people:
        ada, ben = people
        await until(lambda: ada.epoch == ben.epoch == 1)
        await ada.write("Good to see you.")
        await until(lambda: ben.chat == [(ada.id, "Good to see you.")])


async def test_company_talks_and_is_seen(server: RunningServer) -> None:
    link = server.links.to("circle", "participant")
    frames: list[tuple[str, Track, bytes]] = []
    watcher = Participant(
        link, "Eve", certificate=CERTIFICATE, on_frame=lambda *frame: frames.append(frame)
    )
    async with company(link, 2, seed=1) as actors:
        await watcher.join()
        first, second = (actor.participant.id for actor in actors)
        await until(lambda: min(watcher.sees(first), watcher.sees(second)) >= 10)
        await until(watcher.talking)
        await asyncio.sleep(1)
        await watcher.leave()
    for person in (first, second):
        eye = Vp8Decoder()
        shown = [
            picture
            for one, track, frame in frames
            if (one, track) == (person, Track.CAMERA)
            for picture in eye.decode(JitterFrame(frame, 0))
        ]
        assert len(shown) >= 10
        assert all(isinstance(picture, VideoFrame) for picture in shown)
    ears = {first: OpusDecoder(), second: OpusDecoder()}
    loudest = 0
    for one, track, frame in frames:
        if track is Track.MICROPHONE:
            (sound,) = ears[one].decode(JitterFrame(frame, 0))
            assert isinstance(sound, AudioFrame)
            loudest = max(loudest, *memoryview(bytes(sound.planes[0])).cast("h"))
    assert loudest > 3_000


@pytest.mark.parametrize(
    "link", ["", "circle", "http://host/room/circle", "http://host/circle#t", "/room/circle#t"]
)
def test_what_is_no_link(link: str) -> None:
    with pytest.raises(ValueError, match="no link"):
        Link.parse(link)


def test_link() -> None:
    parsed = Link.parse("https://groups.example.org:8443/room/circle#a.b.c")
    assert parsed == ("https://groups.example.org:8443", "circle", "a.b.c")


async def run(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulated", *arguments, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def test_the_command_brings_people_for_some_time(server: RunningServer) -> None:
    link = server.links.to("circle", "participant")
    running = asyncio.create_task(run(link, "--people=3", "--seconds=2"))
    await until(lambda: "circle" in server.rooms.rooms)
    room = server.rooms.rooms["circle"]
    await until(lambda: len(room.members) == 3)
    assert await running == (0, "")
    assert not room.members


async def test_the_command_says_what_is_wrong(server: RunningServer) -> None:
    status, errors = await run("http://nowhere")
    assert (status, errors) == (1, "simulated: This is no link into a room.\n")
    status, errors = await run(server.links.to("circle", "participant")[:-5], "--people=1")
    assert status == 1
    assert "simulated: " in errors
    assert "Traceback" not in errors


async def test_a_room_of_another_cipher_suite_is_not_entered(start: Start) -> None:
    async with start(ciphersuite="MLS_256_XWING_AES256GCM_SHA512_Ed25519") as server:
        person = Participant(server.links.to("circle", "participant"), "Ada")
        with pytest.raises(ConnectionError, match="XWING"):
            await person.join()
