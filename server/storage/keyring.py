"""The key ring: the keys that sealed values, backups and the audit's anchor are under.

As text it has one key a line, ``id:key``, the key being 32 random bytes in base64. The first is the
current one, which seals; all of them open. Empty lines and lines that begin with ``#`` are skipped.
In an environment variable commas can stand in place of line ends.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.storage.errors import KeyRingError

KEY_BYTES = 32
_KEY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the ring. The secret itself encrypts nothing; keys derived from it do."""

    id: str
    secret: bytes = field(repr=False)

    def derive(self, purpose: str, salt: bytes = b"") -> bytes:
        """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
        info = f"holdspace {purpose}".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=salt or None, info=info).derive(self.secret)


class KeyRing:
    """Keys by id; the first seals, all open.

    Raises:
        KeyRingError: if there is no key, or an id or a key is there twice.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise KeyRingError("The key ring has no key.")
        self._keys = {key.id: key for key in keys}
        if len(self._keys) < len(keys):
            raise KeyRingError("The key ring has two keys with the same id.")
        if len({key.secret for key in keys}) < len(keys):
            raise KeyRingError("The key ring has the same key twice, under two ids.")
        self.current = keys[0]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def key(self, key_id: str) -> Key:
        """The key with this id.

        Raises:
            KeyRingError: if the ring does not have it.
        """
        try:
            return self._keys[key_id]
        except KeyError:
            raise KeyRingError(f"The key ring has no key {key_id!r}.") from None


def parse_keyring(text: str) -> KeyRing:
    """Read a key ring from its text.

    Raises:
        KeyRingError: naming the line, never what stands in it.
    """
    keys = []
    for number, line in enumerate(re.split(r"[\n,]", text), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        key_id, colon, encoded = entry.partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise KeyRingError(
                f"Line {number} of the key ring is not an id of lower-case letters, digits and "
                "hyphens, a colon and a key."
            )
        try:
            secret = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise KeyRingError(f"The key in line {number} of the key ring is not base64.") from None
        if len(secret) != KEY_BYTES:
            raise KeyRingError(
                f"The key in line {number} of the key ring does not have {KEY_BYTES} bytes."
            )
        keys.append(Key(key_id, secret))
    return KeyRing(keys)


def load_keyring(*, file: Path | None = None, text: str | None = None) -> KeyRing:
    """Read the key ring from a file, or from the value of an environment variable.

    Raises:
        KeyRingError: if neither or both are given, or what is given is no key ring.
    """
    if (file is None) == (text is None):
        raise KeyRingError("The key ring has to come from a file or from the environment.")
    if file is not None:
        try:
            text = file.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise KeyRingError(f"The key ring file {file} cannot be read: {reason}.") from None
    assert text is not None
    return parse_keyring(text)


def generate_key_line(now: datetime | None = None) -> str:
    """A line with a new random key. Put first into the key ring, it becomes the current one.

    The id has the day, to tell keys apart by age, and four random characters.
    """
    day = f"{now or datetime.now(UTC):%Y%m%d}"
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"{day}-{secrets.token_hex(2)}:{key}"


def create_keyring_file(path: Path) -> None:
    """Make a key ring file with one new key, readable by its owner only.

    Raises:
        KeyRingError: if the file is there already, or cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(generate_key_line() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyRingError(f"The key ring file {path} cannot be made: {error.strerror}.") from None
