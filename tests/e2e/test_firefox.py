"""Real Firefox in a room with real Chromium, with the default (X-Wing) ciphersuite.

Firefox 153 does not take the dependency descriptor with VP8, so that everyone leaves the first byte
of video in the clear while it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import Begin
from tests.e2e.firefox import (
    ESCAPE,
    SLOW_CAMERA,
    Firefox,
    FirefoxPage,
    button,
    css,
    firefox,
    marked,
)
from tests.e2e.visit import (
    READ_FRAMES,
    READ_INBOUND,
    WATCH_PEER_CONNECTIONS,
    WATCH_WORKERS,
    Inbound,
    Visit,
    receives,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_S = 45.0
"""Three pages with video, two of them in Firefox, share few cores."""

READ_TEXT = "(selector) => document.querySelector(selector).innerText"
READ_SLOT = """(name) => Number([...document.querySelectorAll('[data-testid=tile]')]
  .find((tile) => tile.innerText.includes(name)).dataset.slot)"""


class Guest:
    """A person in Firefox; what a :class:`Visit` is in Chromium."""

    def __init__(self, page: FirefoxPage) -> None:
        self.page = page

    @classmethod
    async def join(cls, browser: Firefox, link: str, name: str) -> Guest:
        page = await browser.new_page(WATCH_PEER_CONNECTIONS, WATCH_WORKERS, SLOW_CAMERA)
        await page.goto(link)
        await page.click(css("#name"))
        await page.type(name)
        guest = cls(page)
        await guest.enter()
        return guest

    async def enter(self) -> None:
        await self.page.click(button("Join"))
        await self.page.wait_for(marked("room"))

    async def sees(self, count: int) -> None:
        connected = css("[data-testid=tile][data-connection=connected]")

        async def shown() -> bool:
            return len(await self.page.find(connected)) == count

        await until(shown, f"{count} connected tiles", PATIENCE_S)

    async def slot_of(self, name: str) -> int:
        return int(await self.page.evaluate(READ_SLOT, name))

    async def inbound(self) -> dict[str, Inbound]:
        found: dict[str, Any] = await self.page.evaluate(READ_INBOUND)
        return {mid: Inbound(**entry) for mid, entry in found.items()}

    async def receives(self, slot: int) -> None:
        await receives(self.inbound, slot, PATIENCE_S)

    async def frames(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate(READ_FRAMES)
        return found

    async def safety_words(self) -> str:
        await self.page.click(marked("encryption"))
        await self.page.wait_for(marked("safety-words"))
        words = await self.page.evaluate(READ_TEXT, "[data-testid=safety-words]")
        await self.page.type(ESCAPE)
        return " ".join(words.split())

    async def write(self, text: str) -> None:
        await self.page.click(button("Messages"))
        await self.page.click(marked("chat-input"))
        await self.page.type(text)
        await self.page.click(marked("chat-send"))

    async def chat(self) -> str:
        """The messages with everyone; none before they were looked at."""
        log = "[data-testid=chat-log]"
        if not await self.page.find(css(log)):
            return ""
        return str(await self.page.evaluate(READ_TEXT, log))


@pytest_asyncio.fixture(loop_scope="session")
async def fox() -> AsyncIterator[Firefox]:
    async with firefox() as browser:
        yield browser


async def everyone_receives_everyone(people: dict[str, Visit | Guest]) -> None:
    for person in people.values():
        await person.sees(len(people))
    slots = {name: await person.slot_of(name) for name, person in people.items()}
    await asyncio.gather(
        *(
            person.receives(slot)
            for name, person in people.items()
            for other, slot in slots.items()
            if other != name
        )
    )


async def test_firefox_and_chromium_in_one_room(begin: Begin, fox: Firefox, link: str) -> None:
    ben = await begin()
    await ben.join(link, "Ben")
    assert await ben.page.evaluate("sealsWhole")
    ada = await Guest.join(fox, link, "Ada")
    cleo = await Guest.join(fox, link, "Cleo")
    people: dict[str, Visit | Guest] = {"Ada": ada, "Ben": ben, "Cleo": cleo}
    await everyone_receives_everyone(people)
    assert not await ben.page.evaluate("sealsWhole")
    assert not await ada.page.evaluate("() => sealsWhole")

    words = {await person.safety_words() for person in people.values()}
    assert len(words) == 1
    assert len(words.pop().split()) == 6

    await ada.write("Hello from Firefox 🦊")
    await ben.page.get_by_role("button", name="Messages").click()
    await ben.page.get_by_test_id("chat-log").get_by_text("Hello from Firefox 🦊").wait_for()
    await ben.page.get_by_test_id("chat-input").fill("Hello from Chromium")
    await ben.page.get_by_test_id("chat-send").click()

    async def read() -> bool:
        return "Hello from Chromium" in await ada.chat()

    await until(read, "Ada to read what Ben wrote", PATIENCE_S)

    await ada.page.click(button("Leave"))
    await ben.tile("Ada").wait_for(state="detached")
    await ada.page.click(button("Join again"))
    await ada.enter()
    await everyone_receives_everyone(people)

    for guest in (ada, cleo):
        await guest.page.click(button("Leave"))
    await ben.page.wait_for_function("sealsWhole")

    for person in people.values():
        counts = await person.frames()
        assert counts["dropped"]["forged"] == counts["dropped"]["wrong_sender"] == 0
    assert [*ada.page.complaints, *ben.complaints, *cleo.page.complaints] == []
