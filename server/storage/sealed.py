"""Sealed columns: private text, encrypted so that it opens only in its own place.

A sealed value is ``version (1 byte) | length of key id (1 byte) | key id | nonce (12 bytes) |
ciphertext and tag``, by AES-256-GCM. Its associated data are everything before the nonce and the
table, column and row that it belongs to, so that a value copied elsewhere does not open there.

Opening is always an explicit call, never a side effect of loading a row: whoever looks at sealed
data has to be on record. For people's requests use `server.audit.viewing.view_sealed`, which does
both. Nonces are random, so a key should be replaced before it has sealed 2³² values.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Dialect, LargeBinary, Table
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.types import TypeDecorator

from server.storage.errors import SealError
from server.storage.keyring import Key, KeyRing

SealedValue = NewType("SealedValue", bytes)

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PURPOSE = "sealed value"


class Sealed(TypeDecorator[bytes]):
    """The type of sealed columns. It does not open them; it refuses to store anything unsealed."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - given by name
        if value is not None:
            key_id_of(SealedValue(value))
        return value


class Place(NamedTuple):
    """Where a sealed value belongs."""

    table: str
    column: str
    row: str

    @classmethod
    def of(cls, attribute: QueryableAttribute[Any], row: str) -> Place:
        """The place of a model's attribute, such as ``Account.email``, in the row with this id."""
        table = attribute.class_.__table__
        assert isinstance(table, Table)
        column: Column[Any] = attribute.property.columns[0]
        return cls(table.name, column.name, row)


def prefix(key: Key) -> bytes:
    """How every value sealed under this key begins."""
    key_id = key.id.encode()
    return bytes([_VERSION, len(key_id)]) + key_id


def key_id_of(value: SealedValue) -> str:
    """The id of the key that a value is sealed under.

    Raises:
        SealError: if this is not a sealed value.
    """
    id_end = 2 + value[1] if len(value) > 2 else 0
    if value[:1] != bytes([_VERSION]) or len(value) < id_end + _NONCE_BYTES + _TAG_BYTES:
        raise SealError("This is not a sealed value.")
    try:
        return bytes(value[2:id_end]).decode("ascii")
    except UnicodeDecodeError:
        raise SealError("This is not a sealed value.") from None


def _associated_data(start: bytes, place: Place) -> bytes:
    parts = [start, *(part.encode() for part in place)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(keyring: KeyRing, place: Place, text: str) -> SealedValue:
    """Seal a text under the current key for one place."""
    start = prefix(keyring.current)
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(keyring.current.derive(_PURPOSE))
    return SealedValue(
        start + nonce + cipher.encrypt(nonce, text.encode(), _associated_data(start, place))
    )


def open_sealed(keyring: KeyRing, place: Place, value: SealedValue) -> str:
    """Open what was sealed for this place.

    Raises:
        KeyRingError: if its key is not in the ring.
        SealError: if it was altered, or sealed for another place or under another key.
    """
    start = prefix(key := keyring.key(key_id_of(value)))
    nonce_end = len(start) + _NONCE_BYTES
    nonce, ciphertext = value[len(start) : nonce_end], value[nonce_end:]
    cipher = AESGCM(key.derive(_PURPOSE))
    try:
        text = cipher.decrypt(nonce, ciphertext, _associated_data(start, place))
    except InvalidTag:
        raise SealError(f"A sealed value in {place.table}.{place.column} does not open.") from None
    return text.decode()
