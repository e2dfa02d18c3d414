"""The routes, served as they are: what participants can and cannot get to see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from icalendar import Calendar
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.signed_in import SignedIn
from server.api.app import add_api
from server.api.routes import PREFIX, Services
from server.api.routes_groups import ROUTES
from server.groups import attendance
from server.groups.act import Act
from server.groups.persons import Person
from server.settings import Settings
from server.storage.models import EntryConfirmation
from tests.groups.people import END, NOW, SETTINGS, START, World

KEY = "20270105T230000Z"
KEPT_HOURS = 30
SECRETS = ("Secretname", "private.example", "7777777", "Elm Street", "Byron", "555")
CONFIRMATION = {
    "location": "12 Elm Street",
    "phone": "555 0100",
    "contact_name": "Byron",
    "contact_phone": "555 0101",
    "is_private": True,
}


class Site:
    """The API on loopback; the cookie of someone is their name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = NOW
        self.client: TestClient[Any, Any]

    async def resolve(
        self,
        session: AsyncSession,  # noqa: ARG002 - given by place
        token: str,
        now: datetime,
    ) -> SignedIn | None:
        """Logging in is tested with the accounts."""
        account = self.world.accounts.get(token)
        if account is None:
            return None
        return SignedIn(account, account == self.world.admin, f"session-of-{token}", now)

    async def ask(
        self, who: str | None, method: str, path: str, body: object = None, status: int = 200
    ) -> Any:
        headers = {"Sec-Fetch-Site": "same-origin"}
        if who is not None:
            headers["Cookie"] = f"holdspace={who}"
        url = path if path.startswith("/api/") else PREFIX + path
        async with self.client.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            assert response.status == status, (path, response.status, text)
            self.cookie = response.cookies.get("holdspace")
            return json.loads(text) if response.content_type == "application/json" else text

    async def code(self, who: str | None, method: str, path: str, body: object = None) -> str:
        headers = {"Sec-Fetch-Site": "same-origin"}
        if who is not None:
            headers["Cookie"] = f"holdspace={who}"
        async with self.client.request(
            method, PREFIX + path, json=body, headers=headers
        ) as response:
            return str((await response.json())["error"]["code"])

    @property
    def group(self) -> str:
        return f"/groups/{self.world.group}"


