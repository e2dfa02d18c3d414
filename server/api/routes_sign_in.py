"""Routes that sign someone in and out, or set up the second factor that this still needs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.accounts import login, sessions, set_up
from server.accounts.device_label import device_label
from server.api.account_wire import (
    PROOF,
    Email,
    GivenPassword,
    Me,
    Next,
    Ticket,
    TotpLogin,
    TotpSecret,
    act_of,
    logged_in,
    proving,
    services_of,
    site_of,
    tell,
)
from server.api.passkey_wire import Asked, MadePasskey, PasskeyProof, asked
from server.api.routes import PREFIX, Call, Model, Reply, Route
from server.groups.act import on_record


class PasswordLogin(Model):
    email: Email
    password: GivenPassword


class RecoveryLogin(Model):
    ticket: Ticket
    code: Annotated[str, Field(min_length=24, max_length=64)]


class TicketOnly(Model):
    ticket: Ticket


class SetUpTotp(Model):
    ticket: Ticket
    totp: TotpLogin


class SetUpPasskey(Model):
    ticket: Ticket
    passkey: MadePasskey


async def give_password(call: Call) -> Next:
    body: PasswordLogin = call.body
    ticket, steps = await login.give_password(*proving(call), body.email, body.password)
    return Next(ticket=ticket, next=list(steps))


async def _give_code(call: Call, kind: Literal["totp", "recovery_code"]) -> Reply:
    account_id, token = await login.give_code(
        *proving(call), call.body.ticket, kind, call.body.code, device_label(call.device)
    )
    if kind == "recovery_code":
        await tell(call, account_id, "a recovery code was used to sign in to your account.")
    return await logged_in(call, token)


async def give_totp(call: Call) -> Reply:
    return await _give_code(call, "totp")


async def give_recovery_code(call: Call) -> Reply:
    return await _give_code(call, "recovery_code")


async def ask_for_passkey(call: Call) -> Asked:
    return asked(login.ask_for_passkey(services_of(call), act_of(call), site_of(call)))


async def give_passkey(call: Call) -> Reply:
    body: PasskeyProof = call.body
    _, token = await login.give_passkey(
        services_of(call),
        call.services.storage,
        act_of(call),
        body.ticket,
        body.credential.as_sent(),
        device_label(call.device),
    )
    return await logged_in(call, token)


async def begin_set_up_totp(call: Call) -> TotpSecret:
    ticket, secret, uri = await set_up.begin_totp(*proving(call), call.body.ticket)
    return TotpSecret(ticket=ticket, secret=secret, uri=uri)


async def finish_set_up_totp(call: Call) -> Reply:
    body: SetUpTotp = call.body
    _, token = await set_up.finish_totp(
        *proving(call), body.ticket, body.totp.ticket, body.totp.code, device_label(call.device)
    )
    return await logged_in(call, token)


async def begin_set_up_passkey(call: Call) -> Asked:
    return asked(await set_up.begin_passkey(*proving(call), site_of(call), call.body.ticket))


async def finish_set_up_passkey(call: Call) -> Reply:
    body: SetUpPasskey = call.body
    _, token = await set_up.finish_passkey(
        services_of(call),
        call.services.storage,
        act_of(call),
        body.ticket,
        body.passkey.ticket,
        body.passkey.credential.as_sent(),
        body.passkey.label,
        device_label(call.device),
    )
    return await logged_in(call, token)


async def sign_out(call: Call) -> Reply:
    if call.account is not None:
        async with call.services.storage.transaction() as session:
            await sessions.revoke(session, call.who.id, call.who.session_id, call.now)
            on_record(session, act_of(call), "account.logout", call.who.id, None)
    return Reply(clear_session=True)


ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/sign-in/password",
        give_password,
        "anyone",
        "Begin to sign in by email and password.",
        body=PasswordLogin,
        reply=Next,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/sign-in/totp",
        give_totp,
        "anyone",
        "Go on by a code of the authenticator app.",
        body=TotpLogin,
        reply=Me,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/sign-in/recovery-code",
        give_recovery_code,
        "anyone",
        "Go on by a recovery code.",
        body=RecoveryLogin,
        reply=Me,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/sign-in/passkey/options",
        ask_for_passkey,
        "anyone",
        "Begin to sign in by a passkey.",
        reply=Asked,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/sign-in/passkey",
        give_passkey,
        "anyone",
        "Sign in by a passkey.",
        body=PasskeyProof,
        reply=Me,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/set-up/totp",
        begin_set_up_totp,
        "anyone",
        "Begin to set up an authenticator app, with only a password so far.",
        body=TicketOnly,
        reply=TotpSecret,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/set-up/totp/confirm",
        finish_set_up_totp,
        "anyone",
        "Confirm the authenticator app by its first code, and sign in.",
        body=SetUpTotp,
        reply=Me,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/set-up/passkey",
        begin_set_up_passkey,
        "anyone",
        "Begin to add a passkey, with only a password so far.",
        body=TicketOnly,
        reply=Asked,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/set-up/passkey/confirm",
        finish_set_up_passkey,
        "anyone",
        "Add the passkey, and sign in.",
        body=SetUpPasskey,
        reply=Me,
        rate=PROOF,
    ),
    Route("POST", f"{PREFIX}/sign-out", sign_out, "anyone", "Sign out on this device."),
]
