"""End-to-end encryption as people in browsers have it, with the default (X-Wing) ciphersuite."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench.server_process import ServerProcess
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import Visit, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_S = 45.0
"""Six browser pages with video share few cores."""


async def enter(begin: Begin, link: str, name: str) -> Visit:
    visit = await begin()
    await visit.join(link, name)
    return visit


async def everyone_decodes_everyone(visits: dict[str, Visit]) -> None:
    for visit in visits.values():
        await visit.sees(len(visits), PATIENCE_S)
    slots = {name: await visit.slot_of(name) for name, visit in visits.items()}
    for name, visit in visits.items():
        for other, slot in slots.items():
            if other != name:
                await visit.receives(slot, PATIENCE_S)


@pytest.mark.alone
async def test_five_and_a_sixth(begin: Begin, own_server: ServerProcess) -> None:
    link = own_server.link(ROOM)
    visits = {name: await enter(begin, link, name) for name in ("Ada", "Ben", "Cleo", "Dan", "Eve")}
    await everyone_decodes_everyone(visits)
    words = {await visit.safety_words() for visit in visits.values()}
    assert len(words) == 1
    assert len(next(iter(words)).split()) == 6

    visits["Fay"] = await enter(begin, link, "Fay")
    await everyone_decodes_everyone(visits)
    after = {await visit.safety_words() for visit in visits.values()}
    assert len(after) == 1
    assert after != words
    for visit in visits.values():
        counts = await visit.frames()
        assert counts["sealed"] > 0
        assert counts["dropped"]["forged"] == 0
        assert counts["dropped"]["wrong_sender"] == 0
        assert await visit.page.get_by_test_id("encryption-warning").count() == 0


async def test_who_left_cannot_open_what_is_said_after(begin: Begin, link: str) -> None:
    ada = await enter(begin, link, "Ada")
    ben = await enter(begin, link, "Ben")
    leaver = await enter(begin, link, "Lea")
    epoch = max([await visit.secured() for visit in (ada, ben, leaver)])
    had: list[Any] = await leaver.page.evaluate("() => window.toldWorkers.map((k) => k.epoch)")
    await leaver.page.get_by_role("button", name="Leave").click()
    for visit in (ada, ben):
        await visit.secured(epoch + 1)
    # its page still has the worker, but was never told the key of the epoch after its leaving
    await asyncio.sleep(1)
    now: list[Any] = await leaver.page.evaluate("() => window.toldWorkers.map((k) => k.epoch)")
    assert now == had
    assert epoch + 1 not in now
    sealed: list[Any] = await ada.page.evaluate(
        "() => window.toldWorkers.map((k) => [k.epoch, Array.from(k.baseKey).join()])"
    )
    theirs: list[Any] = await leaver.page.evaluate(
        "() => window.toldWorkers.map((k) => Array.from(k.baseKey).join())"
    )
    [latest] = [key for number, key in sealed if number == epoch + 1]
    assert latest not in theirs
    await ada.receives(await ada.slot_of("Ben"), PATIENCE_S)


async def test_reload_keeps_id_and_place_and_needs_no_trust(begin: Begin, link: str) -> None:
    ada = await enter(begin, link, "Ada")
    ben = await enter(begin, link, "Ben")
    await ada.sees(2)
    tile = ada.tile("Ben")
    before = await tile.get_attribute("data-participant"), await tile.get_attribute("data-slot")
    await ben.page.reload()
    await ben.enter("Ben")
    await ben.receives(await ben.slot_of("Ada"), PATIENCE_S)
    await ada.receives(await ada.slot_of("Ben"), PATIENCE_S)
    after = await tile.get_attribute("data-participant"), await tile.get_attribute("data-slot")
    assert after == before
    assert await ada.safety_words() == await ben.safety_words()
    assert await ada.page.get_by_test_id("encryption-warning").count() == 0


async def test_back_after_a_lost_network_with_the_same_keys(begin: Begin, link: str) -> None:
    ada = await enter(begin, link, "Ada")
    ben = await enter(begin, link, "Ben")
    await ada.sees(2)
    epoch = await ben.secured(await ada.secured())
    await ben.context.set_offline(True)
    await ben.page.get_by_test_id("reconnecting").wait_for(timeout=30_000)
    cleo = await enter(begin, link, "Cleo")  # a commit that Ben does not hear of
    await cleo.secured(epoch + 1)
    await ben.context.set_offline(False)
    await ben.sees(3, PATIENCE_S)
    await ben.secured(epoch + 1)
    await ben.receives(await ben.slot_of("Cleo"), PATIENCE_S)
    await cleo.receives(await cleo.slot_of("Ben"), PATIENCE_S)


async def test_new_group_after_a_restart_of_the_server(
    begin: Begin, own_server: ServerProcess
) -> None:
    link = own_server.link(ROOM)
    ada = await enter(begin, link, "Ada")
    ben = await enter(begin, link, "Ben")
    await ada.sees(2)
    words = await ada.safety_words()
    await own_server.stop()
    await own_server.start()
    await ada.receives(await ada.slot_of("Ben"), 60)
    await ben.receives(await ben.slot_of("Ada"), 60)

    async def same_and_new() -> bool:
        now = await ada.safety_words()
        return now != words and now == await ben.safety_words()

    await until(same_and_new, "both to have the new group's words", PATIENCE_S)
