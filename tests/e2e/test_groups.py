"""A clinic from nothing: accounts with passkeys, a group, agreements, the waiting room, a session.

The server runs in this process, and browsers reach it as localhost, where passkeys may be used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import select

from server.accounts.invitations import create_first_administrator
from server.accounts.links import Site
from server.api.routes_entry import ENTRY_TOKENS
from server.app import SERVICES, RunningServer, running
from server.audit.anchor import Anchor
from server.audit.verify import verify
from server.entrance import EntryTokens
from server.groups.persons import Person as PersonId
from server.storage.models import AuditRow
from signaling.messages import PROTOCOL_VERSION
from tests.e2e.clinic import PATIENCE_MS, Person
from tests.loopback import on_loopback
from tests.page import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUP = "Tuesday circle"
KIND_WORDS = "We are full today, Dan. Fay calls you this evening."

Arrive = Callable[[str], Awaitable[Person]]


@pytest_asyncio.fixture(loop_scope="session")
async def clinic(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = on_loopback(tmp_path, host="localhost")
    async with running(settings) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def arrive(browser: Browser) -> AsyncIterator[Arrive]:
    """Someone comes, with a computer of their own; all leave after the test."""
    people: list[Person] = []

    async def new_person(name: str) -> Person:
        person = await Person.arrive(await browser.new_context(), name)
        people.append(person)
        return person

    yield new_person
    for person in people:
        await person.close()  # once more does no harm


async def set_up(server: RunningServer, arrive: Arrive) -> str:
    """An administrator invites the first facilitator; gives the link for them."""
    token = await create_first_administrator(server.app[SERVICES].storage, datetime.now(UTC))
    admin = await arrive("Ada")
    await admin.make_account(Site(server.url).invitation(token))
    link = await admin.invite_facilitator()
    await admin.close()
    return link


async def plan(fay: Person, invitation: str) -> tuple[str, list[str]]:
    """The facilitator makes and plans the group; gives its id and five invitations."""
    await fay.make_account(invitation)
    await fay.page.get_by_test_id("my-groups").wait_for()
    await fay.sign_in_again()
    group = await fay.make_first_group(GROUP)
    await fay.plan_session(timedelta(minutes=3))
    return group, await fay.invite_people(5)


async def join(person: Person, invitation: str) -> None:
    await person.make_account(invitation)
    await person.page.get_by_test_id("my-groups").wait_for()


async def prepare(person: Person, invitation: str) -> None:
    """Someone invited makes their account, signs, says where they are, and waits."""
    await join(person, invitation)
    await person.open_session()
    assert await person.sign_everything() == 3  # and the consent to care by video
    await person.confirm_place()
    await person.wait_at_the_door()


async def receives_everyone(person: Person, slots: dict[str, int]) -> None:
    for name, slot in slots.items():
        if name != person.name:
            await person.receives(slot, PATIENCE_MS / 1000)


async def meet(people: list[Person]) -> None:
    """All are in one encrypted group, and everyone hears and sees everyone."""
    for person in people:
        await person.is_in_the_room()
    for person in people:
        await person.sees(len(people), PATIENCE_MS / 1000)
    epoch = max([await person.secured() for person in people])
    for person in people:
        await person.secured(epoch)
    slots = {person.name: await person.slot_of(person.name) for person in people}
    assert len(set(await asyncio.gather(*(person.safety_words() for person in people)))) == 1
    await asyncio.gather(*(receives_everyone(person, slots) for person in people))


async def guide(fay: Person, quiet: Person, others: list[Person]) -> None:
    """The facilitator mutes someone, who alone is told, and lets them be heard again."""
    await fay.row(quiet.name).get_by_role("button", name="Mute", exact=True).click()
    muted = quiet.page.get_by_test_id("own-muted")
    await muted.wait_for()
    for other in others:
        assert await other.page.get_by_test_id("own-muted").count() == 0
    await fay.row(quiet.name).get_by_role("button", name="Unmute").click()
    await muted.wait_for(state="detached")


async def refused_socket(server: RunningServer, room: str, token: str) -> str:
    """The code with which a socket is refused."""
    page = Page()
    hello = {"protocol": PROTOCOL_VERSION, "room": room, "token": token}
    with pytest.raises(ConnectionError) as refused:
        await page.open(server.url, hello)
    code = refused.value.args[0]["data"]["code"]
    assert isinstance(code, str)
    return code


async def cannot_enter_unsigned(
    server: RunningServer, eli: Person, address: str, entry: dict[str, str]
) -> None:
    """By page, by API, by Socket.IO; `entry` is someone else's way in."""
    # The page shows what is missing, and no way in, even after all else is done.
    await eli.open_session(address)
    await eli.confirm_place()
    await eli.page.get_by_text("a few things are left to do here").wait_for()
    assert await eli.to_sign.count() > 0
    assert await eli.page.get_by_test_id("go-in").count() == 0

    session = address.partition("/groups")[2]
    status, answer = await eli.call_api("POST", f"/groups{session}/entry")
    assert (status, answer["error"]["code"]) == (403, "unsigned")

    # Even who learns the name of the room has no token for it: not by a link, not forged.
    room = entry["room"]
    for role in ("participant", "facilitator"):
        link = server.links.to(room, role).partition("#")[2]
        assert await refused_socket(server, room, link) == "bad_token"
    entries = server.app[SERVICES].more[ENTRY_TOKENS]
    assert isinstance(entries, EntryTokens)
    theirs = entries.admit(room, entry["token"]).entrant
    assert theirs is not None
    _, me = await eli.call_api("GET", "/me")
    eli_there = replace(theirs, person=PersonId(me["id"]), name=eli.name, waits=False)
    forged = EntryTokens("someone else's secret, 32 characters").issue(eli_there)
    assert await refused_socket(server, room, forged) == "bad_token"

    # And if the server itself had once made one, it asks again at the door.
    page = Page()
    hello = {"protocol": PROTOCOL_VERSION, "room": room, "token": entries.issue(eli_there)}
    await page.open(server.url, hello)
    assert (await page.ask("knock", {"mls_id": "A" * 22}))["error"]["code"] == "may_not_enter"
    join = await page.introduction(eli.name)
    assert (await page.ask("join", join))["error"]["code"] == "may_not_enter"
    await page.close()

    # It was the signatures alone that were missing.
    await eli.sign_everything()
    await eli.page.get_by_test_id("go-in").wait_for()
    await eli.close()


