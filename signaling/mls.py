"""The public parts of MLS messages (RFC 9420), as far as a delivery service needs them.

Nothing here has, or could use, a secret. Whatever is malformed raises :class:`NotMls`; each
message is read in one pass, in time that grows with its length alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# The values of RFC 9420 that are let in; each has others.
_MLS10: Final = 1
_PUBLIC_MESSAGE: Final = 1
_PRIVATE_MESSAGE: Final = 2
_WELCOME: Final = 3
_KEY_PACKAGE: Final = 5
_BASIC: Final = 1
_MEMBER: Final = 1
_COMMIT: Final = 3
_BY_VALUE: Final = 1
_ADD: Final = 1
_REMOVE: Final = 3
_FROM_KEY_PACKAGE: Final = 1
_FROM_UPDATE: Final = 2
_FROM_COMMIT: Final = 3
_LEAF: Final = 1
_PARENT: Final = 2

APPLICATION: Final = 1
"""The content type of application data (RFC 9420 section 6)."""

_DEFAULT_EXTENSIONS = range(1, 6)
"""Extension types that every leaf supports without saying so (RFC 9420 section 7.2)."""


class NotMls(ValueError):
    """Some bytes are not the MLS message that they are to be."""


class _Suite(NamedTuple):
    digest: Callable[[bytes], bytes]
    key_length: int
    """Bytes of an HPKE public key."""


_SUITES = {
    0x0001: _Suite(lambda data: sha256(data).digest(), 32),  # DHKEM(X25519)
    0x0053: _Suite(lambda data: sha512(data).digest(), 1_216),  # X-Wing
}
"""By their number; all of them sign with Ed25519."""


class Leaf(NamedTuple):
    """Who sits at a leaf of the ratchet tree (RFC 9420 section 7.2)."""

    signature_key: bytes
    encryption_key: bytes
    identity: bytes
    """Of the basic credential."""


@dataclass(frozen=True)
class KeyPackage:
    """What someone can be added with (RFC 9420 section 10)."""

    body: bytes
    """The KeyPackage struct, as an Add proposal holds it: without the MLSMessage around it."""
    ciphersuite: int
    init_key: bytes
    leaf: Leaf
    not_before: int
    """Unix time in s, as `not_after`."""
    not_after: int
    _signed: bytes
    _signature: bytes
    _leaf_signed: bytes
    _leaf_signature: bytes

    def ref(self) -> bytes:
        """How a Welcome names it (KeyPackageRef, RFC 9420 section 5.2)."""
        label = _opaque(b"MLS 1.0 KeyPackage Reference")
        return _SUITES[self.ciphersuite].digest(label + _opaque(self.body))

    def verify(self) -> None:
        """Check that whoever has the signature key made this, and the leaf in it.

        Raises:
            NotMls: they did not.
        """
        key = Ed25519PublicKey.from_public_bytes(self.leaf.signature_key)
        _verify(key, b"LeafNodeTBS", self._leaf_signed, self._leaf_signature)
        _verify(key, b"KeyPackageTBS", self._signed, self._signature)


@dataclass(frozen=True)
class PublicCommit:
    """What everyone may see of a commit that a member made (RFC 9420 section 12.4)."""

    group: bytes
    epoch: int
    """The one that it ends."""
    sender_leaf: int
    adds: tuple[bytes, ...]
    """Of each Add its KeyPackage struct, in order (compare `KeyPackage.body`)."""
    removes: tuple[int, ...]
    """Leaves, in order."""
    path_leaf: Leaf | None
    """What the sender's own leaf becomes, if the commit has an update path."""


@dataclass(frozen=True)
class Welcome:
    ciphersuite: int
    refs: tuple[bytes, ...]
    """The key packages of those whom it welcomes (see `KeyPackage.ref`)."""


@dataclass(frozen=True)
class PrivateMessage:
    group: bytes
    epoch: int
    content_type: int


