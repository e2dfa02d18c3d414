"""Routes by which someone who forgot their password sets a new one, by a link in an email."""

from __future__ import annotations

from server.accounts import correspondence
from server.api.account_wire import (
    LETTER,
    PROOF,
    EmailOnly,
    GivenPassword,
    Token,
    proving,
    services_of,
    site_of,
    tell,
    writing,
)
from server.api.routes import PREFIX, Call, Model, Route


class ResetPassword(Model):
    token: Token
    password: GivenPassword


async def ask_for_password(call: Call) -> None:
    await correspondence.ask_for_password(
        services_of(call), *writing(call), site_of(call), call.body.email
    )


async def reset_password(call: Call) -> None:
    body: ResetPassword = call.body
    account_id = await correspondence.reset_password(*proving(call), body.token, body.password)
    await tell(call, account_id, "the password of your account was changed.")


ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/password-reset",
        ask_for_password,
        "anyone",
        "Ask for a link to set a new password.",
        body=EmailOnly,
        rate=LETTER,
    ),
    Route(
        "POST",
        f"{PREFIX}/password-reset/confirm",
        reset_password,
        "anyone",
        "Set a new password by a link.",
        body=ResetPassword,
        rate=PROOF,
    ),
]
