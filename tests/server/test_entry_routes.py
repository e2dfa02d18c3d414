"""Who gets a way in, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.admission import Entrant
from server.api import routes_entry, routes_groups
from server.api.app import add_api
from server.api.routes import Services
from server.api.routes_entry import ENTRY_TOKENS
from server.entrance import EntryTokens, session_room
from server.groups.persons import Person
from server.settings import Settings
from server.storage.database import open_storage
from server.storage.ids import new_id
from server.storage.keyring import generate_key_line, parse_keyring
from server.storage.models import Absence
from tests.groups.people import END, SETTINGS, START, World
from tests.groups.test_over_http import KEY, Site
from tests.migrated import put_migrated

SECRET = "s" * 32


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    keyring = parse_keyring(generate_key_line())
    put_migrated(tmp_path)
    async with open_storage(None, tmp_path) as storage:
        made = Site(await World.made(storage, keyring))
        made.now = START
        app = web.Application()
        services = Services(
            storage,
            keyring,
            Settings(data_dir=tmp_path),
            more={ENTRY_TOKENS: EntryTokens(SECRET, lambda: made.now)},
        )
        routes = [*routes_groups.ROUTES, *routes_entry.ROUTES]
        add_api(app, services, routes, made.resolve, https=False, now=lambda: made.now)
        async with TestClient(TestServer(app), cookie_jar=DummyCookieJar()) as client:
            made.client = client
            yield made


async def enters(site: Site, who: str, path: str) -> Entrant:
    """As whom the server knows someone by the token that it gave them."""
    entry = await site.ask(who, "POST", f"{path}/entry")
    assert set(entry) == {"room", "token", "waits"}
    entrant = EntryTokens(SECRET, lambda: site.now).admit(entry["room"], entry["token"]).entrant
    assert entrant is not None
    assert entry["room"] == session_room(SECRET, entrant.group_id, entrant.starts_at)
    assert entry["waits"] == entrant.waits
    return entrant


async def test_a_member_enters_once_signed_and_confirmed(site: Site) -> None:
    world, path = site.world, f"{site.group}/sessions/{KEY}"
    sam = Person(world.accounts["Sam"])
    assert await site.code("Sam", "POST", f"{path}/entry") == "unsigned"
    await world.sign_all(sam)
    assert await site.code("Sam", "POST", f"{path}/entry") == "unconfirmed"
    await world.confirm(sam)
    assert await enters(site, "Sam", path) == Entrant(
        person=sam,
        group_id=world.group,
        starts_at=START,
        closes_at=END + timedelta(minutes=30),
        group_role="participant",
        name="Sam",
        pronouns=None,
        kind="member",
        key=(await world.membership("Sam")).id,
        waits=True,
        members_wait=True,
        formats=("circle", "open"),
    )
    site.now = START - timedelta(hours=1)
    assert await site.code("Sam", "POST", f"{path}/entry") == "not_open"
    refused = [row.outcome for row in await world.audited("session.entered")]
    assert refused == ["refused"] * 3


async def test_a_facilitator_does_not_wait_and_strangers_get_nothing(site: Site) -> None:
    world, path = site.world, f"{site.group}/sessions/{KEY}"
    await world.sign_all(Person(world.accounts["Fay"]))
    fay = await enters(site, "Fay", path)
    assert (fay.role, fay.waits) == ("facilitator", False)
    await world.account("Stranger")
    assert await site.code("Stranger", "POST", f"{path}/entry") == "no_such_group"
    assert await site.code("Admin", "POST", f"{path}/entry") == "no_such_group"
    assert await site.code(None, "POST", f"{path}/entry") == "signed_out"
    no_session = f"{site.group}/sessions/20270105T230100Z/entry"
    assert await site.code("Fay", "POST", no_session) == "no_session"


async def test_a_guest_enters_by_their_own_cookie(site: Site) -> None:
    world = site.world
    await world.change(guests_allowed=True, opens_without_facilitator=True)
    links = f"{site.group}/sessions/{KEY}/guest-links"
    link = await site.ask("Fay", "POST", links, status=201)
    come = {"token": link["token"], "display_name": "Gil", "pronouns": "they/them"}
    await site.ask(None, "POST", "/guest", come, 201)
    assert site.cookie is not None
    cookie = site.cookie.value
    assert await site.code(cookie, "POST", "/guest/entry") == "unsigned"
    assert await site.code(None, "POST", "/guest/entry") == "signed_out"
    assert await site.code("Sam", "POST", "/guest/entry") == "signed_out"
    people = (await site.ask("Fay", "GET", f"{site.group}/sessions/{KEY}/people"))["people"]
    gil = Person(guest_id=next(one["person"] for one in people if one["kind"] == "guest"))
    await world.sign_all(gil)
    await world.confirm(gil)
    entrant = await enters(site, cookie, "/guest")
    assert (entrant.person, entrant.name, entrant.pronouns) == (gil, "Gil", "they/them")
    # Those whom the group does not know wait in any case.
    assert (entrant.kind, entrant.waits) == ("guest", True)


async def test_who_makes_up_a_session_enters_that_one_alone(site: Site) -> None:
    world = site.world
    other = await world.new_group("Olu", replace(SETTINGS, name="Other", make_ups_allowed=True))
    next_week = START + timedelta(days=7)
    absence = new_id()
    async with world.storage.transaction() as session:
        session.add(
            Absence(
                id=absence,
                group_id=world.group,
                session_starts_at=START,
                account_id=world.accounts["Sam"],
                created_at=START,
                make_up_group_id=other,
                make_up_starts_at=next_week,
            )
        )
    sam = Person(world.accounts["Sam"])
    site.now = next_week
    await world.sign_all(sam, group=other)
    await world.confirm(sam, next_week, next_week, other)
    entrant = await enters(site, "Sam", f"/make-ups/{absence}")
    assert (entrant.group_id, entrant.starts_at, entrant.kind) == (other, next_week, "make_up")
    assert entrant.waits
    assert await site.code("Kim", "POST", f"/make-ups/{absence}/entry") == "not_found"
    there = f"/groups/{other}/sessions/20270112T230000Z/entry"
    assert await site.code("Sam", "POST", there) == "no_such_group"
