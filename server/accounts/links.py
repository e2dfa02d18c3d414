"""The links that people get, and the address that they begin with.

The token stands in the fragment, which browsers send to no server and no log keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from server.refusals import Refused


@dataclass(frozen=True, slots=True)
class Site:
    """Under which address people reach this server.

    Args:
        origin: such as ``https://groups.example.org``.
    """

    origin: str

    @property
    def host(self) -> str:
        """The host's name alone: the relying party's id of passkeys."""
        return urlsplit(self.origin).hostname or ""

    def invitation(self, token: str) -> str:
        return f"{self.origin}/invitation#{token}"

    def verify_email(self, token: str) -> str:
        return f"{self.origin}/verify-email#{token}"

    def reset_password(self, token: str) -> str:
        return f"{self.origin}/reset-password#{token}"


def site_of(public_url: str | None, host: str) -> Site:
    """The address of this server.

    Args:
        public_url: the setting, which alone counts if there is one.
        host: that a request was sent to. Anyone can send any, so only loopback is believed.

    Raises:
        Refused: ``no_public_url``.
    """
    if public_url is not None:
        return Site(public_url)
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or ip_address(name).is_loopback:
            return Site(f"http://{host}")
    except ValueError:
        pass
    raise Refused(
        "no_public_url",
        "This server does not know its own address yet. Whoever runs it has to set public_url.",
        503,
    )
