"""Routes by which someone who is signed in proves once more who they are."""

from __future__ import annotations

from server.accounts import step_up
from server.api.account_wire import (
    PROOF,
    Code,
    GivenPassword,
    Me,
    act_of,
    logged_in,
    proving,
    services_of,
    site_of,
)
from server.api.passkey_wire import Asked, PasskeyProof, asked
from server.api.routes import PREFIX, Call, Model, Reply, Route


class StepUpPassword(Model):
    password: GivenPassword
    code: Code


async def step_up_by_password(call: Call) -> Reply:
    body: StepUpPassword = call.body
    token = await step_up.by_password(*proving(call), call.who, body.password, body.code)
    return await logged_in(call, token)


async def step_up_ask_for_passkey(call: Call) -> Asked:
    return asked(
        await step_up.ask_for_passkey(
            services_of(call), call.services.storage, act_of(call), call.who, site_of(call)
        )
    )


async def step_up_by_passkey(call: Call) -> Reply:
    body: PasskeyProof = call.body
    token = await step_up.by_passkey(
        services_of(call),
        call.services.storage,
        act_of(call),
        call.who,
        body.ticket,
        body.credential.as_sent(),
    )
    return await logged_in(call, token)


ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/step-up/password",
        step_up_by_password,
        "signed_in",
        "Prove again who you are, by password and code.",
        body=StepUpPassword,
        reply=Me,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/step-up/passkey/options",
        step_up_ask_for_passkey,
        "signed_in",
        "Begin to prove again who you are by a passkey.",
        reply=Asked,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/step-up/passkey",
        step_up_by_passkey,
        "signed_in",
        "Prove again who you are, by a passkey.",
        body=PasskeyProof,
        reply=Me,
        rate=PROOF,
    ),
]
