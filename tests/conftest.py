from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aioice.ice
import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from server.app import RunningServer, running
from server.settings import Settings
from server.storage.keyring import generate_key_line
from simulated.group import CIPHERSUITE
from tests.loopback import on_loopback

# A slow machine is no reason to fail. CI tries the same examples each time, so that it judges the
# change and not the day; elsewhere new ones are tried.
hypothesis_settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
hypothesis_settings.load_profile("patient")

Start = Callable[..., AbstractAsyncContextManager[RunningServer]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A server on loopback, on ports of the system's choice, with what the simulated can do."""
    return on_loopback(tmp_path, ciphersuite=CIPHERSUITE, keyring=SecretStr(generate_key_line()))


@pytest.fixture
def start(settings: Settings) -> Start:
    """Runs a server with some settings changed."""
    return lambda **changes: running(settings.model_copy(update=changes))


@pytest.fixture
async def server(start: Start) -> AsyncIterator[RunningServer]:
    async with start() as running_server:
        yield running_server


@pytest.fixture
def ice_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets aiortc's connections run over loopback, which aioice leaves out."""

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"] * use_ipv4 + ["::1"] * (use_ipv6 and not use_ipv4)

    monkeypatch.setattr(aioice.ice, "get_host_addresses", addresses)


def log_without_variables() -> None:
    """Of an error, log where it came from: structlog's default, to print each variable on the way
    too, keeps the event loop for seconds.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )


log_without_variables()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undoes what a test, or a command that it runs, changes about logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    log_without_variables()
    root.handlers[:] = handlers
    root.setLevel(level)
