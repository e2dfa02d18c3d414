"""The moderation engine at work in real browsers, with spoken voices as microphones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgpack
import pytest
import pytest_asyncio
from playwright.async_api import WebSocket, async_playwright

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from bench.server_process import ServerProcess
from tests.e2e import speech
from tests.e2e.conftest import ROOM
from tests.e2e.test_gate import grows, settled
from tests.e2e.visit import PATIENCE_S, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

Speaker = Callable[[Path], Awaitable[Visit]]


@pytest_asyncio.fixture(loop_scope="session")
async def speaker() -> AsyncIterator[Speaker]:
    """Begin a visit in a browser of its own, whose microphone plays a file."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())

        async def begin(voice: Path) -> Visit:
            browser = await playwright.chromium.launch(
                executable_path=chromium(),
                args=[
                    *CHROMIUM_FLAGS,
                    *FAKE_DEVICES,
                    f"--use-file-for-fake-audio-capture={voice}",
                ],
            )
            stack.push_async_callback(browser.close)
            return await Visit.begin(await browser.new_context())

        yield begin


def links(server: ServerProcess) -> tuple[str, str]:
    """A facilitator's and a participant's."""
    facilitator = f"{server.url}/room/{ROOM}#{server.token(ROOM, 'facilitator')}"
    return facilitator, f"{server.url}/room/{ROOM}#{server.token(ROOM)}"


async def enter_quietly(visit: Visit, link: str, name: str) -> None:
    """Join with the camera off: the fewer pictures, the more there is left for the voices."""
    await visit.page.goto(link)
    await visit.page.get_by_role("button", name="Turn camera off").click()
    await visit.enter(name)


async def three(
    server: ServerProcess, speaker: Speaker, silence: Path, ada: Path, ben: Path
) -> tuple[Visit, Visit, Visit]:
    """Fay, who facilitates and is silent, Ada and Ben, with what their microphones hear."""
    as_facilitator, as_participant = links(server)
    visits = await speaker(silence), await speaker(ada), await speaker(ben)
    await enter_quietly(visits[0], as_facilitator, "Fay")
    await enter_quietly(visits[1], as_participant, "Ada")
    await enter_quietly(visits[2], as_participant, "Ben")
    await visits[0].sees(3)
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
    server: ServerProcess, speaker: Speaker, tmp_path: Path
) -> None:
    quiet = speech.silence(tmp_path)
    fay, ada, ben = await three(server, speaker, quiet, quiet, speech.talk(tmp_path))
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
    server: ServerProcess, speaker: Speaker, tmp_path: Path
) -> None:
    as_facilitator, as_participant = links(server)
    fay = await speaker(speech.silence(tmp_path))
    ada = await speaker(speech.talk(tmp_path))
    ben = await speaker(speech.talk(tmp_path, "en-us"))
    await enter_quietly(fay, as_facilitator, "Fay")
    await enter_quietly(ben, as_participant, "Ben")
    await ben.page.get_by_role("button", name="Mute microphone").click()
    await enter_quietly(ada, as_participant, "Ada")
    await fay.sees(3)
    await grows(fay, f"a{await fay.slot_of('Ada'):x}")
    await asyncio.sleep(4)  # Ada has the floor for a while

    audio = f"a{await fay.slot_of('Ben'):x}"
    await ben.page.get_by_role("button", name="Unmute microphone").click()
    reason = ben.page.get_by_test_id("own-muted")
    await reason.wait_for(timeout=3 * PATIENCE_S * 1000)  # not each entry is an interruption
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
    server: ServerProcess, speaker: Speaker, tmp_path: Path
) -> None:
    quiet, listening = speech.silence(tmp_path), speech.backchannels(tmp_path)
    _, _, ben = await three(server, speaker, quiet, speech.talk(tmp_path), listening)
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
    server: ServerProcess, speaker: Speaker, tmp_path: Path
) -> None:
    quiet = speech.silence(tmp_path)
    fay, ada, ben = await three(server, speaker, quiet, quiet, quiet)
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
