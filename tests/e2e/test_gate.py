"""A closed gate at the relay: one source towards one sink, and nothing else, stands still."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.app import running
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import PATIENCE_S, Inbound, Visit, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_closed_gate_stops_one_stream_for_one_person(begin: Begin, tmp_path: Path) -> None:
    settings = on_loopback(tmp_path)
    async with running(settings) as server:
        visits = {name: await begin() for name in ("Ada", "Ben", "Cleo")}
        for name, visit in visits.items():
            await visit.join(server.links.to(ROOM, "participant"), name)
        for visit in visits.values():
            await visit.sees(3)
        slots = {name: await visits["Ada"].slot_of(name) for name in visits}
        await visits["Ada"].receives(slots["Ben"])
        await visits["Cleo"].receives(slots["Ben"])

        members = {member.name: member for member in server.rooms.rooms[ROOM].members.values()}
        source = members["Ben"].peer.sources["mi"]
        server.relay.set_gate(source, members["Ada"].peer, False)

        audio = f"a{slots['Ben']:x}"
        closed = await settled(visits["Ada"], audio)
        # everything else goes on: Ben's video to Ada, Cleo's audio to Ada, Ben's audio to Cleo
        await grows(visits["Ada"], f"v{slots['Ben']:x}")
        await grows(visits["Ada"], f"a{slots['Cleo']:x}")
        await grows(visits["Cleo"], audio)
        assert (await visits["Ada"].inbound())[audio].packets == closed

        server.relay.set_gate(source, members["Ada"].peer, True)
        await grows(visits["Ada"], audio)


async def settled(visit: Visit, mid: str) -> int:
    """The packet count on `mid` once what was on its way has arrived."""
    await asyncio.sleep(0.3)
    return (await visit.inbound())[mid].packets


async def grows(visit: Visit, mid: str) -> None:
    """Wait until a good second's worth of packets has come on `mid`."""
    before = (await visit.inbound()).get(mid, Inbound()).packets

    async def grown() -> bool:
        return (await visit.inbound()).get(mid, Inbound()).packets >= before + 60

    await until(grown, f"more packets on {mid}", PATIENCE_S)
