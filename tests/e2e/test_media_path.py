"""The media path breaks while the socket lives: ICE is restarted on the same connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from aioice import stun

from relay.ice import Address, Answered
from server.app import running
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

ICE_PATIENCE_S = 40.0
"""Chromium takes some seconds of silence to call a path broken."""


async def test_ice_is_restarted(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = on_loopback(tmp_path)
    async with running(settings) as server:
        ada, ben = await begin(), await begin()
        for visit, name in ((ada, "Ada"), (ben, "Ben")):
            await visit.join(server.links.to(ROOM, "participant"), name)
        await ada.sees(2)
        slots = {name: await ada.slot_of(name) for name in ("Ada", "Ben")}
        await ada.receives(slots["Ben"])

        room = server.rooms.rooms[ROOM]
        member = next(member for member in room.members.values() if member.name == "Ada")
        agent, peer = member.peer.agent, member.peer
        before, answer = agent.local.ufrag, agent.answer

        def deaf_to_the_old(request: stun.Message, source: Address) -> Answered | None:
            if str(request.attributes["USERNAME"]).startswith(before):
                return None
            return answer(request, source)

        monkeypatch.setattr(agent, "answer", deaf_to_the_old)

        async def restarted() -> bool:
            return agent.local.ufrag != before and agent.remote_ufrag is not None

        await until(restarted, "an ICE restart", ICE_PATIENCE_S)
        await ada.receives(slots["Ben"])
        await ben.receives(slots["Ada"])
        assert member.peer is peer
        assert await ada.page.evaluate("window.watchedPeerConnections.length") == 1