class _Reader:
    """Takes apart TLS presentation language (RFC 8446 section 3), with the vectors of RFC 9420."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self.position = start

    def take(self, length: int) -> bytes:
        return self._data[self._advance(length) : self.position]

    def uint(self, length: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(length))

    def expect(self, length: int, value: int, what: str) -> None:
        if self.uint(length) != value:
            raise NotMls(f"is not of the {what} that is let in")

    def opaque(self) -> bytes:
        return self.take(self._vector_length())

    def vector(self) -> _Reader:
        """A reader of just what the vector that begins here holds."""
        length = self._vector_length()
        return _Reader(self._data, self._advance(length), self.position)

    def numbers(self, length: int) -> frozenset[int]:
        """A vector of numbers of so many bytes each."""
        items = self.vector()
        numbers = set()
        while items.more():
            numbers.add(items.uint(length))
        return frozenset(numbers)

    def optional(self) -> bool:
        """Whether an optional value is there (RFC 9420 section 2.1.1)."""
        present = self.uint(1)
        if present > 1:
            raise NotMls("has a value that is neither there nor not")
        return present == 1

    def more(self) -> bool:
        return self.position < self._end

    def since(self, start: int) -> bytes:
        """What was read since the reader was at `start`."""
        return self._data[start : self.position]

    def finish(self) -> None:
        if self.more():
            raise NotMls("goes on after its end")

    def _advance(self, length: int) -> int:
        """Pass over so many bytes; where they begin."""
        start = self.position
        if length > self._end - start:
            raise NotMls("ends too soon")
        self.position += length
        return start

    def _vector_length(self) -> int:
        """RFC 9420 section 2.1.2: 6, 14 or 30 bits after two that say which; the shortest way."""
        first = self.uint(1)
        exponent = first >> 6
        if exponent == 3:
            raise NotMls("has a vector of no known length")
        length = first & 0x3F
        for _ in range((1 << exponent) - 1):
            length = length << 8 | self.uint(1)
        if exponent and length < 1 << (8 * (1 << exponent >> 1) - 2):
            raise NotMls("has a length that is not written the shortest way")
        return length


def read_key_package(data: bytes) -> KeyPackage:
    """Read an MLSMessage with a KeyPackage. Who made it is not known until it is verified."""
    reader = _message(data, _KEY_PACKAGE)
    package = _key_package(reader)
    reader.finish()
    return package


def read_commit(data: bytes) -> PublicCommit:
    """Read an MLSMessage with a PublicMessage in which a member commits Adds and Removes.

    Who made it, and whether it fits its group, only the members can tell.
    """
    reader = _message(data, _PUBLIC_MESSAGE)
    group, epoch = reader.opaque(), reader.uint(8)
    reader.expect(1, _MEMBER, "sender type")
    sender_leaf = reader.uint(4)
    reader.opaque()  # authenticated data
    reader.expect(1, _COMMIT, "content type")
    adds, removes = [], []
    proposals = reader.vector()
    while proposals.more():
        proposals.expect(1, _BY_VALUE, "proposal kind")
        proposal_type = proposals.uint(2)
        if proposal_type == _ADD:
            adds.append(_key_package(proposals).body)
        elif proposal_type == _REMOVE:
            removes.append(proposals.uint(4))
        else:
            raise NotMls("proposes something else than to add and to remove")
    path_leaf = _update_path(reader) if reader.optional() else None
    for _ in range(3):  # signature, confirmation tag, membership tag
        reader.opaque()
    reader.finish()
    return PublicCommit(group, epoch, sender_leaf, tuple(adds), tuple(removes), path_leaf)


def read_welcome(data: bytes) -> Welcome:
    """Read an MLSMessage with a Welcome (RFC 9420 section 12.4.3.1)."""
    reader = _message(data, _WELCOME)
    ciphersuite = _suite_number(reader)
    refs = []
    secrets = reader.vector()
    while secrets.more():
        refs.append(secrets.opaque())
        _hpke_ciphertext(secrets)
    reader.opaque()  # encrypted group info
    reader.finish()
    return Welcome(ciphersuite, tuple(refs))


def read_private_message(data: bytes) -> PrivateMessage:
    """Read the outside of an MLSMessage with a PrivateMessage (RFC 9420 section 6.3)."""
    reader = _message(data, _PRIVATE_MESSAGE)
    group, epoch, content_type = reader.opaque(), reader.uint(8), reader.uint(1)
    for _ in range(3):  # authenticated data, encrypted sender data, ciphertext
        reader.opaque()
    reader.finish()
    return PrivateMessage(group, epoch, content_type)


def read_ratchet_tree(data: bytes) -> list[Leaf | None]:
    """Read what a ratchet_tree extension holds (RFC 9420 section 12.4.3.3): leaves by index."""
    reader = _Reader(data, 0, len(data))
    nodes = reader.vector()
    reader.finish()
    leaves: list[Leaf | None] = []
    is_leaf, blank = True, True
    while nodes.more():
        blank = not nodes.optional()
        if is_leaf:
            leaves.append(None if blank else _tree_leaf(nodes))
        elif not blank:
            nodes.expect(1, _PARENT, "node type")
            nodes.opaque()  # encryption key
            nodes.opaque()  # parent hash
            nodes.numbers(4)  # unmerged leaves
        is_leaf = not is_leaf
    if blank:
        raise NotMls("ends in a blank node")
    return leaves


def _message(data: bytes, wire_format: int) -> _Reader:
    reader = _Reader(data, 0, len(data))
    reader.expect(2, _MLS10, "version")
    reader.expect(2, wire_format, "wire format")
    return reader


def _suite_number(reader: _Reader) -> int:
    number = reader.uint(2)
    if number not in _SUITES:
        raise NotMls("is of an unknown cipher suite")
    return number


def _key_package(reader: _Reader) -> KeyPackage:
    start = reader.position
    reader.expect(2, _MLS10, "version")
    number = _suite_number(reader)
    init_key = reader.opaque()
    node = _leaf_node(reader)
    if node.lifetime is None:
        raise NotMls("has a leaf that was not made for a key package")
    _extension_types(reader)
    signed = reader.since(start)
    signature = reader.opaque()
    length = _SUITES[number].key_length
    if len(init_key) != length or len(node.leaf.encryption_key) != length:
        raise NotMls("has a key of the wrong length")
    if init_key == node.leaf.encryption_key:  # RFC 9420 section 10.1
        raise NotMls("has the same key twice")
    if number not in node.suites:
        raise NotMls("is for a cipher suite that its leaf does not support")
    return KeyPackage(
        body=reader.since(start),
        ciphersuite=number,
        init_key=init_key,
        leaf=node.leaf,
        not_before=node.lifetime[0],
        not_after=node.lifetime[1],
        _signed=signed,
        _signature=signature,
        _leaf_signed=node.signed,
        _leaf_signature=node.signature,
    )


class _LeafNode(NamedTuple):
    leaf: Leaf
    suites: frozenset[int]
    """That it supports."""
    source: int
    lifetime: tuple[int, int] | None
    """Of a leaf from a key package."""
    signed: bytes
    """LeafNodeTBS (RFC 9420 section 7.2), without the group that a leaf of other source names."""
    signature: bytes


def _leaf_node(reader: _Reader) -> _LeafNode:
    start = reader.position
    encryption_key, signature_key = reader.opaque(), reader.opaque()
    if len(signature_key) != 32:
        raise NotMls("has a signature key of the wrong length")
    reader.expect(2, _BASIC, "credential type")
    identity = reader.opaque()
    versions, suites, extensions, _proposals, credentials = (reader.numbers(2) for _ in range(5))
    if _MLS10 not in versions or _BASIC not in credentials:
        raise NotMls("has a leaf that does not support what it is made of")
    source, lifetime = reader.uint(1), None
    if source == _FROM_KEY_PACKAGE:
        lifetime = (reader.uint(8), reader.uint(8))
    elif source == _FROM_COMMIT:
        reader.opaque()  # parent hash
    elif source != _FROM_UPDATE:
        raise NotMls("has a leaf of unknown source")
    if not _extension_types(reader) <= extensions.union(_DEFAULT_EXTENSIONS):
        raise NotMls("has a leaf with an extension that it does not support")
    signed = reader.since(start)
    leaf = Leaf(signature_key, encryption_key, identity)
    return _LeafNode(leaf, suites, source, lifetime, signed, reader.opaque())


def _tree_leaf(reader: _Reader) -> Leaf:
    reader.expect(1, _LEAF, "node type")
    return _leaf_node(reader).leaf


def _update_path(reader: _Reader) -> Leaf:
    """RFC 9420 section 7.6; the sender's new leaf."""
    node = _leaf_node(reader)
    if node.source != _FROM_COMMIT:
        raise NotMls("has a path whose leaf was not made for a commit")
    nodes = reader.vector()
    while nodes.more():
        nodes.opaque()  # encryption key
        secrets = nodes.vector()
        while secrets.more():
            _hpke_ciphertext(secrets)
    return node.leaf


def _hpke_ciphertext(reader: _Reader) -> None:
    reader.opaque()  # KEM output
    reader.opaque()  # ciphertext


def _extension_types(reader: _Reader) -> frozenset[int]:
    types: set[int] = set()
    extensions = reader.vector()
    while extensions.more():
        extension_type = extensions.uint(2)
        if extension_type in types:
            raise NotMls("has an extension twice")
        types.add(extension_type)
        extensions.opaque()
    return frozenset(types)


def _opaque(value: bytes) -> bytes:
    """A vector of bytes, written as RFC 9420 section 2.1.2 has it."""
    length = len(value)
    if length < 1 << 6:
        return length.to_bytes(1) + value
    if length < 1 << 14:
        return (1 << 14 | length).to_bytes(2) + value
    return (2 << 30 | length).to_bytes(4) + value


def _verify(key: Ed25519PublicKey, label: bytes, content: bytes, signature: bytes) -> None:
    """VerifyWithLabel (RFC 9420 section 5.1.2)."""
    signed = _opaque(b"MLS 1.0 " + label) + _opaque(content)
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise NotMls("is not signed with its key") from None
