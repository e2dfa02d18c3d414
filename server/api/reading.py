"""Reading what was sent, and telling what is wrong with it without repeating it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.refusals import Refused

MAX_BODY_BYTES = 65_536
BODY_WAIT_S = 10.0

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_MAX_FIELDS = 20


class Invalid(Refused):
    """What was sent does not have the form that it should have.

    Args:
        fields: what is wrong, such as ``body.email``; names only of what the API knows.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = list(dict.fromkeys(fields))[:_MAX_FIELDS]
        super().__init__(
            "invalid", f"Please check what was entered: {', '.join(self.fields)}.", 400
        )


async def read_body(request: web.BaseRequest, model: type[BaseModel] | None) -> BaseModel | None:
    """Read the body, as JSON of a model, or without one make sure that there is none.

    Raises:
        Refused: if it is too large, too slow, no JSON, or not of the model.
    """
    data = await _read(request)
    if model is None:
        if data:
            raise Invalid(["body"])
        return None
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in (
        "utf-8",
        "utf8",
    ):
        raise Refused("not_json", "This takes JSON only.", 415)
    try:
        body = model.model_validate_json(data)
    except ValidationError as error:
        raise Invalid(_names(error, "body")) from None
    except (ValueError, RecursionError):
        raise Invalid(["body"]) from None
    _refuse_nul(body, "body")
    return body


def read_query(request: web.BaseRequest, model: type[BaseModel] | None) -> BaseModel | None:
    """Read what stands after the question mark.

    Raises:
        Invalid: if it is not of the model, or there though there is no model.
    """
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:  # so that nobody takes another of them than was checked
            raise Invalid([_name("query", [name])])
        values[name] = value
    if model is None:
        if values:
            raise Invalid(["query"])
        return None
    try:
        query = model.model_validate_strings(values)
    except ValidationError as error:
        raise Invalid(_names(error, "query")) from None
    _refuse_nul(query, "query")
    return query


async def _read(request: web.BaseRequest) -> bytes:
    too_large = Refused("too_large", "That is too much to send at once.", 413)
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refused("too_slow", "This took too long to arrive; please try again.", 408) from None
    return bytes(data)


def _names(error: ValidationError, part: str) -> list[str]:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return [_name(part, each["loc"]) for each in errors]


def _name(part: str, location: Sequence[int | str]) -> str:
    """The dotted name; what cannot be a field's name was made up by the sender and is left out."""
    steps = [part]
    for step in location:
        if not isinstance(step, int) and not _NAME.fullmatch(step):
            break
        steps.append(str(step))
    return ".".join(steps)


def _refuse_nul(model: BaseModel, part: str) -> None:
    """PostgreSQL keeps no NUL in text, and nobody types one."""
    if any("\0" in text for text in _texts(model.model_dump())):
        raise Invalid([part])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(item)
