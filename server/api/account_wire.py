"""What routes of accounts have in common: models, rates, and what handlers take from a call."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from server.accounts import accounts, correspondence, links, login, one_time_links, sessions
from server.accounts.email_address import MAX_CHARS as MAX_EMAIL
from server.accounts.factors import factors_of
from server.accounts.links import Site
from server.accounts.mail import Mailer
from server.accounts.passwords import MAX_CHARS as MAX_PASSWORD
from server.accounts.services import AccountServices
from server.accounts.signed_in import SignedIn
from server.api.routes import STEP_UP_S, Call, Model, Rate, Reply
from server.groups import groups
from server.groups.act import Act
from server.storage.database import Storage
from server.storage.keyring import KeyRing

SERVICES = "accounts"
"""The name of `AccountServices` in `Services.more`."""

PROOF = Rate(burst=20, per_second=0.5)
"""Guessing is slowed down by `server.accounts.slow_down`; this bounds the work."""

LETTER = Rate(burst=5, per_second=0.05)

Email = Annotated[str, Field(min_length=3, max_length=MAX_EMAIL)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)]
Ticket = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{43}$")]
Token = Annotated[str, Field(min_length=20, max_length=one_time_links.MAX_TOKEN_CHARS)]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
LegalName = Annotated[str, Field(min_length=1, max_length=accounts.MAX_NAME)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64)]


class EmailOnly(Model):
    email: Email


class TokenOnly(Model):
    token: Token


class TotpLogin(Model):
    ticket: Ticket
    code: Code


class TotpSecret(Model):
    ticket: str
    secret: str
    uri: str


class Next(Model):
    """How a login goes on; without steps it is done."""

    ticket: str | None
    next: list[login.Step]


class Factors(Model):
    password: bool
    totp: bool
    passkeys: int
    recovery_codes: int


class Session(Model):
    id: str
    stepped_up_until: datetime | None
    idle_after_s: int


class Me(Model):
    id: str
    is_administrator: bool
    may_make_groups: bool
    time_zone: str | None
    email_verified: bool
    factors: Factors
    session: Session


def services_of(call: Call) -> AccountServices:
    services = call.services.more[SERVICES]
    assert isinstance(services, AccountServices)
    return services


def act_of(call: Call) -> Act:
    """The circumstances of a request, also by someone who is not signed in."""
    actor = accounts.ANONYMOUS if call.account is None else call.account.id
    return Act(actor, call.now, call.address)


def site_of(call: Call) -> Site:
    return links.site_of(call.services.settings.public_url, call.host)


def proving(call: Call) -> tuple[AccountServices, Storage, KeyRing, Act]:
    """The first arguments of functions of `server.accounts` that prove who someone is."""
    return services_of(call), call.services.storage, call.services.keyring, act_of(call)


def writing(call: Call) -> tuple[Storage, KeyRing, Mailer | None, Act]:
    """The first arguments of functions of `server.accounts` that send letters."""
    services = call.services
    return services.storage, services.keyring, services.mailer, act_of(call)


async def tell(call: Call, account_id: str, what: str) -> None:
    services = call.services
    await correspondence.tell(services.storage, services.keyring, services.mailer, account_id, what)


async def me_of(storage: Storage, who: SignedIn) -> Me:
    async with storage.snapshot() as session:
        account = await accounts.open_account(session, who.id)
        may_make_groups = await groups.may_make_groups(session, who.id)
        factors = await factors_of(session, who.id)
    until = None
    if who.stepped_up_at is not None:
        until = who.stepped_up_at + timedelta(seconds=STEP_UP_S)
    return Me(
        id=who.id,
        is_administrator=account.is_administrator,
        may_make_groups=may_make_groups,
        time_zone=account.time_zone,
        email_verified=account.email_verified_at is not None,
        factors=Factors.model_validate(factors, from_attributes=True),
        session=Session(
            id=who.session_id,
            stepped_up_until=until,
            idle_after_s=int(sessions.IDLE.total_seconds()),
        ),
    )


async def logged_in(call: Call, token: str) -> Reply:
    async with call.services.storage.transaction() as session:
        who = await sessions.resolve(session, token, call.now)
    assert who is not None
    return Reply(body=await me_of(call.services.storage, who), session_token=token)
