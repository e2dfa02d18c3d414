from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from server.api import routes_audit
from server.api.app import utc_now
from server.api.routes import PREFIX
from server.audit.export import latest
from server.audit.record import AuditEvent
from server.storage.models import Account, BreakGlassGrant
from tests.api.place import Place, place
from tests.storage import rows

REASON = {"reason": "She does not answer, and her facilitator cannot be reached."}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, routes_audit.ROUTES) as opened:
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


async def test_in_an_emergency_an_administrator_sees_how_to_reach_people(here: Place) -> None:
    group = await here.group()
    administrator = await here.person(is_administrator=True)
    member = await here.person(member_of={group: "participant"})
    await here.person(member_of={group: "participant"}, removed=True)
    async with here.storage.snapshot() as session:
        account = await session.get_one(Account, member.account_id)
    await rows.add(here.storage, rows.confirmation(here.keyring, account, group))
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
    assert found["contacts"]["legal_name"] == "Ada Lovelace"
    assert found["confirmed"]["location"] == "12 Elm Street"

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
