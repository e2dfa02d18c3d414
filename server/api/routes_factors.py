"""Routes of what one signs in with: passkeys, password, authenticator app, recovery codes."""

from __future__ import annotations

from datetime import datetime

from server.accounts import own_factors, passkeys, recovery_codes
from server.api.account_wire import (
    PROOF,
    GivenPassword,
    TotpLogin,
    TotpSecret,
    act_of,
    proving,
    services_of,
    site_of,
    tell,
)
from server.api.passkey_wire import Asked, Label, MadePasskey, asked
from server.api.routes import PREFIX, Call, Model, Route


class LabelOnly(Model):
    label: Label


class NewPassword(Model):
    password: GivenPassword


class OwnPasskey(Model):
    id: str
    label: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class OwnPasskeys(Model):
    passkeys: list[OwnPasskey]


class RecoveryCodes(Model):
    codes: list[str]


async def own_passkeys(call: Call) -> OwnPasskeys:
    async with call.services.storage.snapshot() as session:
        own = await passkeys.own(session, call.who.id)
    return OwnPasskeys(
        passkeys=[OwnPasskey.model_validate(each, from_attributes=True) for each in own]
    )


async def begin_passkey(call: Call) -> Asked:
    return asked(await own_factors.begin_passkey(*proving(call), call.who, site_of(call)))


async def add_passkey(call: Call) -> OwnPasskey:
    body: MadePasskey = call.body
    passkey = await own_factors.add_passkey(
        services_of(call),
        call.services.storage,
        act_of(call),
        call.who,
        body.ticket,
        body.credential.as_sent(),
        body.label,
    )
    await tell(call, call.who.id, "a passkey was added to your account.")
    return OwnPasskey.model_validate(passkey, from_attributes=True)


async def rename_passkey(call: Call) -> None:
    await own_factors.rename_passkey(
        call.services.storage, act_of(call), call.who, call.path["passkey"], call.body.label
    )


async def remove_passkey(call: Call) -> None:
    await own_factors.remove_passkey(
        call.services.storage, act_of(call), call.who, call.path["passkey"]
    )
    await tell(call, call.who.id, "a passkey was removed from your account.")


async def set_password(call: Call) -> None:
    await own_factors.set_password(*proving(call), call.who, call.body.password)
    await tell(call, call.who.id, "the password of your account was changed.")


async def remove_password(call: Call) -> None:
    await own_factors.remove_password(call.services.storage, act_of(call), call.who)
    await tell(call, call.who.id, "the password of your account was removed.")


async def begin_totp(call: Call) -> TotpSecret:
    ticket, secret, uri = await own_factors.begin_totp(*proving(call), call.who)
    return TotpSecret(ticket=ticket, secret=secret, uri=uri)


async def confirm_totp(call: Call) -> None:
    body: TotpLogin = call.body
    await own_factors.confirm_totp(*proving(call), call.who, body.ticket, body.code)
    await tell(call, call.who.id, "an authenticator app was set up for your account.")


async def remove_totp(call: Call) -> None:
    await own_factors.remove_totp(call.services.storage, act_of(call), call.who)
    await tell(call, call.who.id, "the authenticator app of your account was removed.")


async def make_recovery_codes(call: Call) -> RecoveryCodes:
    codes = await own_factors.make_recovery_codes(call.services.storage, act_of(call), call.who)
    await tell(call, call.who.id, "new recovery codes were made for your account.")
    return RecoveryCodes(codes=codes)


ROUTES = [
    Route(
        "GET",
        f"{PREFIX}/me/passkeys",
        own_passkeys,
        "signed_in",
        "List your passkeys.",
        reply=OwnPasskeys,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/passkeys/options",
        begin_passkey,
        "signed_in",
        "Begin to add a passkey.",
        reply=Asked,
        step_up=True,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/passkeys",
        add_passkey,
        "signed_in",
        "Add a passkey.",
        body=MadePasskey,
        reply=OwnPasskey,
        step_up=True,
    ),
    Route(
        "PUT",
        f"{PREFIX}/me/passkeys/{{passkey}}",
        rename_passkey,
        "signed_in",
        "Give a passkey another label.",
        body=LabelOnly,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/me/passkeys/{{passkey}}",
        remove_passkey,
        "signed_in",
        "Remove a passkey.",
        step_up=True,
    ),
    Route(
        "PUT",
        f"{PREFIX}/me/password",
        set_password,
        "signed_in",
        "Set or change your password; other devices are signed out.",
        body=NewPassword,
        step_up=True,
        rate=PROOF,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/me/password",
        remove_password,
        "signed_in",
        "Remove your password.",
        step_up=True,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/totp",
        begin_totp,
        "signed_in",
        "Begin to set up an authenticator app.",
        reply=TotpSecret,
        step_up=True,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/totp/confirm",
        confirm_totp,
        "signed_in",
        "Confirm an authenticator app by its first code.",
        body=TotpLogin,
        step_up=True,
        rate=PROOF,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/me/totp",
        remove_totp,
        "signed_in",
        "Remove the authenticator app.",
        step_up=True,
    ),
    Route(
        "POST",
        f"{PREFIX}/me/recovery-codes",
        make_recovery_codes,
        "signed_in",
        f"Make {recovery_codes.COUNT} new recovery codes, shown once; older ones end.",
        reply=RecoveryCodes,
        step_up=True,
    ),
]
