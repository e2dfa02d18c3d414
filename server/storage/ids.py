"""Random ids of rows, and tokens that are kept only as hashes."""

from __future__ import annotations

import hashlib
import secrets

ID_LENGTH = 22


def new_id() -> str:
    """An id that tells nothing: 128 random bits in base64url, 22 characters."""
    return secrets.token_urlsafe(16)


def new_token() -> str:
    """A secret for a link or a cookie: 256 random bits in base64url."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What of a token is stored: its SHA-256.

    A plain hash is enough where, as in `new_token`, there is nothing to guess.
    """
    return hashlib.sha256(token.encode()).digest()
