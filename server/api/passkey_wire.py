"""Passkeys on the wire, as WebAuthn has them in JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from server.accounts import passkeys
from server.api.account_wire import Ticket
from server.api.routes import Model

Label = Annotated[str, Field(min_length=1, max_length=passkeys.MAX_LABEL)]
Encoded = Annotated[str, Field(min_length=1, max_length=16_384, pattern=r"^[0-9A-Za-z_-]+$")]
"""Bytes in base64url."""


class _Credential(Model):
    id: Encoded
    raw_id: Encoded = Field(alias="rawId")
    type: Literal["public-key"]
    attachment: Literal["platform", "cross-platform"] | None = Field(
        None, alias="authenticatorAttachment"
    )
    extensions: dict[str, JsonValue] = Field(
        default_factory=dict, alias="clientExtensionResults", max_length=20
    )

    def as_sent(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True)


class NewCredentialResponse(Model):
    client_data: Encoded = Field(alias="clientDataJSON")
    attestation: Encoded = Field(alias="attestationObject")
    authenticator_data: Encoded | None = Field(None, alias="authenticatorData")
    public_key: Encoded | None = Field(None, alias="publicKey")
    public_key_algorithm: int | None = Field(None, alias="publicKeyAlgorithm")
    transports: list[Annotated[str, Field(max_length=20)]] = Field(
        default_factory=list, max_length=10
    )


class NewCredential(_Credential):
    """RegistrationResponseJSON (WebAuthn 5.1)."""

    response: NewCredentialResponse


class UsedCredentialResponse(Model):
    client_data: Encoded = Field(alias="clientDataJSON")
    authenticator_data: Encoded = Field(alias="authenticatorData")
    signature: Encoded
    user_handle: Encoded | None = Field(None, alias="userHandle")


class UsedCredential(_Credential):
    """AuthenticationResponseJSON (WebAuthn 5.1)."""

    response: UsedCredentialResponse


class PasskeyProof(Model):
    ticket: Ticket
    credential: UsedCredential


class MadePasskey(Model):
    ticket: Ticket
    credential: NewCredential
    label: Label | None = None


class Asked(Model):
    """Options for the browser's WebAuthn, and the ticket to bring back with the answer."""

    ticket: str
    options: dict[str, JsonValue]


def asked(ticket_and_options: tuple[str, passkeys.Options]) -> Asked:
    ticket, options = ticket_and_options
    return Asked(ticket=ticket, options=options)
