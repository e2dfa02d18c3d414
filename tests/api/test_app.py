from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from server.api import app as api_app
from server.api.routes import PREFIX, Access, Call, Model, Rate, Reply, Route
from server.audit.export import latest
from server.refusals import Refused
from server.security import CONTENT_SECURITY_POLICY
from server.storage.errors import StorageBusy
from tests.api.place import Place, place
from tests.storage.conftest import Databases


class Note(Model):
    title: Annotated[str, Field(min_length=1, max_length=20)]
    stars: Annotated[int, Field(ge=1, le=5)] = 1
    tags: Annotated[list[Annotated[str, Field(max_length=5)]], Field(max_length=3)] = Field(
        default_factory=list
    )


class Filter(Model):
    limit: Annotated[int, Field(ge=1, le=9)] = 5
    order: Literal["up", "down"] = "up"


class Told(Model):
    text: str


async def tell(call: Call) -> Told:
    return Told(text=f"{call.body!r} {call.query!r} {sorted(call.path)}")


async def tell_call(call: Call) -> Told:
    return Told(
        text=json.dumps(
            {
                "account": call.account and call.account.id,
                "group": call.group and [call.group.id, call.group.membership_id, call.group.role],
                "address": call.address,
                "device": call.device,
                "https": call.https,
            }
        )
    )


async def nothing(_: Call) -> None:
    return None


async def sign_in(_: Call) -> Reply:
    return Reply(body=Told(text="hello"), session_token="a-token", session_max_age_s=60)


async def sign_out(_: Call) -> Reply:
    return Reply(clear_session=True)


async def calendar(_: Call) -> Reply:
    return Reply(b"BEGIN:VCALENDAR", "text/calendar", {"Content-Disposition": "inline"})


async def lines(_: Call) -> Reply:
    async def each() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number}\n".encode()

    return Reply(each(), "application/jsonl")


async def refuse(_: Call) -> None:
    raise Refused("too_late", "This is over.", 409)


async def break_down(_: Call) -> None:
    raise RuntimeError("a secret of the inside")


async def be_busy(_: Call) -> None:
    raise StorageBusy("busy")


async def take_forever(_: Call) -> None:
    await asyncio.sleep(60)


def route(method: str, path: str, handler: Any, access: Access = "anyone", **more: Any) -> Route:
    return Route(method, PREFIX + path, handler, access, "A test.", **more)


ROUTES = [
    route("POST", "/notes", tell, body=Note, reply=Told, status=201),
    route("GET", "/notes", tell, query=Filter, reply=Told),
    route("POST", "/bell", nothing),
    route("GET", "/call", tell_call, reply=Told),
    route("GET", "/groups/{group}/call", tell_call, "member", reply=Told),
    route("GET", "/groups/{group}/secrets", nothing, "facilitator"),
    route("DELETE", "/mine", nothing, "signed_in", step_up=True),
    route("POST", "/login", sign_in, reply=Told),
    route("POST", "/logout", sign_out),
    route("GET", "/calendars/{token}.ics", calendar, content_type="text/calendar"),
    route("GET", "/lines", lines, content_type="application/jsonl"),
    route("POST", "/refuse", refuse),
    route("POST", "/break", break_down),
    route("POST", "/busy", be_busy),
    route("POST", "/forever", take_forever),
    route("GET", "/rare", nothing, "signed_in", rate=Rate(2, 0.001)),
]


@pytest.fixture
async def here(kind: str, databases: Databases, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, ROUTES, database_url=databases.migrated(kind)) as opened:
        yield opened


async def test_it_is_told_which_group_was_changed_and_not_which_was_looked_at(
    tmp_path: Path,
) -> None:
    changed: list[str] = []
    routes = [
        route("PUT", "/groups/{group}/note", nothing, "member"),
        route("PUT", "/groups/{group}/refused", refuse, "member"),
        route("GET", "/groups/{group}/note", nothing, "member"),
    ]
    async with place(tmp_path, routes, changed=changed.append) as here:
        group, other = await here.group(), await here.group()
        person = await here.person(member_of={group: "facilitator"})
        for method, path in (
            ("GET", f"/groups/{group}/note"),
            ("PUT", f"/groups/{group}/refused"),
            ("PUT", f"/groups/{other}/note"),
            ("PUT", f"/groups/{group}/note"),
        ):
            await here.code(method, f"{PREFIX}{path}", person)
    assert changed == [group]


