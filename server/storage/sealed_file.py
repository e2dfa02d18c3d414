"""A file sealed as a whole, in chunks, so that it can be of any size.

It is ``magic | length of key id (1 byte) | key id | salt (32 bytes)``, the header, and then chunks,
each ``length (4 bytes) | ciphertext and tag``, by AES-256-GCM under a key derived from the key
ring's and the salt. A chunk's nonce and its associated data (with the header) have its number and
whether it is the last: chunks cannot be removed, repeated, reordered, or cut off at the end. This
is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.storage.errors import KeyRingError, SealError
from server.storage.keyring import KeyRing

_MAGIC = b"holdspace sealed 1\n"
_SALT_BYTES = 32
_CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_PURPOSE = "sealed file"


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class SealedWriter:
    """Seals what is written, under the current key. Without `finish` the file is not valid."""

    def __init__(self, file: BinaryIO, keyring: KeyRing) -> None:
        key = keyring.current
        key_id = key.id.encode()
        salt = os.urandom(_SALT_BYTES)
        self._file = file
        self._header = _MAGIC + bytes([len(key_id)]) + key_id + salt
        self._cipher = AESGCM(key.derive(_PURPOSE, salt))
        self._number = 0
        self._buffer = bytearray()
        file.write(self._header)

    def write(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) > _CHUNK_BYTES:
            chunk = bytes(self._buffer[:_CHUNK_BYTES])
            del self._buffer[:_CHUNK_BYTES]
            self._write_chunk(chunk, is_last=False)

    def finish(self) -> None:
        """Write the last chunk."""
        self._write_chunk(bytes(self._buffer), is_last=True)
        self._buffer.clear()

    def _write_chunk(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        sealed = self._cipher.encrypt(nonce, chunk, self._header + nonce)
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


def read_sealed(file: BinaryIO, keyring: KeyRing) -> Iterator[bytes]:
    """The chunks, each verified before it is given; that it is whole is known only after the last.

    Raises:
        KeyRingError: if its key is not in the ring.
        SealError: if it is no sealed file, or was altered or cut off.
    """
    magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        raise SealError("This is not a file that Holdspace sealed.")
    length = file.read(1)
    key_id = file.read(length[0]) if length else b""
    salt = file.read(_SALT_BYTES)
    header = magic + length + key_id + salt
    try:
        key = keyring.key(key_id.decode("ascii"))
    except UnicodeDecodeError:
        raise KeyRingError("The key ring has no such key.") from None
    cipher = AESGCM(key.derive(_PURPOSE, salt))
    number = 0
    size = file.read(4)
    while True:
        expected = int.from_bytes(size, "big")
        sealed = file.read(expected) if expected <= _CHUNK_BYTES + _TAG_BYTES else b""
        size = file.read(4)
        is_last = not size
        nonce = _nonce(number, is_last=is_last)
        try:
            yield cipher.decrypt(nonce, sealed, header + nonce)
        except (InvalidTag, ValueError):
            raise SealError("The sealed file was altered, or its end is missing.") from None
        if is_last:
            return
        number += 1
