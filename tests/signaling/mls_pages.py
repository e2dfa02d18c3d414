"""Pages' MLS, played by mls-rs (suite 1 of RFC 9420)."""

from __future__ import annotations

import mls_rs_uniffi as mls_rs

from signaling.identity import Credential, person_id
from signaling.messages import Ciphersuite, GroupPosition, Role
from signaling.mls import read_private_message

SUITE: Ciphersuite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
_SUITE = mls_rs.CipherSuite.CURVE25519_AES128


class MlsPage:
    """One person's signature keys and MLS state; a state that is lost does not come back."""

    def __init__(self, name: str, role: Role = "participant") -> None:
        self.name, self.role = name, role
        self._keys = mls_rs.generate_signature_keypair(_SUITE)
        self.id = person_id(self._keys.public_key.bytes)
        self.group: mls_rs.Group | None = None
        self._client = self._new_client()

    def key_package(self) -> bytes:
        """A fresh one, after which a welcome to an earlier one can still be used."""
        return bytes(self._client.generate_key_package_message().to_bytes())

    def forget(self) -> None:
        self.group, self._client = None, self._new_client()

    def found(self, group: bytes) -> None:
        self.group = self._client.create_group(group)

    def add(self, *key_packages: bytes) -> tuple[bytes, bytes]:
        """A commit and its welcome; not yet applied."""
        assert self.group is not None
        output = self.group.add_members([mls_rs.Message.from_bytes(each) for each in key_packages])
        return output.commit_message.to_bytes(), output.welcome_message.to_bytes()

    def remove(self, *members: MlsPage) -> bytes:
        """A commit; not yet applied."""
        assert self.group is not None
        identities = [member._new_client().signing_identity() for member in members]
        return bytes(self.group.remove_members(identities).commit_message.to_bytes())

    def enter(self, welcome: bytes) -> None:
        message = mls_rs.Message.from_bytes(welcome)
        self.group = self._client.join_group(None, message).group

    def process(self, message: bytes) -> mls_rs.ReceivedMessage:
        """A commit, also one's own, or words."""
        assert self.group is not None
        return self.group.process_incoming_message(mls_rs.Message.from_bytes(message))

    def say(self, words: bytes) -> bytes:
        assert self.group is not None
        return bytes(self.group.encrypt_application_message(words).to_bytes())

    def position(self) -> GroupPosition | None:
        if self.group is None:
            return None
        message = read_private_message(self.say(b""))  # mls-rs tells it in no other way
        return GroupPosition(group=message.group, epoch=message.epoch)

    def secret(self) -> bytes:
        """What all members of an epoch have in common, and nobody else has."""
        assert self.group is not None
        return bytes(self.group.export_secret(b"SFrame 1.0 Base Key", b"", 16))

    def tree(self) -> bytes:
        assert self.group is not None
        return bytes(self.group.export_tree().bytes)

    def _new_client(self) -> mls_rs.Client:
        return mls_rs.Client(
            id=Credential(self.name, self.role).encode(),
            signature_keypair=self._keys,
            client_config=mls_rs.client_config_default(),
        )
