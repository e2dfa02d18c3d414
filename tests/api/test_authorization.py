"""Everyone asks for everything, in their own group and in another's.

``authorization.csv`` states for each route, and ``authorization_events.csv`` for each Socket.IO
event, what comes of it for whom: ``in`` if it is let through to what handles it, or the status, or
the code of the refusal. A route or event without a row, or a row without one, fails.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from server.accounts import sessions
from server.api.description import DOCS_PATH, OPENAPI_PATH, STYLE_PATH
from server.api.every_route import ROUTES
from server.api.routes import Call, GroupRole, Reply, Route
from server.app import RunningServer
from server.links import Links
from signaling.messages import REQUESTS, Role
from tests.api.more_services import more_services
from tests.api.place import Person, Place, place
from tests.page import hello, page

FOLDER = Path(__file__).parent
ROLES: tuple[GroupRole, ...] = ("participant", "facilitator", "counselor")
PEOPLE = (
    "anonymous",
    "stranger",
    "administrator",
    "former",
    *ROLES,
    *(f"other_{role}" for role in ROLES),
)
"""Members are of the group of the path; others of another; former ones were facilitators of it."""

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""In place of all ids but the group's: nothing is there, so nothing is changed."""


def table(name: str) -> dict[str, dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row[next(iter(row))]: row for row in rows}
    assert len(found) == len(rows), "a row is there twice"
    return found


STATED = table("authorization.csv")
STATED_EVENTS = table("authorization_events.csv")
SOCKETS = ("anonymous", "participant", "facilitator", "other_participant", "other_facilitator")


class Reached:
    """Notes whether the handler of a route was reached, and lets it do its work."""

    def __init__(self) -> None:
        self.it = False

    def watch(self, route: Route) -> Route:
        handler = route.handler

        async def watched(call: Call) -> BaseModel | Reply | None:
            self.it = True
            return await handler(call)

        return replace(route, handler=watched)


@pytest.fixture
def reached() -> Reached:
    return Reached()


@pytest.fixture
async def here(tmp_path: Path, reached: Reached) -> AsyncIterator[Place]:
    watched = [reached.watch(route) for route in ROUTES]
    with more_services() as more:
        async with place(tmp_path, watched, resolve=sessions.resolve, more=more) as opened:
            yield opened


async def people_of(here: Place, group: str, other: str) -> dict[str, Person | None]:
    people: dict[str, Person | None] = {
        "anonymous": None,
        "stranger": await here.person(),
        "administrator": await here.person(is_administrator=True),
        "former": await here.person(member_of={group: "facilitator"}, removed=True),
    }
    for role in ROLES:
        people[role] = await here.person(member_of={group: role})
        people[f"other_{role}"] = await here.person(member_of={other: role})
    return people


def path_of(route: Route, group: str) -> str:
    made_up = dict.fromkeys(route.parameters, NO_ID)
    return route.path.format(**{**made_up, "group": group})


Ask = Callable[[Route, str, Person | None], Awaitable[str]]


@pytest.fixture
def outcome(here: Place, reached: Reached) -> Ask:
    async def ask(route: Route, group: str, person: Person | None) -> str:
        """What comes of asking; whoever lacks only a right body was let through."""
        reached.it = False
        body: dict[str, object] = {} if route.body is None else {"json": {}}
        status, code = await here.code(route.method, path_of(route, group), person, **body)
        assert status < 500 or code == "no_email", f"{route.name}: {status}"
        if reached.it or code == "invalid":
            return "in"
        return str(status)

    return ask


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert STATED.keys() == {route.name for route in ROUTES}


@pytest.mark.parametrize("row", STATED.values(), ids=STATED.keys())
def test_every_cell_is_stated(row: dict[str, str]) -> None:
    assert set(row) == {"route", *PEOPLE, "step_up"}
    assert {row[person] for person in PEOPLE} <= {"in", "401", "403", "404"}
    assert row["step_up"] in ("yes", "no")


@pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])
async def test_everyone_gets_what_is_stated(here: Place, outcome: Ask, route: Route) -> None:
    assert route.name in STATED, f"authorization.csv has no row for {route.name}"
    group, other = await here.group(), await here.group()
    people = await people_of(here, group, other)
    found = {name: await outcome(route, group, person) for name, person in people.items()}
    assert found == {name: STATED[route.name][name] for name in PEOPLE}


@pytest.mark.parametrize("route", ROUTES, ids=[route.name for route in ROUTES])
async def test_a_step_up_is_asked_for_where_stated(here: Place, route: Route) -> None:
    group = await here.group()
    let_in = [name for name in PEOPLE if STATED[route.name][name] == "in"]
    role = next((each for each in ROLES if each in let_in), None)
    person = await here.person(
        is_administrator=True, proved=None, member_of={} if role is None else {group: role}
    )
    body: dict[str, object] = {} if route.body is None else {"json": {}}
    answer = await here.code(route.method, path_of(route, group), person, **body)
    stated = STATED[route.name]["step_up"] == "yes"
    assert (answer == (403, "step_up")) == stated


async def test_nothing_else_is_served(here: Place) -> None:
    """Whatever the application serves under /api is a route with a row, or the description."""
    served: set[tuple[str, str | None]] = set()
    for resource in here.client.app.router.resources():
        info = resource.get_info()
        path = info.get("path") or info.get("formatter")
        served.update((route.method, path) for route in resource)
    listed: set[tuple[str, str | None]] = {(route.method, route.path) for route in ROUTES}
    listed |= {("HEAD", path) for method, path in listed if method == "GET"}
    for path in (OPENAPI_PATH, DOCS_PATH, STYLE_PATH):
        listed |= {("GET", path), ("HEAD", path)}
    assert served == listed


def test_every_event_has_a_row_and_every_row_an_event() -> None:
    assert STATED_EVENTS.keys() == REQUESTS.keys()


def greeting(server: RunningServer, links: Links, who: str) -> dict[str, object]:
    """How someone opens the socket of the room ``circle``."""
    if who == "anonymous":
        return {**hello(server), "token": "x" * 40}
    role: Role = "facilitator" if who.endswith("facilitator") else "participant"
    if who.startswith("other_"):
        token = links.to("another-circle", role).partition("#")[2]
        return {**hello(server), "token": token}
    return hello(server, role=role)


@pytest.mark.parametrize("who", SOCKETS)
async def test_every_event_is_for_whom_it_is_stated(server: RunningServer, who: str) -> None:
    stated = {event: row[who] for event, row in STATED_EVENTS.items()}
    try:
        async with page(server, greeting(server, server.links, who)) as opened:
            found = {}
            for event in REQUESTS:
                answer = await opened.ask(event, {"nothing_of_use": 1})
                code = answer["error"]["code"]
                # Whoever may send it is told that this is not how.
                found[event] = "in" if code == "malformed" else code
    except ConnectionError as error:
        code = error.args[0]["data"]["code"]
        found = dict.fromkeys(REQUESTS, code)
    assert found == stated
