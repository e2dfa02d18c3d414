"""The moderation engine at work in real browsers, with spoken voices as microphones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
import pytest_asyncio
from playwright.async_api import Browser, WebSocket
from playwright.async_api import TimeoutError as PlaywrightTimeout

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from bench.server_process import ServerProcess
from tests.e2e import speech
from tests.e2e.test_gate import grows, settled
from tests.e2e.visit import PATIENCE_S, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

BrowserWith = Callable[[Path], Awaitable[Browser]]
Speaker = Callable[[Path], Awaitable[Visit]]


ENTRY_S = 8.0
"""By then it has been judged what it was that someone began to talk."""


class Voices(NamedTuple):
    """What microphones can hear."""

    silence: Path
    talk: Path
    other_talk: Path
    """By another person."""
    backchannels: Path


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Voices:
    folder = tmp_path_factory.mktemp("voices")
    return Voices(
        speech.silence(folder),
        speech.talk(folder),
        speech.talk(folder, "en-us"),
        speech.backchannels(folder),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser_with(browser: Browser) -> AsyncIterator[BrowserWith]:
    """A browser for each file that microphones play."""
    browsers: dict[Path, Browser] = {}

    async def browser_with(voice: Path) -> Browser:
        if voice not in browsers:
            browsers[voice] = await browser.browser_type.launch(
                executable_path=chromium(),
                args=[
                    *CHROMIUM_FLAGS,
                    *FAKE_DEVICES,
                    f"--use-file-for-fake-audio-capture={voice}",
                ],
            )
        return browsers[voice]

    yield browser_with
    for one in browsers.values():
        await one.close()


@pytest_asyncio.fixture(loop_scope="session")
async def speaker(browser_with: BrowserWith) -> AsyncIterator[Speaker]:
    """Begin a visit whose microphone plays a file; all are closed after the test."""
    visits: list[Visit] = []

    async def begin(voice: Path) -> Visit:
        visit = await Visit.begin(await (await browser_with(voice)).new_context())
        visits.append(visit)
        return visit

    yield begin
    await asyncio.gather(*(visit.close() for visit in visits))


async def enter_quietly(visit: Visit, link: str, name: str) -> None:
    """Join with the camera off: the fewer pictures, the more there is left for the voices."""
    await visit.page.goto(link)
    await visit.page.get_by_role("button", name="Turn camera off").click()
    await visit.enter(name)


@pytest_asyncio.fixture(loop_scope="session")
async def fay(speaker: Speaker, voices: Voices, server: ServerProcess, room: str) -> Visit:
    """Who facilitates and is silent."""
    fay = await speaker(voices.silence)
    await enter_quietly(fay, server.link(room, "facilitator"), "Fay")
    return fay


async def two_more(
    fay: Visit, speaker: Speaker, link: str, ada: Path, ben: Path
) -> tuple[Visit, Visit]:
    """Ada and Ben, with what their microphones hear."""
    visits = await speaker(ada), await speaker(ben)
    await enter_quietly(visits[0], link, "Ada")
    await enter_quietly(visits[1], link, "Ben")
    await fay.sees(3)
    return visits


async def holder_is(visit: Visit, person: str) -> None:
    await visit.page.locator(f"[data-testid=floor][data-holder='{person}']").wait_for(
        timeout=PATIENCE_S * 1000
    )


async def id_of(visit: Visit, name: str) -> str:
    return await visit.tile(name).get_attribute("data-participant") or ""


async def open_console(visit: Visit) -> None:
    console = visit.page.get_by_test_id("console")
    if not await console.is_visible():
        await visit.page.get_by_role("button", name="Console").first.click()
        await console.wait_for()


async def test_in_a_circle_nobody_hears_who_does_not_hold_the_piece(
    fay: Visit, speaker: Speaker, link: str, voices: Voices
) -> None:
    ada, ben = await two_more(fay, speaker, link, voices.silence, voices.talk)
    audio = f"a{await fay.slot_of('Ben'):x}"
    await grows(ada, audio)

    await open_console(fay)
    await fay.page.get_by_label("Format").select_option("circle")
    await holder_is(ben, await id_of(ben, "Ada"))
    reason = ben.page.get_by_test_id("own-muted")
    await reason.wait_for()
    assert await reason.get_attribute("data-reason") == "not_your_turn"
    before = {name: await settled(visit, audio) for name, visit in (("Fay", fay), ("Ada", ada))}
    await asyncio.sleep(10)
    assert (await fay.inbound())[audio].packets == before["Fay"]
    assert (await ada.inbound())[audio].packets == before["Ada"]

    await ada.page.get_by_role("button", name="Pass").click()
    await holder_is(ben, await id_of(ben, "Ben"))
    await grows(ada, audio)
    await grows(fay, audio)


async def test_in_an_open_floor_talking_over_someone_is_muted(
    fay: Visit, speaker: Speaker, link: str, voices: Voices
) -> None:
    ada, ben = await speaker(voices.talk), await speaker(voices.other_talk)
    await enter_quietly(ben, link, "Ben")
    await ben.page.get_by_role("button", name="Mute microphone").click()
    await enter_quietly(ada, link, "Ada")
    await fay.sees(3)
    await grows(fay, f"a{await fay.slot_of('Ada'):x}")

    audio = f"a{await fay.slot_of('Ben'):x}"
    reason = ben.page.get_by_test_id("own-muted")
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:  # not each entry is an interruption
            await asyncio.sleep(4)  # Ada has the floor for a while
            await ben.page.get_by_role("button", name="Unmute microphone").click()
            with suppress(PlaywrightTimeout):
                await reason.wait_for(timeout=ENTRY_S * 1000)
                break
            await ben.page.get_by_role("button", name="Mute microphone").click()
    assert await reason.get_attribute("data-reason") in ("short_mute", "held_mute")
    assert await ben.page.get_by_text("You will be heard again").count() >= 1
    muted = await settled(ada, audio)
    await grows(ada, f"a{await ada.slot_of('Fay'):x}")
    assert (await ada.inbound())[audio].packets == muted
    # nobody else is shown anything of it
    for visit in (ada, fay):
        assert await visit.page.get_by_test_id("own-muted").count() == 0
    assert "muted" not in (await ada.tile("Ben").inner_text()).lower()


async def test_a_backchannel_mutes_nobody(
    fay: Visit, speaker: Speaker, link: str, voices: Voices
) -> None:
    _, ben = await two_more(fay, speaker, link, voices.talk, voices.backchannels)
    events = await events_of(ben)
    await asyncio.sleep(16)  # three of them
    assert {"muted", "nudge"}.isdisjoint(events)
    assert await ben.page.get_by_test_id("own-muted").count() == 0
    assert await ben.page.get_by_test_id("nudge").count() == 0


async def events_of(visit: Visit) -> list[str]:
    """The names of all events that this page gets after it has been loaded again."""
    names: list[str] = []

    def received(payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            packet: Any = msgpack.unpackb(payload)
            if packet.get("type") == 2:
                names.append(packet["data"][0])

    def opened(socket: WebSocket) -> None:
        socket.on("framereceived", received)

    visit.page.on("websocket", opened)
    name = await visit.page.locator("[data-testid=tile][data-self]").get_attribute(
        "data-participant"
    )
    assert name
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Join", exact=True).click()
    await visit.page.get_by_test_id("room").wait_for(timeout=PATIENCE_S * 1000)
    return names


async def test_help_reaches_facilitators_and_nobody_else(
    fay: Visit, speaker: Speaker, link: str, voices: Voices
) -> None:
    ada, ben = await two_more(fay, speaker, link, voices.silence, voices.silence)
    heard_by_ben = await events_of(ben)
    await fay.sees(3)
    await open_console(fay)

    await ada.page.get_by_role("button", name="Help").first.click()
    seen_before = len(heard_by_ben)
    await ada.page.get_by_role("button", name="Ask for help").click()
    alert = fay.page.locator("[data-testid=alert][data-kind=help_asked]")
    await alert.wait_for(timeout=PATIENCE_S * 1000)
    assert await alert.get_attribute("data-severity") == "urgent"
    assert "Ada" in await alert.inner_text()
    await asyncio.sleep(1)
    assert heard_by_ben[seen_before:] == []

    await alert.get_by_role("button", name="Seen").click()
    await ada.page.get_by_text("A facilitator has seen").first.wait_for(timeout=PATIENCE_S * 1000)
    assert heard_by_ben[seen_before:] == []
