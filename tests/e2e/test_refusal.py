"""Who has no good link is told so, in the lobby, and does not get in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bench.server_process import ServerProcess
from server.admission import LinkTokens
from server.app import running
from simulated.group import CIPHERSUITE
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import PATIENCE_S
from tests.loopback import on_loopback
from tests.page import hello, page

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("code", ["bad_token", "expired_token", "wrong_room"])
async def test_a_link_that_admits_nobody(
    begin: Begin, server: ServerProcess, room: str, code: str
) -> None:
    tokens = {
        "bad_token": server.token(room)[:-4] + "AAAA",
        "expired_token": LinkTokens(server.secret).issue(
            room, "participant", timedelta(seconds=-1)
        ),
        "wrong_room": server.token("another-room"),
    }
    visit = await begin()
    await visit.page.goto(f"{server.url}/room/{room}#{tokens[code]}")
    message = visit.page.get_by_test_id("message")
    await message.wait_for(timeout=PATIENCE_S * 1000)
    assert await message.get_attribute("data-code") == code
    assert await visit.page.get_by_role("button", name="Join", exact=True).count() == 0
    assert await visit.page.get_by_test_id("room").count() == 0


async def test_a_room_that_is_full(begin: Begin, tmp_path: Path) -> None:
    settings = on_loopback(tmp_path, room_capacity=2, ciphersuite=CIPHERSUITE)
    async with (
        running(settings) as server,
        page(server, hello(server, ROOM)) as ada,
        page(server, hello(server, ROOM)) as ben,
    ):
        await ada.join("Ada")
        await ben.join("Ben")
        late = await begin()
        await late.page.goto(server.links.to(ROOM, "participant"))
        await late.page.get_by_label("How would you like to be called?").fill("Eve")
        await late.page.get_by_role("button", name="Join", exact=True).click()
        message = late.page.get_by_test_id("message")
        await message.wait_for(timeout=PATIENCE_S * 1000)
        assert await message.get_attribute("data-code") == "room_full"
