"""The formats that sessions may have, read from a folder of TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from moderation.formats import FormatError, Formats
from server.settings import SettingsError


def shipped_formats() -> Path:
    """The folder that comes along: in a checkout beside this package, in a wheel inside it."""
    here = Path(__file__).parent
    in_checkout = here.parent / "config" / "formats"
    return in_checkout if in_checkout.is_dir() else here / "config" / "formats"


def load_formats(folder: Path) -> Formats:
    """Read each ``.toml`` file in ``folder``; a format's name is its file's.

    Raises:
        SettingsError: naming the file and the key that is wrong.
    """
    mappings: dict[str, dict[str, object]] = {}
    try:
        for path in sorted(folder.glob("*.toml")):
            mappings[path.stem] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The formats in {folder} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise SettingsError(f"The format {path} is not valid TOML: {error}.") from None
    if not mappings:
        raise SettingsError(f"There is no format in {folder} (setting formats_dir).")
    try:
        return Formats.parse(mappings)
    except FormatError as error:
        raise SettingsError(f"A format in {folder} is wrong: {error}.") from None