async def cannot_come_back(ben: Person, address: str) -> None:
    assert await (await ben.is_told("kept_out")).get_by_role("button").count() == 0
    await ben.open_session(address)
    await ben.page.get_by_test_id("session").get_by_role("alert").first.wait_for()
    assert await ben.page.get_by_test_id("go-in").count() == 0
    status, answer = await ben.call_api("POST", f"/groups{address.partition('/groups')[2]}/entry")
    assert (status, answer["error"]["code"]) == (403, "banned")


async def test_a_clinic_from_nothing(clinic: RunningServer, arrive: Arrive) -> None:
    fay = await arrive("Fay")
    group, invitations = await plan(fay, await set_up(clinic, arrive))
    address = await fay.open_session()
    assert f"/groups/{group}/sessions/" in address
    assert await fay.sign_everything() == 2  # the group's own: guidelines and confidentiality

    names = ("Ana", "Ben", "Cleo", "Dan", "Eli")
    ana, ben, cleo, dan, eli = [await arrive(name) for name in names]
    await asyncio.gather(
        *(
            prepare(person, invitation)
            for person, invitation in zip((ana, ben, cleo, dan), invitations[:4], strict=True)
        ),
        join(eli, invitations[4]),
    )

    await fay.go_in()
    await fay.is_in_the_room()
    await expect(fay.page.get_by_test_id("waiting-person")).to_have_count(4, timeout=PATIENCE_MS)
    for person in (ana, ben, cleo):
        waiting = fay.waiting(person.name)
        await expect(waiting).to_contain_text("agreements signed")
        await expect(waiting).to_contain_text("place and emergency contact given")
        await fay.admit(person.name)
    await fay.turn_away(dan.name, KIND_WORDS)
    await expect(await dan.is_told("turned_away")).to_contain_text(KIND_WORDS)
    await dan.close()

    await meet([fay, ana, ben, cleo])
    # Four pictures in each of four pages are much for few cores, and were seen by now.
    await asyncio.gather(
        *(person.button("Turn camera off").click() for person in (fay, ana, ben, cleo))
    )
    await fay.open_console()
    await guide(fay, cleo, [ana, ben])
    assert await fay.look_up_place(cleo.name) == "12 Quiet Lane, Exampleton"

    session = address.partition("/groups")[2]
    status, entry = await ana.call_api("POST", f"/groups{session}/entry")
    assert status == 200
    await cannot_enter_unsigned(clinic, eli, address, entry)

    await fay.keep_out(ben.name)
    await cannot_come_back(ben, address)
    for person in (fay, ana, cleo):
        await person.sees(3, PATIENCE_MS / 1000)

    await fay.button("Leave").click()
    await fay.page.goto(f"{clinic.url}/groups/{group}")
    attendance = await fay.look_at_attendance()
    there = {name for name, status in attendance.items() if status == "Was there"}
    assert there == {"Fay", "Ana", "Ben", "Cleo"}
    assert {"Dan", "Eli"} <= attendance.keys()

    services = clinic.app[SERVICES]
    assert isinstance(services.anchor, Anchor)
    audit = await verify(services.storage, services.anchor)
    assert audit.findings == []
    assert audit.events > 50
    async with services.storage.snapshot() as database:
        moderated = select(AuditRow.action).where(AuditRow.action.like("moderation.%"))
        actions = set((await database.scalars(moderated)).all())
    assert {"moderation.muted", "moderation.unmuted"} <= actions
    for person in (fay, ana, ben, cleo, dan, eli):
        # What the API refuses is on the console too.
        refusals = "Failed to load resource"
        assert [text for text in person.complaints if not text.startswith(refusals)] == []
