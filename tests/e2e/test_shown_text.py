"""The guidelines on everyone's screen, in one click: also for who comes late, and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Locator, ViewportSize, expect

from bench.server_process import ServerProcess
from tests.e2e.axe import serious_issues
from tests.e2e.conftest import Begin
from tests.e2e.visit import PATIENCE_S, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: ViewportSize = {"width": 390, "height": 844}
PATIENCE_MS = PATIENCE_S * 1000


def text_of(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("shown-text")


async def is_shown(visit: Visit) -> None:
    rule = text_of(visit).get_by_text("We listen.")
    await expect(rule).to_be_visible(timeout=PATIENCE_MS)


async def test_the_guidelines_on_everyones_screen(
    server: ServerProcess, room: str, browser: Browser, begin: Begin
) -> None:
    link = server.link(room)
    fay, ada = await begin(), await begin()
    await fay.join(server.link(room, "facilitator"), "Fay")
    await ada.join(link, "Ada")
    await ada.sees(2)
    mute = ada.page.get_by_role("button", name="Mute microphone")
    await mute.focus()

    await fay.page.get_by_role("button", name="Console").first.click()
    show = fay.page.get_by_test_id("show-guidelines")
    await show.click()
    for visit in (fay, ada):
        await is_shown(visit)
    await expect(text_of(fay)).to_contain_text("Shown to everyone by Fay")
    said = ada.page.get_by_test_id("announcements")
    await expect(said).to_contain_text("The facilitator shows the group’s guidelines.")
    await expect(mute).to_be_focused()

    # Who comes late sees them, too: on a phone, with the controls and the people beside it.
    ben = await Visit.begin(await browser.new_context(viewport=PHONE))
    try:
        await ben.join(link, "Ben")
        await is_shown(ben)
        await ben.sees(3)
        panel = await text_of(ben).bounding_box()
        leave = await ben.page.get_by_role("button", name="Leave").bounding_box()
        tile = await ben.tile("Ben").bounding_box()
        assert panel is not None
        assert leave is not None
        assert tile is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= PHONE["width"]
        assert panel["y"] + panel["height"] <= tile["y"]
        assert tile["y"] + tile["height"] <= leave["y"]
        assert await serious_issues(ben.page) == []
    finally:
        await ben.close()

    # Each folds it away for themselves.
    await ada.page.get_by_test_id("fold-text").click()
    await expect(text_of(ada).get_by_text("We listen.")).to_have_count(0)
    await is_shown(fay)
    await ada.page.get_by_test_id("fold-text").click()
    await is_shown(ada)

    await expect(show).to_have_text("Take the group’s guidelines off the screen")
    await show.click()
    for visit in (fay, ada):
        await expect(text_of(visit)).to_have_count(0, timeout=PATIENCE_MS)
    await expect(show).to_be_focused()
    assert fay.complaints == ada.complaints == []
