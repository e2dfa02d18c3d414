"""One member of a room's MLS group (RFC 9420), on mls-rs, with cipher suite 1."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, NamedTuple, TypedDict

import mls_rs_uniffi as mls

from signaling.identity import Credential, person_id
from signaling.messages import Ciphersuite, Role
from signaling.mls import Leaf, read_private_message, read_ratchet_tree
from simulated.sealing import EpochKeys

CIPHERSUITE: Final[Ciphersuite] = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
"""The only one that mls-rs's binding has."""

_SUITE: Final = mls.CipherSuite.CURVE25519_AES128
_EXPORTER_LABEL: Final = b"SFrame 1.0 Base Key"
_BASE_KEY_LENGTH: Final = 16
_SHORTEST_CHAT: Final = 256
"""Bytes that a chat message is padded to at least."""
_KEPT_KEY_PACKAGES: Final = 4
"""A Welcome may be on its way for one that is no longer the latest."""


class GroupFailure(Exception):
    """The group's state is lost, or does not fit what is asked: only coming in anew helps."""


class RoomChat(TypedDict):
    """What is sealed in a chat message to everyone."""

    kind: Literal["room"]
    text: str


class CommitDraft(NamedTuple):
    """A commit that takes effect when the delivery service has taken it."""

    epoch: int
    """The one that it ends."""
    commit: bytes
    welcome: bytes | None


