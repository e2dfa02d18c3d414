from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog

from server.log import configure_logging

PRIVATE = "a private word"


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def fail() -> None:
    local = PRIVATE
    try:
        raise KeyError(local)
    except KeyError as error:
        raise ValueError(local) from error


def test_exceptions_are_logged_without_their_texts(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    try:
        fail()
    except ValueError:
        structlog.get_logger("server.test").exception("failed", count=3)
    (line,) = lines(capfd)
    assert line["event"] == "failed"
    assert line["count"] == 3
    assert [part["type"] for part in line["exception"]] == ["ValueError", "KeyError"]
    assert "fail" in str(line["exception"])
    assert PRIVATE not in str(line)


def test_libraries_lines_are_logged_without_their_texts(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug")
    logging.getLogger("aiohttp.server").info("below the threshold")
    try:
        fail()
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Request from %s", PRIVATE)
    logging.getLogger("relay.relay").info("started on port %d", 5)
    library, own = lines(capfd)
    assert (library["logger"], library["level"]) == ("aiohttp.server", "error")
    assert "ValueError" in str(library["exception"])
    assert PRIVATE not in str(library)
    assert own["event"] == "started on port 5"


def test_level(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")
    structlog.get_logger("server.test").info("quiet")
    structlog.get_logger("server.test").warning("loud")
    assert [line["event"] for line in lines(capfd)] == ["loud"]