async def test_a_body_is_read_and_an_answer_sent(here: Place) -> None:
    async with here.ask("POST", f"{PREFIX}/notes", json={"title": "Tea"}) as response:
        assert response.status == 201
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert "Note(title='Tea'" in (await response.json())["text"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ('{"title": ""}', ["body.title"]),
        ('{"title": "secret words that are too long"}', ["body.title"]),
        ('{"title": 3}', ["body.title"]),
        ('{"stars": "4", "title": "a"}', ["body.stars"]),
        ('{"stars": 6}', ["body.title", "body.stars"]),
        ('{"title": "a", "tags": ["ok", "much too long"]}', ["body.tags.1"]),
        ('{"title": "a", "tags": 3}', ["body.tags"]),
        ('{"title": "a", "role": "x"}', ["body.role"]),
        ('{"title": "a", "<b>": "x"}', ["body"]),
        ('{"title": "a\\u0000b"}', ["body"]),
        ('{"title": "\\ud800"}', ["body"]),
        ("[]", ["body"]),
        ("null", ["body"]),
        ("", ["body"]),
        ("{", ["body"]),
        ('{"title": NaN}', ["body.title"]),
        ("[" * 30_000, ["body"]),
        ("\xff", ["body"]),
    ],
)
async def test_a_bad_body_is_told_by_its_fields_never_its_values(
    here: Place, body: str, fields: list[str]
) -> None:
    async with here.ask(
        "POST",
        f"{PREFIX}/notes",
        data=body.encode("latin-1"),
        headers={"Content-Type": "application/json"},
    ) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["code"] == "invalid"
    assert error["fields"] == fields
    assert "secret words" not in json.dumps(error)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=10", ["query.limit"]),
        ("limit=x", ["query.limit"]),
        ("order=sideways", ["query.order"]),
        ("limit=1&limit=2", ["query.limit"]),
        ("more=1", ["query.more"]),
        ("order=%00", ["query.order"]),
        ("order=%ff", ["query.order"]),
    ],
)
async def test_a_bad_query_is_told(here: Place, query: str, fields: list[str]) -> None:
    async with here.ask("GET", f"{PREFIX}/notes?{query}") as response:
        assert response.status == 400
        assert (await response.json())["error"]["fields"] == fields


async def test_a_query_has_numbers_though_it_is_text(here: Place) -> None:
    async with here.ask("GET", f"{PREFIX}/notes?limit=7&order=down") as response:
        assert "limit=7, order='down'" in (await response.json())["text"]
    assert await here.code("GET", f"{PREFIX}/call?a=1") == (400, "invalid")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "",
    ],
)
async def test_only_json_is_taken(here: Place, content_type: str) -> None:
    answer = await here.code(
        "POST",
        f"{PREFIX}/notes",
        data=b'{"title": "a"}',
        headers={"Content-Type": content_type},
    )
    assert answer == (415, "not_json")


async def test_there_is_a_most_that_can_be_sent(here: Place) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1_024

    headers = {"Content-Type": "application/json"}
    for data in (b" " * 70_000, chunks()):
        answer = await here.code("POST", f"{PREFIX}/notes", data=data, headers=headers)
        assert answer == (413, "too_large")
    ok = b'{"title": "a"' + b" " * 60_000 + b"}"
    assert (await here.code("POST", f"{PREFIX}/notes", data=ok, headers=headers))[0] == 201


async def test_a_body_that_never_comes_is_not_waited_for(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.api.reading.BODY_WAIT_S", 0.2)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    headers = {"Content-Type": "application/json"}
    answer = await here.code("POST", f"{PREFIX}/notes", data=chunks(), headers=headers)
    assert answer == (408, "too_slow")


async def test_a_body_where_none_belongs_is_refused(here: Place) -> None:
    assert await here.code("POST", f"{PREFIX}/bell", json={}) == (400, "invalid")
    assert await here.code("POST", f"{PREFIX}/bell") == (204, None)


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "anything"}, False),
        ({}, True),
        ({"Origin": "https://evil.example.org"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": ""}, False),
    ],
)
async def test_only_pages_of_this_server_change_anything(
    here: Place, headers: dict[str, str], passes: bool
) -> None:
    answer = await here.code("POST", f"{PREFIX}/bell", headers=headers)
    assert answer == ((204, None) if passes else (403, "cross_site"))


