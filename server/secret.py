"""The secret that signs links: given, or made once and kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from server.settings import Settings, SettingsError

MIN_CHARS = 32


def server_secret(settings: Settings) -> str:
    """The secret from the settings, or else from the file ``secret`` in the data folder.

    The file is made if there is none, readable by its owner only.

    Raises:
        SettingsError: naming ``data_dir``, if the file can be neither read nor made.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    path = settings.data_dir / "secret"
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"The secret in data_dir, {path}, cannot be read or made: {reason}."
        ) from None
    if len(secret) < MIN_CHARS:
        raise SettingsError(f"The secret in data_dir, {path}, is shorter than {MIN_CHARS}.")
    return secret


def _create(path: Path) -> None:
    """Write a new secret so that it is there whole or not at all."""
    draft = path.with_name(f"secret.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link does not replace what another process made in the meantime.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
