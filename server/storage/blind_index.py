"""Finding an account by its email without storing the email in the clear.

The index is an HMAC-SHA256 of the email under a key derived from the key ring. It lets the server
find equal emails and nothing else; whoever has the database without the key ring cannot try emails.
Rotation (`reseal`) makes it anew under the current key, so look it up under all of them.
"""

from __future__ import annotations

import hmac
import unicodedata

from server.storage.keyring import Key, KeyRing

_PURPOSE = "blind index"


def normalized(email: str) -> str:
    """The form in which emails are compared: NFKC, without case and surrounding space."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def _index(key: Key, email: str) -> bytes:
    return hmac.digest(key.derive(_PURPOSE), normalized(email).encode(), "sha256")


def blind_index(keyring: KeyRing, email: str) -> bytes:
    """The index to store, under the current key."""
    return _index(keyring.current, email)


def blind_indexes(keyring: KeyRing, email: str) -> list[bytes]:
    """What to look for: ``Account.email_index.in_(blind_indexes(...))``.

    Look before making an account, too: the column is unique, but an account that is not resealed
    yet has its email under an older key.
    """
    return [_index(key, email) for key in keyring]