async def test_without_any_origin_nothing_is_changed(here: Place) -> None:
    async with here.client.post(f"{PREFIX}/bell") as response:
        assert response.status == 403
    async with here.client.get(f"{PREFIX}/call") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{PREFIX}/nothing", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("GET", f"{PREFIX}/call/", 404, "not_found"),
        ("GET", f"{PREFIX}/calendars/a%2Fb.ics", 404, "not_found"),
        ("GET", f"{PREFIX}/calendars/%00.ics", 404, "not_found"),
        ("GET", f"{PREFIX}/calendars/{'a' * 129}.ics", 404, "not_found"),
        ("DELETE", f"{PREFIX}/notes", 405, "not_possible"),
        ("OPTIONS", f"{PREFIX}/notes", 405, "not_possible"),
        ("TRACE", f"{PREFIX}/notes", 405, "not_possible"),
    ],
)
async def test_what_is_not_there_is_told_as_json(
    here: Place, method: str, path: str, status: int, code: str
) -> None:
    async with here.ask(method, path) as response:
        assert response.status == status
        assert response.headers["Cache-Control"] == "no-store"
        assert (await response.json())["error"]["code"] == code
        assert ("Allow" in response.headers) == (status == 405)


async def test_pages_outside_the_api_are_as_before(here: Place) -> None:
    async with here.ask("GET", "/nothing") as response:
        assert response.status == 404
        assert response.content_type == "text/plain"


async def test_head_is_get_without_a_body(here: Place) -> None:
    async with here.ask("HEAD", f"{PREFIX}/call") as response:
        assert response.status == 200
        assert await response.read() == b""
    assert (await here.code("HEAD", f"{PREFIX}/lines"))[0] == 200
    assert (await here.code("HEAD", f"{PREFIX}/rare"))[0] == 401


