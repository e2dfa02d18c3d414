"""Routes of one's own account: profile, email address, devices, and its end."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.accounts import accounts, correspondence, directory, sessions
from server.api.account_wire import (
    LETTER,
    PROOF,
    EmailOnly,
    LegalName,
    Me,
    TimeZone,
    TokenOnly,
    act_of,
    me_of,
    services_of,
    site_of,
    writing,
)
from server.api.routes import PREFIX, Call, Model, Reply, Route
from server.groups.act import on_record


class Profile(Model):
    legal_name: LegalName
    phone: Annotated[str, Field(min_length=1, max_length=accounts.MAX_PHONE)] | None = None
    time_zone: TimeZone | None = None


class OwnProfile(Model):
    legal_name: str
    email: str | None
    phone: str | None
    time_zone: str | None


class Device(Model):
    id: str
    label: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


class Devices(Model):
    devices: list[Device]


async def me(call: Call) -> Me:
    return await me_of(call.services.storage, call.who)


async def own_profile(call: Call) -> OwnProfile:
    services = call.services
    own = await directory.particulars(services.storage, services.keyring, act_of(call), call.who.id)
    async with services.storage.snapshot() as session:
        account = await accounts.open_account(session, call.who.id)
    return OwnProfile(
        legal_name=own.legal_name, email=own.email, phone=own.phone, time_zone=account.time_zone
    )


async def change_profile(call: Call) -> None:
    body: Profile = call.body
    async with call.services.storage.transaction() as session:
        await accounts.change_profile(
            session,
            call.services.keyring,
            act_of(call),
            call.who.id,
            name=body.legal_name,
            phone=body.phone,
            zone=body.time_zone,
        )


async def propose_email(call: Call) -> None:
    await correspondence.propose_email(
        services_of(call), *writing(call), site_of(call), call.who.id, call.body.email
    )


async def send_verification(call: Call) -> None:
    await correspondence.send_verification(*writing(call), site_of(call), call.who.id)


async def verify_email(call: Call) -> None:
    await correspondence.verify_email(*writing(call), call.body.token)


async def devices(call: Call) -> Devices:
    async with call.services.storage.snapshot() as session:
        own = await sessions.own(session, call.who.id, call.now)
    return Devices(
        devices=[
            Device(
                id=each.id,
                label=each.device_label,
                created_at=each.created_at,
                last_seen_at=each.last_seen_at,
                current=each.id == call.who.session_id,
            )
            for each in own
        ]
    )


async def revoke_device(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await sessions.revoke(session, call.who.id, call.path["session"], call.now)
        on_record(session, act_of(call), "session.revoked", call.path["session"], None)


async def revoke_other_devices(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await sessions.revoke_all(session, call.who.id, call.now, but=call.who.session_id)
        on_record(session, act_of(call), "session.others_revoked", call.who.id, None)


async def close_own(call: Call) -> Reply:
    async with call.services.storage.transaction() as session:
        await accounts.close(session, act_of(call), call.who.id)
    return Reply(clear_session=True)


ROUTES = [
    Route("GET", f"{PREFIX}/me", me, "signed_in", "Tell who is signed in.", reply=Me),
    Route(
        "GET",
        f"{PREFIX}/me/profile",
        own_profile,
        "signed_in",
        "Show your own name and contacts.",
        reply=OwnProfile,
    ),
    Route(
        "PUT",
        f"{PREFIX}/me/profile",
        change_profile,
        "signed_in",
        "Change your name, phone number and time zone.",
        body=Profile,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/email",
        propose_email,
        "signed_in",
        "Ask for a link to a new email address; it is yours once you open it.",
        body=EmailOnly,
        step_up=True,
        rate=LETTER,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/email/verification",
        send_verification,
        "signed_in",
        "Ask for the link that confirms your email address.",
        rate=LETTER,
    ),
    Route(
        "POST",
        f"{PREFIX}/email/verify",
        verify_email,
        "anyone",
        "Confirm an email address by its link.",
        body=TokenOnly,
        rate=PROOF,
    ),
    Route(
        "GET",
        f"{PREFIX}/me/devices",
        devices,
        "signed_in",
        "List where you are signed in.",
        reply=Devices,
    ),
    Route(
        "DELETE", f"{PREFIX}/me/devices", revoke_other_devices, "signed_in", "Sign out elsewhere."
    ),
    Route(
        "DELETE",
        f"{PREFIX}/me/devices/{{session}}",
        revoke_device,
        "signed_in",
        "Sign out on one device.",
    ),
    Route(
        "POST",
        f"{PREFIX}/me/close",
        close_own,
        "signed_in",
        "Close your own account.",
        step_up=True,
    ),
]
