"""Settings for a server that a test runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.settings import Settings
from tests.migrated import put_migrated


def on_loopback(data_dir: Path, **changes: Any) -> Settings:
    """On ports of the system's choice, with a new database in `data_dir`."""
    put_migrated(data_dir)
    given = {
        "host": "127.0.0.1",
        "port": 0,
        "data_dir": data_dir,
        "media_bind": ["127.0.0.1"],
        "media_port": 0,
    }
    return Settings(**{**given, **changes})
