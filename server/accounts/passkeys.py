"""Passkeys: discoverable WebAuthn credentials with user verification (WebAuthn Level 3)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Literal

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    generate_challenge,
    options_to_json_dict,
    parse_authentication_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.accounts.links import Site
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Account, Passkey

RP_NAME = "Holdspace"
MAX_PASSKEYS = 20
MAX_LABEL = 60
DEFAULT_LABEL = "Passkey"

_TIMEOUT_MS = 300_000
_TRANSPORT = re.compile(r"[a-z-]{1,20}")

Purpose = Literal["register", "login", "step_up"]
Options = dict[str, Any]
"""For ``navigator.credentials``, as `@simplewebauthn/browser` takes them."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an authenticator is asked to sign, once.

    Args:
        purpose: what for.
        account_id: whose; None for a login, when it is not known yet.
        value: random.
        site: where; it fixes origin and relying party.
    """

    purpose: Purpose
    account_id: str | None
    value: bytes
    site: Site


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A credential that was made for an account, and verified."""

    account_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: str
    backed_up: bool


def refused() -> Refused:
    return Refused(
        "passkey_refused",
        "That passkey could not be used. Please try again, or choose another way to sign in.",
        401,
    )


def ask_for_new(
    site: Site, account_id: str, user_name: str, existing: Sequence[bytes]
) -> tuple[Challenge, Options]:
    """What to make a passkey with.

    Args:
        site: where.
        account_id: whose it will be; it is the user handle, which has to tell nothing.
        user_name: by which the person tells it from others, in their own password manager.
        existing: the credential ids they have, so that no authenticator gets two.

    Raises:
        Refused: ``passkeys_unavailable``.
    """
    _check(site)
    challenge = Challenge("register", account_id, generate_challenge(), site)
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=RP_NAME,
        user_id=account_id.encode(),
        user_name=user_name,
        user_display_name=user_name,
        challenge=challenge.value,
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=known) for known in existing],
    )
    return challenge, options_to_json_dict(options)


def ask_for_proof(
    site: Site, purpose: Purpose, account_id: str | None = None, known: Sequence[bytes] = ()
) -> tuple[Challenge, Options]:
    """What to use a passkey with; without an account, any that the person chooses.

    Raises:
        Refused: ``passkeys_unavailable``.
    """
    _check(site)
    challenge = Challenge(purpose, account_id, generate_challenge(), site)
    options = generate_authentication_options(
        rp_id=site.host,
        challenge=challenge.value,
        timeout=_TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known] or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return challenge, options_to_json_dict(options)


def _check(site: Site) -> None:
    """A relying party's id is a domain (WebAuthn 5.1.2): with an IP address browsers refuse."""
    try:
        ip_address(site.host)
    except ValueError:
        return
    raise Refused(
        "passkeys_unavailable",
        "Passkeys need this server's name in the address bar, such as localhost, not a number.",
        409,
    )


def verify_new(challenge: Challenge | None, credential: Mapping[str, Any]) -> NewPasskey:
    """Check what an authenticator made (WebAuthn 7.1).

    Args:
        challenge: that it was made for, taken from where it was kept; None if it has expired.
        credential: as the browser gives it in JSON.

    Raises:
        Refused: ``passkey_refused``.
    """
    if challenge is None or challenge.purpose != "register" or challenge.account_id is None:
        raise refused()
    try:
        verified = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge.value,
            expected_rp_id=challenge.site.host,
            expected_origin=challenge.site.origin,
            require_user_verification=True,
        )
    except Exception:  # whatever a parser makes of hostile bytes
        raise refused() from None
    transports = credential.get("response", {}).get("transports") or []
    return NewPasskey(
        challenge.account_id,
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        ",".join(t for t in transports if isinstance(t, str) and _TRANSPORT.fullmatch(t))[:100],
        verified.credential_backed_up,
    )


