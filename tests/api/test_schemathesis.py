"""Whatever is sent that the description allows, or does not, the server never fails over it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.accounts import sessions
from server.api.cookie import LOOPBACK_NAME
from server.api.description import openapi
from server.api.every_route import ROUTES as EVERY_ROUTE
from server.api.routes import GROUP_ACCESS, GroupRole, Rate
from tests.api.more_services import more_services
from tests.api.place import Person, Place, place

T = TypeVar("T")

# No rates: what is refused for them would test nothing.
ROUTES = [replace(route, rate=Rate(10**9, 10**9)) for route in EVERY_ROUTE]
DESCRIPTION = openapi(ROUTES, https=False)
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = {
    operation.label: operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())  # type: ignore[union-attr]
}

MOST_S = 60.0 / max(1, len(OPERATIONS))
"""For each operation; the whole takes about a minute."""
MOST_EXAMPLES = 30
WAIT_S = 30.0
START_WAIT_S = 20.0

MAY_LACK_EMAIL = frozenset({"no_email"})
"""With these codes 503 tells that the server was set up without email."""


class Running:
    """The server in a thread of its own: schemathesis asks from another."""

    def __init__(self, here: Place, loop: asyncio.AbstractEventLoop) -> None:
        self.here = here
        self.loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("schemathesis")
    ready = threading.Event()
    found: list[Running] = []
    stop = asyncio.Event()

    async def serve() -> None:
        async with place(folder, ROUTES, resolve=sessions.resolve, more=more) as here:
            found.append(Running(here, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    with more_services() as more:
        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server", daemon=True)
        thread.start()
        assert ready.wait(START_WAIT_S), "the server did not start"
        try:
            yield found[0]
        finally:
            found[0].loop.call_soon_threadsafe(stop.set)
            thread.join(START_WAIT_S)


def _asker(running: Running, access: str, group: str) -> Person:
    """Someone whom the operation is for, so that its handler is reached."""
    role: GroupRole = "participant" if access == "participant" else "facilitator"
    member_of = {group: role} if access in GROUP_ACCESS else {}
    return running.do(running.here.person(is_administrator=True, member_of=member_of))


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_that_is_sent_makes_the_server_fail(running: Running, label: str) -> None:
    operation = OPERATIONS[label]
    group = running.do(running.here.group())
    person = _asker(running, operation.definition.raw["x-access"], group)
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    end = time.monotonic() + MOST_S
    asked = 0

    @settings(
        max_examples=MOST_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        nonlocal asked
        if asked and time.monotonic() > end:
            return
        asked += 1
        if "group" in (case.path_parameters or {}):
            case.path_parameters["group"] = group
        headers = {"Origin": running.here.origin}
        response = case.call(
            base_url=running.here.origin,
            headers=headers,
            cookies={LOOPBACK_NAME: person.token},
            timeout=WAIT_S,
        )
        if response.status_code >= 500:
            assert response.status_code == 503, response.text
            assert response.json()["error"]["code"] in MAY_LACK_EMAIL
        case.validate_response(
            response,
            checks=[
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    ask()
    assert asked
