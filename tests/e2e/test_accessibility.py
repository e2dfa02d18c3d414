"""axe-core finds nothing serious, in light and in dark, on the desktop and on a phone; and all can
be done by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.e2e.axe import DESKTOP, PHONE, serious_issues
from tests.e2e.conftest import Begin
from tests.e2e.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_no_serious_issue(
    browser: Browser, begin: Begin, link: str, scheme: Any, viewport: Any
) -> None:
    other = await begin()
    await other.join(link, "Ben")
    context = await browser.new_context(color_scheme=scheme, viewport=viewport)
    visit = await Visit.begin(context)
    try:
        await visit.page.goto(link.partition("/room/")[0])
        assert await serious_issues(visit.page) == []
        await visit.page.goto(link)
        await visit.page.get_by_role("button", name="Join", exact=True).wait_for()
        assert await serious_issues(visit.page) == []
        await visit.enter("Ada")
        await visit.sees(2)
        assert await serious_issues(visit.page) == []
        width = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"]
        await visit.page.get_by_role("button", name="Leave").click()
        await visit.page.get_by_test_id("message").wait_for()
        assert await serious_issues(visit.page) == []
    finally:
        await visit.close()


async def test_by_keyboard_alone(begin: Begin, link: str) -> None:
    visit = await begin()
    page = visit.page
    await page.goto(link)
    name = page.get_by_label("How would you like to be called?")
    await name.wait_for()
    for _ in range(12):
        if await name.evaluate("field => field === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.type("Ada")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("room").wait_for()
    await visit.sees(1)

    await page.keyboard.press("m")
    await page.get_by_role("button", name="Unmute microphone").wait_for()
    leave = page.get_by_role("button", name="Leave")
    for _ in range(20):
        if await leave.evaluate("button => button === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("message").wait_for()
