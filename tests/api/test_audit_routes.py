from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from server.api import routes_audit
from server.api.app import utc_now
from server.api.routes import PREFIX
from server.audit.export import latest
from server.audit.record import AuditEvent
from server.settings import Settings
from server.storage.models import Account, BreakGlassGrant, EntryConfirmation, Membership
from tests.api.place import Person, Place, place
from tests.storage import rows
from tests.storage.conftest import Databases

REASON = {"reason": "She does not answer, and her facilitator cannot be reached."}


@pytest.fixture
async def here(kind: str, databases: Databases, tmp_path: Path) -> AsyncIterator[Place]:
    url = databases.migrated(kind)
    async with place(tmp_path, routes_audit.ROUTES, database_url=url) as opened:
        yield opened


async def test_facilitators_see_what_is_on_record_of_their_group_alone(here: Place) -> None:
    group, other = await here.group(), await here.group()
    facilitator = await here.person(member_of={group: "facilitator"})
    await rows.add(
        here.storage,
        events=[
            rows.event("member.admitted", group_id=group),
            rows.event("member.admitted", group_id=other),
            rows.event("member.muted", group_id=group, detail={"minutes": 3}),
        ],
    )
    async with here.ask("GET", f"{PREFIX}/groups/{group}/audit?limit=2", facilitator) as response:
        events = (await response.json())["events"]
    assert [event["action"] for event in events] == ["member.muted", "member.admitted"]
    assert events[0]["detail"] == {"minutes": 3}
    before = events[-1]["sequence"]
    path = f"{PREFIX}/groups/{group}/audit?before={before}"
    async with here.ask("GET", path, facilitator) as response:
        older = (await response.json())["events"]
    assert all(event["group"] == group and event["sequence"] < before for event in older)


async def test_a_groups_record_tells_whom_its_ids_mean_by_chosen_names(here: Place) -> None:
    group, other = await here.group(), await here.group()
    facilitator = await here.person(member_of={group: "facilitator", other: "facilitator"})
    former = await here.person(member_of={group: "participant"}, removed=True)
    stranger = await here.person(member_of={other: "participant"})
    await rows.add(
        here.storage,
        events=[
            rows.event(actor=actor, subject=former.memberships[group], group_id=group)
            for actor in (facilitator.account_id, stranger.account_id, "system")
        ],
    )
    async with here.ask("GET", f"{PREFIX}/groups/{group}/audit", facilitator) as response:
        shown = await response.json()
    async with here.storage.snapshot() as session:
        rows_of_both = (await session.scalars(select(Membership))).all()
    names = {each.id: each.display_name for each in rows_of_both}
    assert shown["people"] == {
        facilitator.account_id: names[facilitator.memberships[group]],
        former.memberships[group]: names[former.memberships[group]],
    }
    assert shown["administrators"] == []


async def test_administrators_see_all_and_take_it_with_them(here: Place) -> None:
    group = await here.group()
    administrator = await here.person(is_administrator=True)
    await rows.add(here.storage, events=[AuditEvent(actor="a", action="a.b", group_id=group)])
    async with here.ask("GET", f"{PREFIX}/audit?group={group}", administrator) as response:
        assert {event["group"] for event in (await response.json())["events"]} == {group}
    async with here.ask("GET", f"{PREFIX}/audit/export", administrator) as response:
        assert response.headers["Content-Disposition"].startswith('attachment; filename="audit-')
        exported = [json.loads(line) for line in (await response.text()).splitlines()]
    assert exported[-1]["action"] == "audit.exported"
    assert exported[-1]["actor"] == administrator.account_id
    assert [event["sequence"] for event in exported] == list(range(1, len(exported) + 1))
    async with here.ask("GET", f"{PREFIX}/audit/verification", administrator) as response:
        assert (await response.json())["ok"] is True


async def test_people_can_see_how_long_what_is_kept(here: Place) -> None:
    async with here.ask("GET", f"{PREFIX}/retention") as response:
        periods = {each["name"]: each for each in (await response.json())["periods"]}
    assert periods["entry_confirmation_hours"]["value"] == 24
    assert all(each["description"] for each in periods.values())


async def test_the_periods_shown_are_the_operators(tmp_path: Path) -> None:
    settings = Settings(retention_audit_days=4_000)
    async with (
        place(tmp_path, routes_audit.ROUTES, settings=settings) as here,
        here.ask("GET", f"{PREFIX}/retention") as response,
    ):
        periods = (await response.json())["periods"]
    assert {each["name"]: each["value"] for each in periods}["audit_days"] == 4_000


