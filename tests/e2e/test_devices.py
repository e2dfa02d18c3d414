"""What a person turns off is not sent, what they share is seen, and without devices they can still
take part."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from bench.browser import CHROMIUM_FLAGS, chromium
from tests.e2e.conftest import Begin
from tests.e2e.test_gate import grows, settled
from tests.e2e.visit import PATIENCE_S, Visit, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_muting_stops_the_audio_and_nothing_else(begin: Begin, link: str) -> None:
    ada, ben = await begin(), await begin()
    await ada.join(link, "Ada")
    await ben.join(link, "Ben")
    await ada.sees(2)
    slot = await ada.slot_of("Ben")
    await ada.receives(slot)

    await ben.page.get_by_role("button", name="Mute microphone").click()
    off = ada.tile("Ben").get_by_text("Microphone off")
    await off.wait_for(state="attached", timeout=PATIENCE_S * 1000)
    quiet = await settled(ada, f"a{slot:x}")
    await grows(ada, f"v{slot:x}")
    assert (await ada.inbound())[f"a{slot:x}"].packets == quiet

    await ben.page.get_by_role("button", name="Unmute microphone").click()
    await grows(ada, f"a{slot:x}")


async def test_the_camera_goes_off_and_on(begin: Begin, link: str) -> None:
    ada, ben = await begin(), await begin()
    await ada.join(link, "Ada")
    await ben.join(link, "Ben")
    slot = await ada.slot_of("Ben")
    await ada.receives(slot)

    await ben.page.get_by_role("button", name="Turn camera off").click()
    await ada.tile("Ben").locator("video").wait_for(state="detached", timeout=PATIENCE_S * 1000)
    still = await settled(ada, f"v{slot:x}")
    await grows(ada, f"a{slot:x}")
    assert (await ada.inbound())[f"v{slot:x}"].packets == still

    await ben.page.get_by_role("button", name="Turn camera on").click()
    await ada.receives(slot)


async def test_sharing_a_screen_one_at_a_time(begin: Begin, link: str) -> None:
    ada, ben = await begin(), await begin()
    await ada.join(link, "Ada")
    await ben.join(link, "Ben")
    await ada.sees(2)
    await ben.page.get_by_role("button", name="Share screen").click()
    await ben.page.get_by_role("button", name="Stop sharing").wait_for(timeout=PATIENCE_S * 1000)

    async def decoded() -> bool:
        screen = (await ada.inbound()).get("s0")
        return screen is not None and screen.frames > 3

    await until(decoded, "Ben's screen at Ada's", PATIENCE_S)
    await ada.page.get_by_role("button", name="Share screen").click()
    await ada.page.get_by_text("Someone else is sharing").first.wait_for(timeout=PATIENCE_S * 1000)
    await ben.page.get_by_role("button", name="Stop sharing").click()
    await ada.page.get_by_role("button", name="Share screen").click()
    await ada.page.get_by_role("button", name="Stop sharing").wait_for(timeout=PATIENCE_S * 1000)


async def test_someone_who_refuses_the_camera_can_still_take_part(
    browser: Browser, begin: Begin, link: str
) -> None:
    ada = await begin()
    await ada.join(link, "Ada")
    # without the flag that says yes, headless Chromium refuses all devices
    refusing = await browser.browser_type.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
    try:
        eve = await Visit.begin(await refusing.new_context())
        await eve.page.goto(link)
        await eve.page.get_by_text("camera").first.wait_for()
        await eve.enter("Eve")
        await eve.sees(2)
        slot = await eve.slot_of("Ada")
        await eve.receives(slot)
        await ada.sees(2)
    finally:
        await refusing.close()
