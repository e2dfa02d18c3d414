"""Who someone is to the MLS group: an id that proves itself, and a credential."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from signaling.messages import Role

_LONGEST = 512
"""Bytes; more than 40 characters of any kind need."""


def person_id(signature_key: bytes) -> str:
    """The id of whoever has this Ed25519 public key (32 bytes): 22 characters.

    Anyone who sees the key can work it out, so nobody, not even the server, can give someone's
    id to another.
    """
    digest = sha256(b"holdspace person" + signature_key).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


@dataclass(frozen=True)
class Credential:
    """What the identity of a basic credential (RFC 9420 section 5.3) says."""

    name: str
    """How the person wants to be called, as in :class:`signaling.messages.Join`."""
    role: Role

    def encode(self) -> bytes:
        """As compact JSON in UTF-8, just as JavaScript's ``JSON.stringify`` writes it."""
        text = json.dumps(
            {"name": self.name, "role": self.role}, ensure_ascii=False, separators=(",", ":")
        )
        return text.encode()

    @classmethod
    def decode(cls, identity: bytes) -> Credential:
        """Read what :meth:`encode` writes, and nothing else.

        Raises:
            ValueError: it is something else.
        """
        if len(identity) > _LONGEST:
            raise ValueError("is too long for a credential")
        value = json.loads(identity.decode())
        match value:
            case {"name": str(name), "role": "participant" | "facilitator" as role}:
                credential = cls(name, role)
            case _:
                raise ValueError("is not a name and a role")
        if not 1 <= len(name) <= 40 or name != name.strip():
            raise ValueError("is not a name that can be shown")
        if credential.encode() != identity:  # other keys or spaces: two readings of one person
            raise ValueError("is not written the one way it is to be")
        return credential
