"""The lite side of ICE for one peer (RFC 8445), without I/O.

A lite agent has host candidates only, sends no checks and is always controlled: it answers
Binding requests that carry its credentials, and takes the pair that the other side nominates.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aioice import stun

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as `socket.recvfrom` gives it, IPv4 or IPv6."""


@dataclass(frozen=True)
class Credentials:
    """An ICE user name fragment and password (RFC 8839 section 5.4)."""

    ufrag: str
    pwd: str

    @classmethod
    def generate(cls) -> Credentials:
        return cls(ufrag=secrets.token_hex(4), pwd=secrets.token_hex(16))


@dataclass(frozen=True)
class Answered:
    """A Binding request that carried the right credentials, and the response to send back."""

    response: bytes
    accepted: bool
    """False for a role conflict: the response is an error and the check is no consent."""
    nominated: bool


def requested_ufrag(request: stun.Message) -> str | None:
    """The user name fragment of the agent that a Binding request is meant for, or None."""
    if request.message_method != stun.Method.BINDING or request.message_class != stun.Class.REQUEST:
        return None
    username = request.attributes.get("USERNAME", "")
    local, colon, _ = username.partition(":")
    return local if colon else None


class LiteAgent:
    """Answers the connectivity and consent checks of one peer.

    After :meth:`restart` the old credentials stay good until a check with the new ones arrives,
    so that media goes on flowing meanwhile (RFC 8445 section 9). If another restart comes before
    that, the old ones are still those in use: new ones that nobody used give way at once.
    """

    def __init__(self) -> None:
        self.local = Credentials.generate()
        self.remote_ufrag: str | None = None
        self._previous: Credentials | None = None

    @property
    def ufrags(self) -> list[str]:
        """The fragments by which checks for this agent are recognised, newest first."""
        return [c.ufrag for c in (self.local, self._previous) if c is not None]

    def restart(self) -> None:
        """Take new local credentials; the answer brings the new remote fragment."""
        if self._previous is None:
            self._previous = self.local
        self.local = Credentials.generate()
        self.remote_ufrag = None

    def answer(self, request: stun.Message, source: Address) -> Answered | None:
        """Answer a Binding request from `source`; None if its credentials are wrong.

        A request with ICE-CONTROLLED comes from an agent that believes us to be controlling,
        which a lite agent never is: it is told to switch with 487 (RFC 8445 section 7.3.1.1).
        """
        local, _, remote = str(request.attributes.get("USERNAME", "")).partition(":")
        if local == self.local.ufrag:
            credentials = self.local
            if self.remote_ufrag is not None and remote != self.remote_ufrag:
                return None
        elif self._previous is not None and local == self._previous.ufrag:
            credentials = self._previous
        else:
            return None
        key = credentials.pwd.encode()
        if not request.check_message_integrity(key):
            return None
        if credentials is self.local:
            self._previous = None

        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        conflict = "ICE-CONTROLLED" in request.attributes
        if conflict:
            response.message_class = stun.Class.ERROR
            response.attributes["ERROR-CODE"] = (487, "Role Conflict")
        else:
            host = source[0].partition("%")[0]
            response.attributes["XOR-MAPPED-ADDRESS"] = (host, source[1])
        response.add_message_integrity(key)
        return Answered(
            response=bytes(response),
            accepted=not conflict,
            nominated=not conflict and "USE-CANDIDATE" in request.attributes,
        )