async def test_in_an_emergency_an_administrator_sees_how_to_reach_people(here: Place) -> None:
    group = await here.group()
    administrator = await here.person(is_administrator=True)
    member = await here.person(member_of={group: "participant"})
    await here.person(member_of={group: "participant"}, removed=True)
    async with here.storage.snapshot() as session:
        account = await session.get_one(Account, member.account_id)
    confirmed = rows.confirmation(here.keyring, account, group)
    confirmed.expires_at = utc_now() + timedelta(hours=1)
    await rows.add(here.storage, confirmed)
    people = f"{PREFIX}/groups/{group}/break-glass/people"
    grant = f"{PREFIX}/groups/{group}/break-glass"

    assert await here.code("GET", people, administrator) == (403, "no_grant")
    for reason in ("", "urgent", " " * 30):
        answer = await here.code("POST", grant, administrator, json={"reason": reason})
        assert answer == (400, "invalid")
    assert (await here.code("POST", grant, administrator, json=REASON))[0] == 201
    async with here.ask("GET", people, administrator) as response:
        (found,) = (await response.json())["people"]
    assert found["membership"] == member.memberships[group]
    assert found["legal_name"] == "Ada Lovelace"
    told = ("location", "phone", "contact_name", "contact_phone")
    assert [found["confirmed"][key] for key in told] == [
        "12 Elm Street",
        "555 0100",
        "Byron",
        "555 0101",
    ]

    # Of another group, or by another administrator, nothing is seen.
    elsewhere = f"{PREFIX}/groups/{await here.group()}/break-glass/people"
    assert await here.code("GET", elsewhere, administrator) == (403, "no_grant")
    another = await here.person(is_administrator=True)
    assert await here.code("GET", people, another) == (403, "no_grant")

    # The group's facilitators see who looked at what, but nothing of it.
    events = await latest(here.storage, group_id=group)
    viewed = [row for row in events if row.action == "sealed.viewed"]
    assert {json.loads(row.detail)["table"] for row in viewed} == {
        "accounts",
        "entry_confirmations",
    }
    assert all(row.actor == administrator.account_id for row in viewed)
    assert all("break_glass" in json.loads(row.detail) for row in viewed)
    assert any(row.action == "break_glass.granted" for row in events)
    assert "does not answer" not in "".join(row.detail for row in events)
    facilitator = await here.person(member_of={group: "facilitator"})
    async with here.ask("GET", f"{PREFIX}/groups/{group}/audit", facilitator) as response:
        shown = await response.json()
    assert shown["administrators"] == [administrator.account_id]
    # What someone confirmed is named by whom it is of.
    named = {shown["people"].get(event["subject"]) for event in shown["events"]}
    assert {confirmed.id, member.account_id} <= shown["people"].keys()
    assert len(named - {None}) == 1

    # What retention is about to delete is gone already.
    async with here.storage.transaction() as session:
        await session.execute(update(EntryConfirmation).values(expires_at=utc_now()))
    async with here.ask("GET", people, administrator) as response:
        seen = (await response.json())["people"]
    assert [each["confirmed"] for each in seen] == [None, None]


async def test_whoever_has_emergency_access_sees_so_and_can_end_it(here: Place) -> None:
    group = await here.group()
    one, other = [await here.person(is_administrator=True) for _ in range(2)]
    path = f"{PREFIX}/groups/{group}/break-glass"

    async def left(person: Person) -> int | None:
        async with here.ask("GET", path, person) as response:
            answer = await response.json()
        assert answer["group_name"] == "Tuesday circle"
        seconds: int | None = answer["seconds_left"]
        return seconds

    assert await left(one) is None
    for person in (one, other):
        assert (await here.code("POST", path, person, json=REASON))[0] == 201
        assert 0 < (await left(person) or 0) <= 3_600
    assert await here.code("DELETE", path, one) == (204, None)
    assert await left(one) is None
    assert await here.code("GET", f"{path}/people", one) == (403, "no_grant")
    assert await left(other) is not None
    assert await here.code("DELETE", path, one) == (204, None)
    ended = [row for row in await latest(here.storage) if row.action == "break_glass.ended"]
    assert [(row.actor, row.group_id) for row in ended] == [(one.account_id, group)]
    assert (await here.code("GET", f"{PREFIX}/groups/nothing/break-glass", one))[0] == 404


async def test_emergency_access_ends(here: Place) -> None:
    group = await here.group()
    administrator = await here.person(is_administrator=True)
    path = f"{PREFIX}/groups/{group}/break-glass"
    assert (await here.code("POST", path, administrator, json=REASON))[0] == 201
    assert (await here.code("GET", f"{path}/people", administrator))[0] == 200
    async with here.storage.transaction() as session:
        ended = utc_now() - timedelta(seconds=1)
        await session.execute(update(BreakGlassGrant).values(expires_at=ended))
    assert await here.code("GET", f"{path}/people", administrator) == (403, "no_grant")
    made_up = f"{PREFIX}/groups/nothing/break-glass"
    answer = await here.code("POST", made_up, administrator, json=REASON)
    assert answer == (404, "no_such_group")


async def test_the_description_can_be_read_by_programs_and_people(here: Place) -> None:
    async with here.ask("GET", f"{PREFIX}/openapi.json") as response:
        assert response.content_type == "application/json"
        description = await response.json()
    assert description["openapi"] == "3.1.0"
    operation = description["paths"][f"{PREFIX}/groups/{{group}}/break-glass"]["post"]
    assert operation["x-access"] == "administrator"
    assert operation["x-step-up"] is True
    assert operation["responses"].keys() == {"201", "4XX", "503"}
    assert [each["name"] for each in operation["parameters"]] == ["group"]
    query = description["paths"][f"{PREFIX}/audit"]["get"]["parameters"]
    assert {each["name"]: each["in"] for each in query} == dict.fromkeys(
        ("before", "limit", "group"), "query"
    )
    async with here.ask("GET", "/api/docs") as response:
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        page = await response.text()
    assert "<script" not in page
    assert "style=" not in page
    assert "GET /api/v1/retention" in page
    async with here.ask("GET", "/api/docs.css") as response:
        assert response.content_type == "text/css"
