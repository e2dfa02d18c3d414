"""The texts that come with Holdspace, Markdown files in ``config/guidelines/``.

A file is named by its kind, such as ``guidelines.md``. In it ``{{group}}`` stands for the group's
name and ``{{clinic}}`` for that of whoever runs the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from server.refusals import Refused
from server.settings import SettingsError
from server.storage.models import DocumentKind

KINDS: tuple[DocumentKind, ...] = get_args(DocumentKind)

TITLES: Mapping[DocumentKind, str] = {
    "guidelines": "Group guidelines",
    "confidentiality": "Confidentiality agreement",
    "telehealth_consent": "Consent to meeting online",
    "part2_notice": "Notice about substance use records",
}

MAX_CHARACTERS = 50_000

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_KNOWN = ("group", "clinic")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")


def shipped_guidelines() -> Path:
    """The folder that comes along: in a checkout beside this package, in a wheel inside it."""
    package = Path(__file__).parent.parent
    in_checkout = package.parent / "config" / "guidelines"
    return in_checkout if in_checkout.is_dir() else package / "config" / "guidelines"


def load_templates(folder: Path) -> dict[DocumentKind, str]:
    """Read the text of every kind.

    Raises:
        SettingsError: naming the file that is missing or wrong.
    """
    texts: dict[DocumentKind, str] = {}
    for kind in KINDS:
        path = folder / f"{kind}.md"
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise SettingsError(f"The text {path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise SettingsError(f"The text {path} is not UTF-8.") from None
        try:
            texts[kind] = checked(text)
        except Refused as refused:
            raise SettingsError(f"The text {path} is wrong: {refused.message}") from None
    return texts


def checked(text: str) -> str:
    """A text as it is kept: with plain line ends.

    Raises:
        Refused: ``bad_text`` if it is empty, too long, or has a placeholder that does not exist.
    """
    text = text.replace("\r\n", "\n").strip() + "\n"
    if not text.strip():
        raise Refused("bad_text", "The text is empty.")
    if len(text) > MAX_CHARACTERS:
        raise Refused("bad_text", f"The text has more than {MAX_CHARACTERS} characters.")
    if "\0" in text:
        raise Refused("bad_text", "The text has a character that cannot be kept.")
    if any(name not in _KNOWN for name in _PLACEHOLDER.findall(text)):
        raise Refused(
            "bad_text", "In double braces only {{group}} and {{clinic}} can stand in a text."
        )
    return text


def filled(text: str, *, group: str, clinic: str) -> str:
    """A text with the names in place; nothing in them counts as Markdown."""
    names = {"group": group, "clinic": clinic}
    return _PLACEHOLDER.sub(lambda match: _MARKDOWN.sub(r"\\\1", names[match[1]]), text)
