"""Who has no good link is told so, in the lobby, and does not get in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bench.server_process import ServerProcess
from server.admission import LinkTokens
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("code", ["bad_token", "expired_token", "wrong_room"])
async def test_a_link_that_admits_nobody(begin: Begin, server: ServerProcess, code: str) -> None:
    tokens = {
        "bad_token": server.token(ROOM)[:-4] + "AAAA",
        "expired_token": LinkTokens(server.secret).issue(
            ROOM, "participant", timedelta(seconds=-1)
        ),
        "wrong_room": server.token("another-room"),
    }
    visit = await begin()
    await visit.page.goto(f"{server.url}/room/{ROOM}#{tokens[code]}")
    message = visit.page.get_by_test_id("message")
    await message.wait_for(timeout=PATIENCE_S * 1000)
    assert await message.get_attribute("data-code") == code
    assert await visit.page.get_by_role("button", name="Join", exact=True).count() == 0
    assert await visit.page.get_by_test_id("room").count() == 0


async def test_a_room_that_is_full(begin: Begin, link: str) -> None:
    for name in ("Ada", "Ben", "Cleo", "Dov"):
        visit = await begin()
        await visit.join(link, name)
    late = await begin()
    await late.page.goto(link)
    await late.page.get_by_label("How would you like to be called?").fill("Eve")
    await late.page.get_by_role("button", name="Join", exact=True).click()
    message = late.page.get_by_test_id("message")
    await message.wait_for(timeout=PATIENCE_S * 1000)
    assert await message.get_attribute("data-code") == "room_full"
