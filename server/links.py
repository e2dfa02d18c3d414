"""Links into rooms."""

from __future__ import annotations

import re
from datetime import timedelta

from server.admission import LinkTokens
from signaling.messages import Role

_ROOM = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Links:
    """Makes links that admit whoever has them.

    Args:
        base_url: where people reach the server, without a slash at the end.
        tokens: signs them.
        lifetime: for how long a link is valid.
    """

    def __init__(self, base_url: str, tokens: LinkTokens, lifetime: timedelta) -> None:
        self._base_url = base_url
        self._tokens = tokens
        self._lifetime = lifetime

    def to(self, room: str, role: Role) -> str:
        """A link to a room for a role.

        Raises:
            ValueError: if a room cannot have this name.
        """
        if not _ROOM.fullmatch(room):
            raise ValueError(
                "a room's name has up to 63 lower-case letters, digits and hyphens, and does not "
                "begin with a hyphen"
            )
        # The token stands in the fragment, which browsers send to no server.
        token = self._tokens.issue(room, role, self._lifetime)
        return f"{self._base_url}/room/{room}#{token}"
