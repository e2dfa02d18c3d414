"""Getting back by oneself: after the server went away, or the socket, or the media path."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bench.server_process import ServerProcess
from server.app import running
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.test_room import NAMES, everyone_receives_everyone, meet
from tests.e2e.visit import PATIENCE_S, Visit, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_all_are_back_after_a_restart(
    begin: Begin, own_server: ServerProcess, how: signal.Signals
) -> None:
    server = own_server
    visits = await meet(begin, server.link(ROOM))
    slots = {name: await visit.slot_of(name) for name, visit in visits.items()}
    exit_code = await server.stop(how)
    assert exit_code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    for visit in visits.values():
        await visit.page.get_by_test_id("reconnecting").wait_for(timeout=PATIENCE_S * 1000)

    await server.start()
    for visit in visits.values():
        await visit.sees(3)
    await everyone_receives_everyone(visits)
    assert {name: await visit.slot_of(name) for name, visit in visits.items()} == slots


async def test_a_lost_socket_keeps_its_place(begin: Begin, tmp_path: Path) -> None:
    settings = on_loopback(tmp_path)
    async with running(settings) as server:
        visits: dict[str, Visit] = {}
        for name in NAMES:
            visits[name] = await begin()
            await visits[name].join(server.links.to(ROOM, "participant"), name)
        for visit in visits.values():
            await visit.sees(3)
        members = {member.name: member for member in server.rooms.rooms[ROOM].members.values()}
        before = {name: (member.id, member.slot) for name, member in members.items()}

        page = members["Ben"].page
        assert page is not None
        await page.reconnect()

        async def is_back() -> bool:
            member = server.rooms.rooms[ROOM].members[before["Ben"][0]]
            return member.page not in (None, page) and member.connection == "connected"

        await until(is_back, "Ben's place taken up again", PATIENCE_S)
        await everyone_receives_everyone(visits)
        members = {member.name: member for member in server.rooms.rooms[ROOM].members.values()}
        assert {name: (member.id, member.slot) for name, member in members.items()} == before


async def test_a_reload_keeps_the_place(begin: Begin, link: str) -> None:
    visits = await meet(begin, link)
    slots = {name: await visit.slot_of(name) for name, visit in visits.items()}
    await visits["Ben"].page.reload()
    await visits["Ben"].enter("Ben")
    for visit in visits.values():
        await visit.sees(3)
    assert {name: await visit.slot_of(name) for name, visit in visits.items()} == slots
    await everyone_receives_everyone(visits)