async def add(session: AsyncSession, new: NewPasskey, label: str | None, now: datetime) -> Passkey:
    """Give an account a passkey.

    Raises:
        Refused: ``passkey_refused`` if it is someone's already, ``too_many_passkeys`` or
            ``bad_label``.
    """
    if len(await own(session, new.account_id)) >= MAX_PASSKEYS:
        raise Refused(
            "too_many_passkeys", "Please remove a passkey that you no longer use first.", 409
        )
    passkey = Passkey(
        id=new_id(),
        account_id=new.account_id,
        credential_id=new.credential_id,
        public_key=new.public_key,
        sign_count=new.sign_count,
        transports=new.transports,
        backed_up=new.backed_up,
        label=label_of(label or DEFAULT_LABEL),
        created_at=now,
    )
    session.add(passkey)
    try:
        await session.flush()
    except IntegrityError:
        raise refused() from None
    return passkey


def label_of(text: str) -> str:
    """A passkey's label as it is kept.

    Raises:
        Refused: ``bad_label``.
    """
    label = " ".join(text.split())
    if not 1 <= len(label) <= MAX_LABEL or not label.isprintable():
        raise Refused("bad_label", f"Please choose a label of 1 to {MAX_LABEL} characters.")
    return label


async def own(session: AsyncSession, account_id: str) -> Sequence[Passkey]:
    return (
        await session.scalars(
            select(Passkey)
            .where(Passkey.account_id == account_id)
            .order_by(Passkey.created_at, Passkey.id)
        )
    ).all()


async def claimed(session: AsyncSession, credential: Mapping[str, Any]) -> Passkey | None:
    """The passkey that a credential says it is; only `verify_proof` says whether it is true."""
    try:
        credential_id = base64url_to_bytes(str(credential.get("id", "")))
    except ValueError:
        return None
    return await session.scalar(
        select(Passkey)
        .join(Account, Account.id == Passkey.account_id)
        .where(Passkey.credential_id == credential_id, Account.closed_at.is_(None))
    )


def verify_proof(
    challenge: Challenge | None,
    purpose: Purpose,
    passkey: Passkey | None,
    credential: Mapping[str, Any],
) -> int:
    """Check what an authenticator signed (WebAuthn 7.2); the new sign count.

    Raises:
        Refused: ``passkey_refused``.
    """
    if challenge is None or challenge.purpose != purpose or passkey is None:
        raise refused()
    if challenge.account_id is not None and challenge.account_id != passkey.account_id:
        raise refused()
    try:
        parsed = parse_authentication_credential_json(dict(credential))
        handle = parsed.response.user_handle
        verified = verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge.value,
            expected_rp_id=challenge.site.host,
            expected_origin=challenge.site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception:  # whatever a parser makes of hostile bytes
        raise refused() from None
    # Step 6: a login without a known account needs the handle; where there is one, it has to fit.
    if handle is None and challenge.account_id is None:
        raise refused()
    if handle is not None and not hmac.compare_digest(handle, passkey.account_id.encode()):
        raise refused()
    return verified.new_sign_count


async def used(session: AsyncSession, passkey: Passkey, sign_count: int, now: datetime) -> bool:
    """Note a use; False if its sign count was reached meanwhile, so that it may be a clone's."""
    noted = await session.scalar(
        update(Passkey)
        .where(
            Passkey.id == passkey.id,
            or_(Passkey.sign_count < sign_count, Passkey.sign_count == 0),
        )
        .values(sign_count=sign_count, last_used_at=now)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    return noted is not None


async def find(session: AsyncSession, account_id: str, passkey_id: str) -> Passkey:
    """One of someone's passkeys.

    Raises:
        Refused: ``not_found``.
    """
    passkey = await session.get(Passkey, passkey_id)
    if passkey is None or passkey.account_id != account_id:
        raise Refused("not_found", "There is no such passkey.", 404)
    return passkey


async def remove(session: AsyncSession, account_id: str, passkey_id: str) -> None:
    """Remove one of someone's passkeys; see `factors.keep_a_way_in`.

    Raises:
        Refused: ``not_found``.
    """
    await find(session, account_id, passkey_id)
    await session.execute(delete(Passkey).where(Passkey.id == passkey_id))
