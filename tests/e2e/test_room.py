"""Three people meet: see and hear each other, leave and come back."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from tests.e2e.conftest import Begin
from tests.e2e.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("Ada", "Ben", "Cleo")


async def meet(begin: Begin, link: str) -> dict[str, Visit]:
    """Let all three join, and wait until each receives the two others."""
    visits = {name: await begin() for name in NAMES}
    for name, visit in visits.items():
        await visit.join(link, name)
    for visit in visits.values():
        await visit.sees(3)
    await everyone_receives_everyone(visits)
    return visits


async def everyone_receives_everyone(visits: dict[str, Visit]) -> None:
    any_visit = next(iter(visits.values()))
    slots = {name: await any_visit.slot_of(name) for name in visits}
    assert sorted(slots.values()) == list(range(len(visits)))
    await asyncio.gather(
        *(visits[sink].receives(slots[source]) for sink, source in permutations(visits, 2))
    )


async def test_three_people_see_and_hear_each_other(begin: Begin, link: str) -> None:
    visits = await meet(begin, link)
    own = await visits["Ada"].slot_of("Ada")
    inbound = await visits["Ada"].inbound()
    assert f"a{own:x}" not in inbound or inbound[f"a{own:x}"].packets == 0
    assert all(not visit.complaints for visit in visits.values()), [
        visit.complaints for visit in visits.values()
    ]


async def test_one_leaves_and_comes_back(begin: Begin, link: str) -> None:
    visits = await meet(begin, link)
    await visits["Ben"].page.get_by_role("button", name="Leave").click()
    await visits["Ben"].page.get_by_test_id("room").wait_for(state="detached")
    for name in ("Ada", "Cleo"):
        await visits[name].tile("Ben").wait_for(state="detached")
        await visits[name].sees(2)

    await visits["Ben"].page.get_by_role("button", name="Join again").click()
    again = visits["Ben"].page.get_by_test_id("room")
    lobby = visits["Ben"].page.get_by_label("How would you like to be called?")
    await again.or_(lobby).wait_for()
    if await lobby.count():
        await visits["Ben"].enter("Ben")
    for visit in visits.values():
        await visit.sees(3)
    await everyone_receives_everyone(visits)


async def test_no_request_leaves_the_server(begin: Begin, link: str) -> None:
    visits = await meet(begin, link)
    for visit in visits.values():
        for url in visit.requests:
            assert url.startswith((link.split("/room/")[0], "data:", "blob:", "ws://127.0.0.1")), (
                url
            )