class Member:
    """One person's part in the group; the signature key, and with it the id, lasts."""

    def __init__(self, name: str, role: Role) -> None:
        self._keys = mls.generate_signature_keypair(_SUITE)
        self._identity = Credential(name, role).encode()
        # One for each key package, the latest first: a client that has been in a group cannot
        # come into it again later, as what it has stored of its epochs would have a gap.
        self._clients: deque[mls.Client] = deque(maxlen=_KEPT_KEY_PACKAGES)
        self.name = name
        self.role: Role = role
        self.id = person_id(self._public_key)
        self.group_id = b""
        """Empty while in no group."""
        self.epoch = 0
        self._group: mls.Group | None = None
        self._pending: CommitDraft | None = None

    @property
    def _public_key(self) -> bytes:
        key: bytes = self._keys.public_key.bytes
        return key

    def _client_for(self, identity: bytes, public_key: bytes) -> mls.Client:
        """A client that looks like whoever has this key, but can sign only if it is one's own."""
        keys = mls.SignatureKeypair(
            cipher_suite=_SUITE,
            public_key=mls.SignaturePublicKey(bytes=public_key),
            secret_key=self._keys.secret_key,
        )
        return mls.Client(
            id=identity, signature_keypair=keys, client_config=mls.client_config_default()
        )

    @property
    def is_in(self) -> bool:
        return self._group is not None

    @property
    def pending(self) -> CommitDraft | None:
        """A commit of one's own that waits for the delivery service's word."""
        return self._pending

    def key_package(self) -> bytes:
        """A fresh one, as an MLSMessage."""
        client = self._client_for(self._identity, self._public_key)
        self._clients.appendleft(client)
        return bytes(client.generate_key_package_message().to_bytes())

    # --- coming and going ----------------------------------------------------------------------

    def found(self, group_id: bytes) -> None:
        """Begin a group, alone in it."""
        client = self._client_for(self._identity, self._public_key)
        self._enter(client.create_group(group_id), group_id, 0)

    def join(self, group_id: bytes, welcome: bytes) -> None:
        """Come in by a welcome to one of one's key packages.

        Raises:
            GroupFailure: it is for someone else, or another group.
        """
        try:
            group = self._open(mls.Message.from_bytes(welcome))
            # The binding does not tell group and epoch, but every message that it makes does.
            sample = read_private_message(group.encrypt_application_message(b"").to_bytes())
        except mls.Error as error:
            raise GroupFailure(str(error)) from None
        if sample.group != group_id:
            raise GroupFailure("The welcome is to another group.")
        self._enter(group, group_id, sample.epoch)

    def _open(self, welcome: mls.Message) -> mls.Group:
        for client in self._clients:
            with suppress(mls.Error):
                return client.join_group(None, welcome).group
        raise GroupFailure("The welcome is for none of this member's key packages.")

    def forget(self) -> None:
        """Be in no group."""
        self._group, self.group_id, self.epoch, self._pending = None, b"", 0, None

    def _enter(self, group: mls.Group, group_id: bytes, epoch: int) -> None:
        self._group, self.group_id, self.epoch, self._pending = group, group_id, epoch, None
        group.write_to_storage()

    # --- commits -------------------------------------------------------------------------------

    def process(self, commit: bytes) -> None:
        """Go on to the next epoch; a commit of one's own that waits for it is dropped.

        Raises:
            GroupFailure: the commit does not fit, or removes this member.
        """
        group = self._current()
        try:
            message = group.process_incoming_message(mls.Message.from_bytes(commit))
        except mls.Error as error:
            raise GroupFailure(str(error)) from None
        self._pending = None
        if not message.is_commit():
            raise GroupFailure("That was no commit.")
        if message.effect.is_removed():
            self.forget()
            raise GroupFailure("This member was removed.")
        self.epoch += 1
        group.write_to_storage()

    def add(self, key_packages: Sequence[bytes]) -> CommitDraft:
        """Make a commit that adds whom these key packages (MLSMessages) belong to.

        Raises:
            GroupFailure: they do not fit.
        """
        group = self._current()
        try:
            return self._draft(
                group.add_members([mls.Message.from_bytes(one) for one in key_packages])
            )
        except mls.Error as error:
            raise GroupFailure(str(error)) from None

    def remove(self, leaves: Sequence[int]) -> CommitDraft:
        """Make a commit that removes these leaves.

        mls-rs, through its binding, cannot add in the same commit.

        Raises:
            GroupFailure: they are not in the group.
        """
        group = self._current()
        members = self.leaves()
        try:
            leaving = [members[leaf] for leaf in leaves]
            # The binding names a member by what only a client or a received message can give.
            identities = [
                self._client_for(leaf.identity, leaf.signature_key).signing_identity()
                for leaf in leaving
            ]
            return self._draft(group.remove_members(identities))
        except (KeyError, mls.Error) as error:
            raise GroupFailure(str(error)) from None

    def applied(self) -> None:
        """The delivery service has taken the pending commit: go on to the epoch it begins."""
        if self._pending is None:
            raise GroupFailure("No commit is pending.")
        self.process(self._pending.commit)

    def _draft(self, output: mls.CommitOutput) -> CommitDraft:
        welcome = output.welcome_message
        self._pending = CommitDraft(
            self.epoch,
            bytes(output.commit_message.to_bytes()),
            None if welcome is None else bytes(welcome.to_bytes()),
        )
        return self._pending

    # --- what the group gives ------------------------------------------------------------------

    def leaves(self) -> dict[int, Leaf]:
        """Everyone in the ratchet tree, by index."""
        tree = read_ratchet_tree(self._current().export_tree().bytes)
        return {index: leaf for index, leaf in enumerate(tree) if leaf is not None}

    def epoch_keys(self) -> EpochKeys:
        """What this epoch's media are sealed and opened with (RFC 9605 section 5.2)."""
        exported = self._current().export_secret(_EXPORTER_LABEL, b"", _BASE_KEY_LENGTH)
        leaves = {person_id(leaf.signature_key): index for index, leaf in self.leaves().items()}
        return EpochKeys(self.epoch, bytes(exported), leaves[self.id], leaves)

    def write_chat(self, text: str) -> bytes:
        """A chat message to everyone in the group, as an MLSMessage."""
        chat: RoomChat = {"kind": "room", "text": text}
        plaintext = json.dumps(chat, ensure_ascii=False, separators=(",", ":")).encode()
        length = _SHORTEST_CHAT
        while length < len(plaintext):
            length *= 2
        padded = plaintext.ljust(length, b"\0")
        return bytes(self._current().encrypt_application_message(padded).to_bytes())

    def read_chat(self, message: bytes) -> str | None:
        """The text of a chat message to everyone; None for what is private, or not readable.

        What is private is sealed to keys of the leaf, which mls-rs does not hand out.
        """
        try:
            received = self._current().process_incoming_message(mls.Message.from_bytes(message))
        except mls.Error:
            return None
        if not received.is_application_message():
            return None
        try:
            match json.loads(received.data.rstrip(b"\0")):
                case {"kind": "room", "text": str(text)}:
                    return text
        except ValueError:
            pass
        return None

    def _current(self) -> mls.Group:
        if self._group is None:
            raise GroupFailure("This member is in no group.")
        return self._group
