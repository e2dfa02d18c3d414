"""Logging: one JSON object per line on standard error.

No name, network address, token or message content is to reach it. So exceptions are logged as
their types and where they came from, without their texts and without variables, and of libraries'
own lines only who wrote them and how urgent they are.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

OWN_LOGGERS = ("server", "signaling", "relay", "moderation")

Event = MutableMapping[str, Any]


def configure_logging(level: str) -> None:
    """Send all logging of this process, also that of libraries, to standard error.

    Args:
        level: "debug", "info", "warning" or "error".
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_secrets,
        bare_exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)


def without_secrets(_: Any, __: str, event: Event) -> Event:
    """Replace the text of a library's line, which can hold anything, by the library's name."""
    record = event.get("_record")
    if record is not None and record.name.partition(".")[0] not in OWN_LOGGERS:
        event["event"] = "library_message"
    return event


def bare_exception(_: Any, __: str, event: Event) -> Event:
    """Replace ``exc_info`` by ``exception``: types and places, outermost cause last."""
    exc_info = event.pop("exc_info", None)
    record = event.get("_record")
    if record is not None:
        exc_info = exc_info or record.exc_info
        record.exc_info = record.exc_text = None  # or the formatter would append it whole
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if not isinstance(error, BaseException):
        return event
    chain = []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        chain.append(
            {
                "type": type(error).__qualname__,
                "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            }
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    event["exception"] = chain
    return event