@pytest.fixture
async def site(either_world: World, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(either_world)
    app = web.Application()
    services = Services(
        either_world.storage,
        either_world.keyring,
        Settings(data_dir=tmp_path, retention_entry_confirmation_hours=KEPT_HOURS),
    )
    add_api(app, services, ROUTES, made.resolve, https=False, now=lambda: made.now)
    async with TestClient(TestServer(app), cookie_jar=DummyCookieJar()) as client:
        made.client = client
        yield made


async def _sign_all(site: Site, who: str, base: str) -> None:
    for text in (await site.ask(who, "GET", f"{base}/documents"))["documents"]:
        if text["must_sign"]:
            await site.ask(
                who,
                "POST",
                f"{base}/documents/{text['kind']}/signature",
                {
                    "version": text["version"],
                    "hash": text["hash"],
                    "typed_name": f"{who} Secretname",
                },
                204,
            )


async def test_nothing_of_others_reaches_a_participant(site: Site) -> None:
    """Every GET of the API, as a participant, after everything private was entered."""
    world = site.world
    await world.change(guests_allowed=True, make_ups_allowed=True)
    for who in ("Sam", "Kim", "Fay"):
        await _sign_all(site, who, site.group)
    site.now = START
    for who in ("Sam", "Kim"):
        await site.ask(who, "PUT", f"{site.group}/sessions/{KEY}/confirmation", CONFIRMATION, 204)
    await site.ask("Kim", "PUT", f"{site.group}/sessions/{KEY}/absence", {"note": "555 Byron"}, 204)
    kim = (await world.membership("Kim")).id
    seen = 0
    for route in ROUTES:
        if route.method != "GET":
            continue
        path = route.path.format(
            group=world.group, session=KEY, membership=kim, person=kim, absence="x", token="x" * 43
        )
        if route.query is not None and "since" in route.query.model_fields:
            path += "?since=2027-01-01T00:00:00Z&until=2027-02-01T00:00:00Z&legal_names=true"
        headers = {"Cookie": "holdspace=Sam"}
        async with site.client.get(path, headers=headers) as response:
            text = await response.text()
        if response.status == 200:
            seen += 1
        else:
            assert response.status in (401, 403, 404), (path, text)
        for secret in (*SECRETS, *world.accounts.values()):
            assert secret not in text, (path, secret)
    assert seen >= 10
    # The facilitator does see it.
    contacts = await site.ask("Fay", "GET", f"{site.group}/members/{kim}/contacts")
    assert contacts["legal_name"] == "Legal Kim Secretname"
    opened = await site.ask("Fay", "GET", f"{site.group}/sessions/{KEY}/confirmations/{kim}")
    assert (opened["location"], opened["contact_name"]) == ("12 Elm Street", "Byron")
    (absence,) = (await site.ask("Fay", "GET", f"{site.group}/sessions/{KEY}/absences"))["absences"]
    assert absence["note"] == "555 Byron"
    assert {row.actor for row in await world.audited("sealed.viewed")} == {world.accounts["Fay"]}


async def test_a_counselor_sees_confirmations_only_while_in_the_session(site: Site) -> None:
    world = site.world
    await world.join("Cas", "counselor")
    await world.ready("Sam")
    site.now = START
    sam = (await world.membership("Sam")).id
    path = f"{site.group}/sessions/{KEY}/confirmations/{sam}"
    people = f"{site.group}/sessions/{KEY}/people"
    person = Person(world.accounts["Cas"])
    async with world.storage.transaction() as session:
        # One of another week's session does not count.
        last_week = START - timedelta(days=7)
        await attendance.joined(session, Act(person.id, START), world.group, last_week, person)
    for one in (path, people):
        assert await site.code("Cas", "GET", one) == "not_in_session"
    assert await world.audited("sealed.viewed") == []
    async with world.storage.transaction() as session:
        stay = await attendance.joined(session, Act(person.id, START), world.group, START, person)
    opened = await site.ask("Cas", "GET", path)
    assert (opened["phone"], opened["is_private"]) == ("+1 555 0100", True)
    listed = (await site.ask("Cas", "GET", people))["people"]
    assert {one["display_name"]: one["is_confirmed"] for one in listed}["Sam"]
    (view,) = await world.audited("sealed.viewed")
    assert (view.actor, view.group_id) == (person.id, world.group)
    kim = (await world.membership("Kim")).id
    theirs = f"{site.group}/sessions/{KEY}/confirmations/{kim}"
    assert await site.code("Cas", "GET", theirs) == "not_confirmed"
    assert await site.code("Kim", "GET", people) == "not_allowed"
    async with world.storage.transaction() as session:
        await attendance.left(session, Act(person.id, START), stay)
    for one in (path, people):
        assert await site.code("Cas", "GET", one) == "not_in_session"
    await site.ask("Kim", "GET", path, status=403)
    await site.ask("Admin", "GET", path, status=404)
    # Who has just been removed may be the one who needs help.
    ban = {"person": sam, "until": None, "remove": True}
    await site.ask("Fay", "POST", f"{site.group}/bans", ban, 201)
    await site.ask("Fay", "GET", path)
    site.now = START + timedelta(days=3)
    await site.ask("Fay", "GET", path, status=404)  # it is not kept any longer


async def test_from_a_new_group_to_an_open_session(site: Site) -> None:
    settings = {
        "name": "Thursday",
        "purpose": "Grief",
        "formats": ["circle"],
        "capacity": 8,
        "guests_allowed": True,
        "opens_without_facilitator": False,
        "substance_use": True,
        "make_ups_allowed": False,
        "time_zone": "Europe/Berlin",
    }
    new = {"settings": settings, "display_name": "Fay", "pronouns": None}
    assert await site.code("Sam", "POST", "/groups", new) == "not_allowed"
    bad = {**new, "settings": {**settings, "formats": ["karaoke"]}}
    assert await site.code("Fay", "POST", "/groups", bad) == "bad_group"
    group = f"/groups/{(await site.ask('Fay', 'POST', '/groups', new, 201))['id']}"
    plan = {
        "starts_at": "2027-01-07T18:00:00",
        "time_zone": None,
        "recurrence": "FREQ=WEEKLY",
        "duration_minutes": 60,
    }
    await site.ask("Fay", "POST", f"{group}/schedules", plan, 201)
    seen = await site.ask("Fay", "GET", group)
    assert seen["settings"] == settings
    first = (await site.ask("Fay", "GET", f"{group}/sessions"))["sessions"][0]
    assert (first["key"], first["occurrence"]) == ("20270107T170000Z", "20270107T180000")
    page = await site.ask("Fay", "GET", f"{group}/sessions/{first['key']}")
    assert page["refusal"]["code"] == "not_open"
    site.now = datetime.fromisoformat(page["opens_at"])
    page = await site.ask("Fay", "GET", f"{group}/sessions/{first['key']}")
    assert page["refusal"]["unsigned"] == ["guidelines", "confidentiality"]
    await _sign_all(site, "Fay", group)
    page = await site.ask("Fay", "GET", f"{group}/sessions/{first['key']}")
    assert (page["is_open"], page["refusal"]) == (True, None)
    exception = f"{group}/schedules/{first['schedule']}/exceptions/{first['occurrence']}"
    await site.ask("Fay", "PUT", exception, {"moved_to": None}, 204)
    await site.ask("Fay", "GET", f"{group}/sessions/{first['key']}", status=404)
    await site.ask("Fay", "DELETE", exception, status=204)
    await site.ask("Fay", "GET", f"{group}/sessions/{first['key']}")
    await site.ask("Sam", "GET", group, status=404)
    await site.ask("Fay", "POST", f"{group}/close", status=204)
    assert await site.code("Fay", "PUT", group, settings) == "group_closed"


async def test_a_sessions_page_tells_whether_one_waits_and_what_one_has_said(site: Site) -> None:
    path = f"{site.group}/sessions/{KEY}"
    note = {"note": "My sister is ill."}
    await site.ask("Sam", "PUT", f"{path}/absence", note, 204)
    sam, kim, fay = [await site.ask(who, "GET", path) for who in ("Sam", "Kim", "Fay")]
    assert [each["time_zone"] for each in (sam, kim, fay)] == ["America/New_York"] * 3
    assert [each["waits"] for each in (sam, kim, fay)] == [True, True, False]
    assert [each["absence_note"] for each in (sam, kim, fay)] == [note["note"], None, None]
    # One's own words are no look to put on record.
    assert await site.world.audited("sealed.viewed") == []
    await site.world.change(opens_without_facilitator=True)
    assert (await site.ask("Sam", "GET", path))["waits"] is False
    await site.ask("Sam", "PUT", f"{path}/absence", {"note": None}, 204)
    sam = await site.ask("Sam", "GET", path)
    assert (sam["is_absent"], sam["absence_note"]) == (True, None)


async def test_members_roles_and_bans(site: Site) -> None:
    world, group = site.world, site.group
    fay, sam = await world.membership("Fay"), await world.membership("Sam")
    taken = {"display_name": "k\u200diM", "pronouns": None}
    assert await site.code("Sam", "PUT", f"{group}/me", taken) == "name_taken"
    good = {"display_name": "Sasha", "pronouns": "they/them"}
    await site.ask("Sam", "PUT", f"{group}/me", good, 204)
    members = (await site.ask("Kim", "GET", f"{group}/members"))["members"]
    assert {one["display_name"]: one["is_me"] for one in members} == {
        "Fay": False,
        "Sasha": False,
        "Kim": True,
    }
    assert await site.code("Fay", "DELETE", f"{group}/me") == "last_facilitator"
    role = f"{group}/members/{fay.id}/role"
    assert await site.code("Fay", "PUT", role, {"role": "participant"}) == "last_facilitator"
    ban = {"person": sam.id, "until": None, "remove": True}
    made = await site.ask("Fay", "POST", f"{group}/bans", ban, 201)
    await site.ask("Sam", "GET", group, status=404)
    (listed,) = (await site.ask("Fay", "GET", f"{group}/bans"))["bans"]
    assert listed["display_name"] == "Sasha"
    await site.ask("Fay", "DELETE", f"{group}/bans/{made['id']}", status=204)
    listing = await site.ask("Admin", "GET", "/administration/groups")
    assert [(one["members"], one["facilitators"]) for one in listing["groups"]] == [(2, 1)]


async def test_a_guest_from_link_to_session(site: Site) -> None:
    world = site.world
    await world.change(guests_allowed=True)
    links = f"{site.group}/sessions/{KEY}/guest-links"
    link = await site.ask("Fay", "POST", links, status=201)
    opened = await site.ask(None, "POST", "/guest-links/open", {"token": link["token"]})
    assert opened["starts_at"] == "2027-01-05T23:00:00Z"
    come = {"token": link["token"], "display_name": "Gil", "pronouns": None}
    assert await site.code("Sam", "POST", "/guest", come) == "signed_in"
    page = await site.ask(None, "POST", "/guest", come, 201)
    assert page["refusal"]["code"] == "not_open"
    assert site.cookie is not None
    guest = site.cookie.value
    await _sign_all(site, guest, "/guest")
    site.now = START
    await site.ask(guest, "PUT", "/guest/confirmation", CONFIRMATION, 204)
    page = await site.ask(guest, "GET", "/guest")
    assert (page["refusal"], page["waits"]) == (None, True)
    assert page["time_zone"] == "America/New_York"
    assert await site.code(guest, "GET", f"{site.group}/members") == "signed_out"
    people = (await site.ask("Fay", "GET", f"{site.group}/sessions/{KEY}/people"))["people"]
    gil = next(one for one in people if one["kind"] == "guest")
    assert (gil["is_confirmed"], gil["unsigned"]) == (True, [])
    await site.ask("Fay", "GET", f"{site.group}/sessions/{KEY}/confirmations/{gil['person']}")
    await site.ask("Fay", "DELETE", f"{site.group}/guest-links/{link['id']}", status=204)
    assert await site.code(guest, "GET", "/guest") == "not_found"
    assert await site.code(None, "GET", "/guest") == "signed_out"


async def test_making_up_by_http(site: Site) -> None:
    world = site.world
    other = await world.new_group("Olu", replace(SETTINGS, name="Other", make_ups_allowed=True))
    base = f"{site.group}/sessions/{KEY}"
    options = (await site.ask("Sam", "GET", f"{base}/make-ups"))["options"]
    choice = {"group": other, "key": options[1]["key"]}
    absence = (await site.ask("Sam", "PUT", f"{base}/make-up", choice))["absence"]
    mine = (await site.ask("Sam", "GET", "/sessions"))["sessions"]
    assert next(one["is_absent"] for one in mine if one["session"]["group"] == world.group)
    assert absence in [one["absence"] for one in mine]
    await _sign_all(site, "Sam", f"/make-ups/{absence}")
    site.now = START + timedelta(days=7)
    await site.ask("Sam", "PUT", f"/make-ups/{absence}/confirmation", CONFIRMATION, 204)
    assert (await site.ask("Sam", "GET", f"/make-ups/{absence}"))["refusal"] is None
    assert await site.code("Kim", "GET", f"/make-ups/{absence}") == "not_found"


async def test_what_is_confirmed_is_kept_for_as_long_as_the_operator_sets(
    site: Site,
) -> None:
    site.now = START
    path = f"{site.group}/sessions/{KEY}/confirmation"
    await site.ask("Sam", "PUT", path, CONFIRMATION, 204)
    async with site.world.storage.snapshot() as session:
        kept = await session.scalar(select(EntryConfirmation.expires_at))
    assert kept == END + timedelta(hours=KEPT_HOURS)


async def test_the_calendar_and_the_report(site: Site) -> None:
    path = (await site.ask("Sam", "POST", "/calendar", status=201))["path"]
    feed = await site.ask(None, "GET", path)
    assert len(Calendar.from_ical(feed).walk("VEVENT")) > 20
    site.now = START + timedelta(days=1)
    period = "since=2027-01-01T00:00:00Z&until=2027-02-01T00:00:00Z"
    report = await site.ask("Fay", "GET", f"{site.group}/attendance?{period}")
    assert [one["key"] for one in report["sessions"]] == [KEY]
    text = await site.ask("Fay", "GET", f"{site.group}/attendance.csv?{period}&legal_names=true")
    assert "Legal Sam Secretname" in text
    await site.ask("Sam", "GET", f"{site.group}/attendance?{period}", status=403)


async def test_times_at_the_edge_of_the_calendar_are_refused(site: Site) -> None:
    for key in ("00010101T000000Z", "99991231T235959Z", "tomorrow"):
        await site.ask("Sam", "GET", f"{site.group}/sessions/{key}", status=404)
    period = "since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00"
    await site.ask("Fay", "GET", f"{site.group}/attendance?{period}", status=400)
    sam = (await site.world.membership("Sam")).id
    for until in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2027-02-01T00:00:00"):
        ban = {"person": sam, "until": until, "remove": False}
        await site.ask("Fay", "POST", f"{site.group}/bans", ban, status=400)