async def test_trouble_tells_nothing_of_the_inside(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with here.ask("POST", f"{PREFIX}/break") as response:
        assert response.status == 500
        assert "secret" not in await response.text()
        assert response.content_type == "application/json"
    assert await here.code("POST", f"{PREFIX}/refuse") == (409, "too_late")
    async with here.ask("POST", f"{PREFIX}/busy") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
    monkeypatch.setattr(api_app, "HANDLER_WAIT_S", 0.1)
    assert await here.code("POST", f"{PREFIX}/forever") == (503, "busy")


async def test_answers_that_are_no_json(here: Place) -> None:
    async with here.ask("GET", f"{PREFIX}/calendars/abc.ics") as response:
        assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert await response.read() == b"BEGIN:VCALENDAR"
    async with here.ask("GET", f"{PREFIX}/lines") as response:
        assert response.content_type == "application/jsonl"
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.read() == b"0\n1\n2\n"


async def test_the_cookie_on_loopback(here: Place) -> None:
    async with here.ask("POST", f"{PREFIX}/login") as response:
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("holdspace=a-token;")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=60"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    async with here.ask("POST", f"{PREFIX}/logout") as response:
        assert response.status == 204
        assert 'holdspace="";' in response.headers["Set-Cookie"]
        assert "Max-Age=0" in response.headers["Set-Cookie"]


@pytest.mark.parametrize("host", ["groups.example.org", "127.0.0.1.example.org", "10.0.0.1", "["])
async def test_the_cookie_elsewhere_is_for_https_only(here: Place, host: str) -> None:
    headers = {"Host": host, "Sec-Fetch-Site": "same-origin"}
    async with here.ask("POST", f"{PREFIX}/login", headers=headers) as response:
        assert response.headers["Set-Cookie"].startswith("__Host-holdspace=a-token;")
        assert "Secure" in response.headers["Set-Cookie"]


async def test_the_cookie_with_https(tmp_path: Path) -> None:
    async with (
        place(tmp_path, ROUTES, https=True) as here,
        here.ask("POST", f"{PREFIX}/login") as response,
    ):
        assert response.headers["Set-Cookie"].startswith("__Host-holdspace=a-token;")
        assert "Secure" in response.headers["Set-Cookie"]
        someone = await here.person()  # whose cookie has the other name
        assert await here.code("GET", f"{PREFIX}/rare", someone) == (401, "signed_out")


async def test_a_handler_knows_who_asks(here: Place) -> None:
    group = await here.group()
    member = await here.person(member_of={group: "counselor"})
    headers = {"User-Agent": "x" * 500, "X-Forwarded-For": "203.0.113.7"}
    path = f"{PREFIX}/groups/{group}/call"
    async with here.ask("GET", path, member, headers=headers) as response:
        told = json.loads((await response.json())["text"])
    assert told == {
        "account": member.account_id,
        "group": [group, member.memberships[group], "counselor"],
        "address": "203.0.113.7",
        "device": "x" * 200,
        "https": False,
    }
    async with here.ask("GET", f"{PREFIX}/call") as response:
        told = json.loads((await response.json())["text"])
    assert (told["account"], told["group"], told["address"]) == (None, None, None)


@pytest.mark.parametrize("token", ["", "x", "x" * 129, "é", "a b", "a;b"])
async def test_a_cookie_of_no_login_is_nobody(here: Place, token: str) -> None:
    async with here.client.get(
        f"{PREFIX}/rare", headers={"Cookie": f"holdspace={token}"}
    ) as response:
        assert response.status == 401


async def test_a_proved_login_is_needed_for_some_things(here: Place) -> None:
    cases = {
        None: "step_up",
        timedelta(minutes=11): "step_up",
        timedelta(minutes=9): None,
        timedelta(minutes=-5): "step_up",  # a clock that went back proves nothing
    }
    for proved, code in cases.items():
        someone = await here.person(proved=proved)
        assert (await here.code("DELETE", f"{PREFIX}/mine", someone))[1] == code


async def test_what_is_refused_is_on_record(here: Place) -> None:
    group = await here.group()
    stranger = await here.person()
    participant = await here.person(member_of={group: "participant"})
    path = f"{PREFIX}/groups/{group}/secrets"
    for person in (None, stranger, participant):
        headers = {"X-Forwarded-For": "203.0.113.7"}
        assert (await here.code("GET", path, person, headers=headers))[0] >= 400
    await here.code("GET", f"{PREFIX}/groups/made-up/secrets", stranger)
    events = [row for row in reversed(await latest(here.storage)) if row.outcome == "refused"]
    assert [(row.actor, row.group_id, row.outcome, row.address) for row in events] == [
        ("anonymous", group, "refused", "203.0.113.0/24"),
        (stranger.account_id, group, "refused", "203.0.113.0/24"),
        (participant.account_id, group, "refused", "203.0.113.0/24"),
        (stranger.account_id, None, "refused", None),
    ]
    assert [json.loads(row.detail)["code"] for row in events] == [
        "signed_out",
        "no_such_group",
        "not_allowed",
        "no_such_group",
    ]
    assert "made-up" not in "".join(row.detail for row in events)


async def test_nobody_fills_the_audit(here: Place) -> None:
    stranger = await here.person()
    for _ in range(25):
        await here.code("GET", f"{PREFIX}/groups/made-up/secrets", stranger)
    assert len(await latest(here.storage)) == api_app.AUDIT_RATE.burst


async def test_former_members_are_strangers(here: Place) -> None:
    group = await here.group()
    former = await here.person(member_of={group: "facilitator"}, removed=True)
    path = f"{PREFIX}/groups/{group}/secrets"
    assert await here.code("GET", path, former) == (404, "no_such_group")


async def test_each_account_has_its_own_rate(here: Place) -> None:
    one, other = await here.person(), await here.person()
    assert [(await here.code("GET", f"{PREFIX}/rare", one))[0] for _ in range(3)] == [204, 204, 429]
    assert (await here.code("GET", f"{PREFIX}/rare", other))[0] == 204
    async with here.ask("GET", f"{PREFIX}/rare", one) as response:
        assert int(response.headers["Retry-After"]) == 1_000


async def test_an_address_has_a_rate_over_everything(here: Place) -> None:
    async def ask(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return (await here.code("GET", f"{PREFIX}/nothing-at-all", headers=headers))[0]

    assert await ask("2001:db8::1") == 404
    path = f"{PREFIX}/call"
    headers = {"X-Forwarded-For": "2001:db8::1"}
    many = [
        here.code("GET", path, headers=headers) for _ in range(api_app.ADDRESS_RATE.burst + 200)
    ]
    statuses = [status for status, _ in await asyncio.gather(*many)]
    assert 429 in statuses
    assert (await here.code("GET", path, headers={"X-Forwarded-For": "2001:db8:1::1"}))[0] == 200


def test_routes_that_would_not_be_safe_cannot_be_made() -> None:
    good = route("GET", "/groups/{group}/call", nothing, "member")
    for wrong in (
        {"method": "TRACE"},
        {"path": "/call"},
        {"path": f"{PREFIX}/call/"},
        {"path": f"{PREFIX}/{{Group}}"},
        {"access": "everyone"},
        {"path": f"{PREFIX}/call"},
        {"access": "anyone"},
        {"access": "signed_in"},
        {"body": Note},
    ):
        with pytest.raises(ValueError, match=r".+"):
            replace(good, **wrong)
    with pytest.raises(ValueError, match="step-up"):
        route("POST", "/bell", nothing, "anyone", step_up=True)


async def test_two_routes_for_the_same_cannot_be_served(tmp_path: Path) -> None:
    twice = [route("GET", "/a/{one}", nothing), route("GET", "/a/{other}", nothing)]
    with pytest.raises(ValueError, match="two routes"):
        async with place(tmp_path, twice):
            pass
