"""How benchmarks and tests start Chromium."""

from __future__ import annotations

import shutil

CHROMIUM_FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]
FAKE_DEVICES = ["--use-fake-device-for-media-stream=fps=5", "--use-fake-ui-for-media-stream"]
"""Several pages share few cores, so their cameras are slow."""


def chromium() -> str:
    """Debian's Chromium that has no windows: the other one runs more for each, even unseen."""
    path = shutil.which("chromium-headless-shell")
    assert path is not None, "chromium-headless-shell is needed; `make test` installs it"
    return path
