"""One encoding for each value: the JSON Canonicalization Scheme (RFC 8785), without fractions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Json = str | int | bool | None | Sequence["Json"] | Mapping[str, "Json"]

MAX_INTEGER = 2**53 - 1
"""The largest number that every reader of JSON gets right."""


def canonical(value: Json) -> str:
    """The value as canonical JSON.

    Raises:
        ValueError: if it cannot be encoded: fractions, numbers beyond 2⁵³ - 1, lone surrogates.
    """
    text = json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"))
    text.encode()  # raises UnicodeEncodeError, a ValueError, for lone surrogates
    return text


def _ordered(value: object) -> object:
    """The value with the keys of its objects in order of their UTF-16 code units."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys have to be text")
        return {
            key: _ordered(value[key])
            for key in sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_ordered(item) for item in value]
    raise ValueError(f"a {type(value).__name__} like this has no canonical form")
