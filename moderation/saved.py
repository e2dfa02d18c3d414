"""State dataclasses to plain JSON values and back, by their type hints.

Only what state is made of is known: dataclasses, lists, tuples, dicts with string keys, unions
with None, literals, and scalars. Anything that does not fit raises :class:`StateError`.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints


class StateError(ValueError):
    """Saved state that cannot be restored; the message says why."""


_T = TypeVar("_T")

_SCALARS = frozenset({str, int, float, bool, type(None)})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """Field names of a dataclass; None for any other class."""
    return tuple(spec.name for spec in fields(kind)) if is_dataclass(kind) else None


def to_plain(value: Any) -> Any:
    """Turn state into what ``json.dumps`` takes."""
    kind: Any = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: to_plain(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [to_plain(item) for item in value]
    names = _names(kind)
    if names is None:
        raise TypeError(f"{kind.__name__} is no part of state")
    return {name: to_plain(getattr(value, name)) for name in names}


def from_plain(kind: type[_T], plain: object) -> _T:
    """The inverse of :func:`to_plain` for a dataclass ``kind``."""
    restored: _T = _restore(kind, plain, kind.__name__)
    return restored


def _restore(hint: Any, plain: Any, where: str) -> Any:
    origin = get_origin(hint)
    names = _names(hint)
    if names is not None:
        if not isinstance(plain, dict) or set(plain) != set(names):
            raise StateError(f"saved state: {where}: other fields than expected")
        hints = _hints(hint)
        return hint(
            **{key: _restore(hints[key], item, f"{where}.{key}") for key, item in plain.items()}
        )
    if origin in (Union, types.UnionType):
        return _restore_union(get_args(hint), plain, where)
    if origin is Literal:
        if plain not in get_args(hint):
            raise StateError(f"saved state: {where}: {plain!r} is not known")
        return plain
    if origin is list or origin is tuple:
        if not isinstance(plain, list):
            raise StateError(f"saved state: {where}: a list was expected")
        items = [_restore(get_args(hint)[0], item, where) for item in plain]
        return items if origin is list else tuple(items)
    if origin is dict:
        if not isinstance(plain, dict):
            raise StateError(f"saved state: {where}: a mapping was expected")
        item_hint = get_args(hint)[1]
        return {key: _restore(item_hint, item, f"{where}[{key}]") for key, item in plain.items()}
    if hint is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if hint is Any:
        return plain
    if type(plain) is not hint:
        raise StateError(f"saved state: {where}: {plain!r} was not expected")
    return plain


def _restore_union(options: tuple[Any, ...], plain: Any, where: str) -> Any:
    if plain is None and type(None) in options:
        return None
    others = [option for option in options if option is not type(None)]
    for option in others:
        try:
            return _restore(option, plain, where)
        except StateError:
            if option is others[-1]:
                raise
    raise StateError(f"saved state: {where}: {plain!r} was not expected")
