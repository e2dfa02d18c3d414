"""The names and pronouns by which people want to be called."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from server.refusals import Refused

MAX_NAME = 40
"""As in `signaling.messages.Join`."""

MAX_PRONOUNS = 30

_VISITING = " (visiting)"

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control and format characters, which can spoof or garble another's name."""

_JOINERS = "\u200c\u200d"
"""Persian names and many emoji need them."""


def _shown(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _can_be_shown(text: str) -> bool:
    return all(
        unicodedata.category(char) not in _HIDDEN for char in text if char not in _JOINERS
    ) and any(unicodedata.category(char)[0] in "LNPS" for char in text)


def display_name(text: str) -> str:
    """A chosen name as it is kept: NFC, without surplus space.

    Raises:
        Refused: ``bad_name``.
    """
    name = _shown(text)
    if not 1 <= len(name) <= MAX_NAME or not _can_be_shown(name):
        raise Refused("bad_name", f"Please choose a name of 1 to {MAX_NAME} visible characters.")
    return name


def pronouns(text: str | None) -> str | None:
    """Pronouns as they are kept; None for none.

    Raises:
        Refused: ``bad_pronouns``.
    """
    kept = _shown(text or "")
    if not kept:
        return None
    if len(kept) > MAX_PRONOUNS or not _can_be_shown(kept):
        raise Refused("bad_pronouns", f"Pronouns can have up to {MAX_PRONOUNS} visible characters.")
    return kept


def likeness(name: str) -> str:
    """Equal for names that people would take for the same."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if char not in _JOINERS and not char.isspace())


def visiting(name: str, members: Iterable[str]) -> str:
    """The name of someone from another group, who is not to be mistaken for a member."""
    if likeness(name) in {likeness(member) for member in members}:
        return name[: MAX_NAME - len(_VISITING)] + _VISITING
    return name


def has_letter(text: str) -> bool:
    """Whether there is a letter of any script in it."""
    return any(unicodedata.category(char).startswith("L") for char in text)
