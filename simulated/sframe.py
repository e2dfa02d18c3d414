"""SFrame (RFC 9605): the header, and frames sealed with AES-GCM."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_NONCE_LENGTH: Final = 12


class Suite(NamedTuple):
    """A cipher suite (RFC 9605 section 4.5); both have tags of 16 bytes."""

    number: int
    digest: type[HashAlgorithm]
    key_length: int
    """Nk, in bytes."""


AES_128_GCM_SHA256_128: Final = Suite(0x0004, SHA256, 16)
AES_256_GCM_SHA512_128: Final = Suite(0x0005, SHA512, 32)


class NotSFrame(ValueError):
    """Some bytes do not begin with an SFrame header."""


class Header(NamedTuple):
    """RFC 9605 section 4.3."""

    kid: int
    counter: int
    length: int
    """Of the header, in bytes."""


def write_header(kid: int, counter: int) -> bytes:
    config, tail = 0, b""
    for shift, value in ((4, kid), (0, counter)):
        if value < 8:
            config |= value << shift
        else:
            length = (value.bit_length() + 7) // 8
            config |= (8 | length - 1) << shift
            tail += value.to_bytes(length)
    return bytes([config]) + tail


def read_header(data: bytes) -> Header:
    """Read the header that `data` begins with.

    Raises:
        NotSFrame: it ends too soon.
    """
    if not data:
        raise NotSFrame("is empty")
    at, values = 1, []
    for shift in (4, 0):
        field = data[0] >> shift & 0x0F
        if field < 8:
            values.append(field)
            continue
        end = at + field - 7
        if end > len(data):
            raise NotSFrame("ends within the header")
        values.append(int.from_bytes(data[at:end]))
        at = end
    return Header(values[0], values[1], at)


class FrameKey:
    """What seals and opens the frames of one KID (RFC 9605 section 4.4)."""

    def __init__(self, suite: Suite, kid: int, base_key: bytes) -> None:
        self._kid = kid
        secret = hmac.digest(b"", base_key, suite.digest().name)  # HKDF-Extract without salt
        context = kid.to_bytes(8) + suite.number.to_bytes(2)

        def expand(label: bytes, length: int) -> bytes:
            info = b"SFrame 1.0 Secret " + label + b" " + context
            return HKDFExpand(suite.digest(), length, info).derive(secret)

        self._aead = AESGCM(expand(b"key", suite.key_length))
        self._salt = int.from_bytes(expand(b"salt", _NONCE_LENGTH))

    def seal(self, counter: int, plaintext: bytes, metadata: bytes = b"") -> bytes:
        """Header and ciphertext; no counter may be used twice."""
        header = write_header(self._kid, counter)
        return header + self._aead.encrypt(self._nonce(counter), plaintext, header + metadata)

    def open(self, header: Header, frame: bytes, metadata: bytes = b"") -> bytes | None:
        """The plaintext of a frame that begins with `header`; None if it was not sealed so."""
        aad = frame[: header.length] + metadata
        try:
            return self._aead.decrypt(self._nonce(header.counter), frame[header.length :], aad)
        except InvalidTag:
            return None

    def _nonce(self, counter: int) -> bytes:
        return (self._salt ^ counter).to_bytes(_NONCE_LENGTH)
