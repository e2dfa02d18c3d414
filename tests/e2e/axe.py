"""axe-core on a page, and whether the page fits its window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
PHONE: Any = {"width": 360, "height": 640}
DESKTOP: Any = {"width": 1280, "height": 800}


async def serious_issues(page: Page) -> list[str]:
    # evaluated from outside the page, where its Content-Security-Policy does not apply
    await page.evaluate(AXE.read_text("utf-8"))
    result: dict[str, Any] = await page.evaluate("() => axe.run()")
    return [
        f"{issue['id']}: {issue['help']} ({issue['nodes'][0]['html'][:120]})"
        for issue in result["violations"]
        if issue["impact"] in ("serious", "critical")
    ]


async def is_well_made(page: Page) -> None:
    """Nothing serious is found, and nothing is to be scrolled to the side on a phone nor on the
    desktop, as large as whose window is then.
    """
    await page.set_viewport_size(PHONE)
    assert await serious_issues(page) == [], page.url
    for viewport in (PHONE, DESKTOP):
        await page.set_viewport_size(viewport)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], page.url
