"""Routes of accounts: signing in, one's own account, invitations, and the administrators' list."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from server.accounts import (
    accounts,
    correspondence,
    directory,
    invitations,
    login,
    one_time_links,
    own_factors,
    passkeys,
    recovery_codes,
    sessions,
    set_up,
    step_up,
)
from server.accounts.device_label import device_label
from server.accounts.email_address import MAX_CHARS as MAX_EMAIL
from server.accounts.factors import Factors as AccountFactors
from server.accounts.factors import factors_of
from server.accounts.invitations import Newcomer, Terms
from server.accounts.links import Site, site_of
from server.accounts.passwords import MAX_CHARS as MAX_PASSWORD
from server.accounts.services import AccountServices
from server.api.routes import (
    PREFIX,
    STEP_UP_S,
    Access,
    Call,
    GroupRole,
    Handler,
    Id,
    Model,
    Rate,
    Reply,
    Route,
    SignedIn,
)
from server.groups.act import Act, on_record
from server.groups.names import MAX_NAME, MAX_PRONOUNS
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.models import Invitation, Passkey

SERVICES = "accounts"
"""The name of `AccountServices` in `Services.more`."""

_PROOF = Rate(burst=20, per_second=0.5)
"""Guessing is slowed down by `server.accounts.slow_down`; this bounds the work."""

_LETTER = Rate(burst=5, per_second=0.05)

Email = Annotated[str, Field(min_length=3, max_length=MAX_EMAIL)]
GivenPassword = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)]
Ticket = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{43}$")]
Token = Annotated[str, Field(min_length=20, max_length=one_time_links.MAX_TOKEN_CHARS)]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
RecoveryCode = Annotated[str, Field(min_length=24, max_length=64)]
Label = Annotated[str, Field(min_length=1, max_length=passkeys.MAX_LABEL)]
LegalName = Annotated[str, Field(min_length=1, max_length=accounts.MAX_NAME)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64)]
Phone = Annotated[str, Field(min_length=1, max_length=accounts.MAX_PHONE)]
DisplayName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Pronouns = Annotated[str, Field(max_length=MAX_PRONOUNS)]
Days = Annotated[int, Field(ge=1, le=invitations.MAX_DAYS)]
Encoded = Annotated[str, Field(min_length=1, max_length=16_384, pattern=r"^[0-9A-Za-z_-]+$")]
"""Bytes in base64url, as WebAuthn has them in JSON."""


# What is sent.


class PasswordLogin(Model):
    email: Email
    password: GivenPassword


class TotpLogin(Model):
    ticket: Ticket
    code: Code


class RecoveryLogin(Model):
    ticket: Ticket
    code: RecoveryCode


class TicketOnly(Model):
    ticket: Ticket


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


class SetUpTotp(Model):
    ticket: Ticket
    totp: TotpLogin


class SetUpPasskey(Model):
    ticket: Ticket
    passkey: MadePasskey


class EmailOnly(Model):
    email: Email


class TokenOnly(Model):
    token: Token


class LabelOnly(Model):
    label: Label


class NewPassword(Model):
    password: GivenPassword


class StepUpPassword(Model):
    password: GivenPassword
    code: Code


class ResetPassword(Model):
    token: Token
    password: GivenPassword


class Profile(Model):
    legal_name: LegalName
    phone: Phone | None = None
    time_zone: TimeZone | None = None


class InvitedEmail(Model):
    token: Token
    email: Email


class Acceptance(Model):
    """By a password or by a passkey."""

    token: Token
    legal_name: LegalName
    email: Email
    time_zone: TimeZone | None = None
    display_name: DisplayName | None = None
    pronouns: Pronouns | None = None
    password: GivenPassword | None = None
    passkey: MadePasskey | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password is None) == (self.passkey is None):
            raise ValueError("has to have either a password or a passkey")
        return self


class Joining(Model):
    token: Token
    display_name: DisplayName | None = None
    pronouns: Pronouns | None = None


class NewInvitation(Model):
    email: Email | None = None
    group: Id | None = None
    role: GroupRole | None = None
    is_administrator: bool = False
    days: Days = 7


class NewGroupInvitation(Model):
    email: Email | None = None
    days: Days = 7


class AccountsQuery(Model):
    after: Id | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


# What is answered.


class Next(Model):
    """How a login goes on; without steps it is done."""

    ticket: str | None
    next: list[login.Step]


class Asked(Model):
    """Options for the browser's WebAuthn, and the ticket to bring back with the answer."""

    ticket: str
    options: dict[str, JsonValue]


class TotpSecret(Model):
    ticket: str
    secret: str
    uri: str


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
    time_zone: str | None
    email_verified: bool
    factors: Factors
    session: Session


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


class InvitedTo(Model):
    group_name: str | None
    role: GroupRole | None
    is_administrator: bool
    expires_at: datetime


class Invited(Model):
    id: str
    expires_at: datetime
    emailed: bool
    link: str | None


class MadeInvitation(Model):
    id: str
    group: str | None
    role: GroupRole | None
    is_administrator: bool
    created_at: datetime
    expires_at: datetime
    state: invitations.State


class MadeInvitations(Model):
    invitations: list[MadeInvitation]


class ListedAccount(Model):
    id: str
    legal_name: str
    is_administrator: bool
    created_at: datetime
    closed_at: datetime | None
    email_verified: bool
    factors: Factors


class ListedAccounts(Model):
    accounts: list[ListedAccount]
    next: str | None


class AccountParticulars(Model):
    id: str
    legal_name: str
    email: str | None
    phone: str | None


class PasswordLink(Model):
    emailed: bool
    link: str | None


# What the handlers share.


def _services(call: Call) -> AccountServices:
    services = call.services.more[SERVICES]
    assert isinstance(services, AccountServices)
    return services


def _act(call: Call) -> Act:
    actor = accounts.ANONYMOUS if call.account is None else call.account.id
    # Of an IPv6 network, which is what the rates count, its first address.
    address = None if call.address is None else call.address.partition("/")[0]
    return Act(actor, call.now, address)


def _site(call: Call) -> Site:
    return site_of(call.services.settings.public_url, call.host)


async def _tell(call: Call, account_id: str, what: str) -> None:
    services = call.services
    await correspondence.tell(services.storage, services.keyring, services.mailer, account_id, what)


def _factors(factors: AccountFactors) -> Factors:
    return Factors(
        password=factors.password,
        totp=factors.totp,
        passkeys=factors.passkeys,
        recovery_codes=factors.recovery_codes,
    )


async def _me_of(storage: Storage, who: SignedIn) -> Me:
    async with storage.snapshot() as session:
        account = await accounts.open_account(session, who.id)
        factors = await factors_of(session, who.id)
    until = None
    if who.stepped_up_at is not None:
        until = who.stepped_up_at + timedelta(seconds=STEP_UP_S)
    return Me(
        id=who.id,
        is_administrator=account.is_administrator,
        time_zone=account.time_zone,
        email_verified=account.email_verified_at is not None,
        factors=_factors(factors),
        session=Session(
            id=who.session_id,
            stepped_up_until=until,
            idle_after_s=int(sessions.IDLE.total_seconds()),
        ),
    )


async def _logged_in(call: Call, token: str) -> Reply:
    async with call.services.storage.transaction() as session:
        who = await sessions.resolve(session, token, call.now)
    assert who is not None
    return Reply(body=await _me_of(call.services.storage, who), session_token=token)


def _asked(asked: tuple[str, passkeys.Options]) -> Asked:
    return Asked(ticket=asked[0], options=asked[1])


def _own_passkey(passkey: Passkey) -> OwnPasskey:
    return OwnPasskey(
        id=passkey.id,
        label=passkey.label,
        backed_up=passkey.backed_up,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )


# Signing in and out.


async def give_password(call: Call) -> Next:
    body: PasswordLogin = call.body
    services = call.services
    ticket, steps = await login.give_password(
        _services(call), services.storage, services.keyring, _act(call), body.email, body.password
    )
    return Next(ticket=ticket, next=list(steps))


async def _give_code(call: Call, kind: Literal["totp", "recovery_code"]) -> Reply:
    services = call.services
    account_id, token = await login.give_code(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        call.body.ticket,
        kind,
        call.body.code,
        device_label(call.device),
    )
    if kind == "recovery_code":
        await _tell(call, account_id, "a recovery code was used to sign in to your account.")
    return await _logged_in(call, token)


async def give_totp(call: Call) -> Reply:
    return await _give_code(call, "totp")


async def give_recovery_code(call: Call) -> Reply:
    return await _give_code(call, "recovery_code")


async def ask_for_passkey(call: Call) -> Asked:
    return _asked(login.ask_for_passkey(_services(call), _act(call), _site(call)))


async def give_passkey(call: Call) -> Reply:
    body: PasskeyProof = call.body
    _, token = await login.give_passkey(
        _services(call),
        call.services.storage,
        _act(call),
        body.ticket,
        body.credential.as_sent(),
        device_label(call.device),
    )
    return await _logged_in(call, token)


async def begin_set_up_totp(call: Call) -> TotpSecret:
    services = call.services
    ticket, secret, uri = await set_up.begin_totp(
        _services(call), services.storage, services.keyring, _act(call), call.body.ticket
    )
    return TotpSecret(ticket=ticket, secret=secret, uri=uri)


async def finish_set_up_totp(call: Call) -> Reply:
    body: SetUpTotp = call.body
    services = call.services
    _, token = await set_up.finish_totp(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        body.ticket,
        body.totp.ticket,
        body.totp.code,
        device_label(call.device),
    )
    return await _logged_in(call, token)


async def begin_set_up_passkey(call: Call) -> Asked:
    services = call.services
    return _asked(
        await set_up.begin_passkey(
            _services(call),
            services.storage,
            services.keyring,
            _act(call),
            _site(call),
            call.body.ticket,
        )
    )


async def finish_set_up_passkey(call: Call) -> Reply:
    body: SetUpPasskey = call.body
    _, token = await set_up.finish_passkey(
        _services(call),
        call.services.storage,
        _act(call),
        body.ticket,
        body.passkey.ticket,
        body.passkey.credential.as_sent(),
        body.passkey.label,
        device_label(call.device),
    )
    return await _logged_in(call, token)


async def sign_out(call: Call) -> Reply:
    if call.account is not None:
        async with call.services.storage.transaction() as session:
            await sessions.revoke(session, call.who.id, call.who.session_id, call.now)
            on_record(session, _act(call), "account.logout", call.who.id, None)
    return Reply(clear_session=True)


async def step_up_by_password(call: Call) -> Reply:
    body: StepUpPassword = call.body
    services = call.services
    token = await step_up.by_password(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        call.who,
        body.password,
        body.code,
    )
    return await _logged_in(call, token)


async def step_up_ask_for_passkey(call: Call) -> Asked:
    return _asked(
        await step_up.ask_for_passkey(
            _services(call), call.services.storage, _act(call), call.who, _site(call)
        )
    )


async def step_up_by_passkey(call: Call) -> Reply:
    body: PasskeyProof = call.body
    token = await step_up.by_passkey(
        _services(call),
        call.services.storage,
        _act(call),
        call.who,
        body.ticket,
        body.credential.as_sent(),
    )
    return await _logged_in(call, token)


# One's own account.


async def me(call: Call) -> Me:
    return await _me_of(call.services.storage, call.who)


async def own_profile(call: Call) -> OwnProfile:
    services = call.services
    own = await directory.particulars(services.storage, services.keyring, _act(call), call.who.id)
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
            _act(call),
            call.who.id,
            name=body.legal_name,
            phone=body.phone,
            zone=body.time_zone,
        )


async def propose_email(call: Call) -> None:
    services = call.services
    await correspondence.propose_email(
        _services(call),
        services.storage,
        services.keyring,
        services.mailer,
        _act(call),
        _site(call),
        call.who.id,
        call.body.email,
    )


async def send_verification(call: Call) -> None:
    services = call.services
    await correspondence.send_verification(
        services.storage,
        services.keyring,
        services.mailer,
        _act(call),
        _site(call),
        call.who.id,
    )


async def verify_email(call: Call) -> None:
    services = call.services
    await correspondence.verify_email(
        services.storage, services.keyring, services.mailer, _act(call), call.body.token
    )


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
        on_record(session, _act(call), "session.revoked", call.path["session"], None)


async def revoke_other_devices(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await sessions.revoke_all(session, call.who.id, call.now, but=call.who.session_id)
        on_record(session, _act(call), "session.others_revoked", call.who.id, None)


async def own_passkeys(call: Call) -> OwnPasskeys:
    async with call.services.storage.snapshot() as session:
        own = await passkeys.own(session, call.who.id)
    return OwnPasskeys(passkeys=[_own_passkey(each) for each in own])


async def begin_passkey(call: Call) -> Asked:
    services = call.services
    return _asked(
        await own_factors.begin_passkey(
            _services(call),
            services.storage,
            services.keyring,
            _act(call),
            call.who,
            _site(call),
        )
    )


async def add_passkey(call: Call) -> OwnPasskey:
    body: MadePasskey = call.body
    passkey = await own_factors.add_passkey(
        _services(call),
        call.services.storage,
        _act(call),
        call.who,
        body.ticket,
        body.credential.as_sent(),
        body.label,
    )
    await _tell(call, call.who.id, "a passkey was added to your account.")
    return _own_passkey(passkey)


async def rename_passkey(call: Call) -> None:
    await own_factors.rename_passkey(
        call.services.storage, _act(call), call.who, call.path["passkey"], call.body.label
    )


async def remove_passkey(call: Call) -> None:
    await own_factors.remove_passkey(
        call.services.storage, _act(call), call.who, call.path["passkey"]
    )
    await _tell(call, call.who.id, "a passkey was removed from your account.")


async def set_password(call: Call) -> None:
    services = call.services
    await own_factors.set_password(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        call.who,
        call.body.password,
    )
    await _tell(call, call.who.id, "the password of your account was changed.")


async def remove_password(call: Call) -> None:
    await own_factors.remove_password(call.services.storage, _act(call), call.who)
    await _tell(call, call.who.id, "the password of your account was removed.")


async def begin_totp(call: Call) -> TotpSecret:
    services = call.services
    ticket, secret, uri = await own_factors.begin_totp(
        _services(call), services.storage, services.keyring, _act(call), call.who
    )
    return TotpSecret(ticket=ticket, secret=secret, uri=uri)


async def confirm_totp(call: Call) -> None:
    body: TotpLogin = call.body
    services = call.services
    await own_factors.confirm_totp(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        call.who,
        body.ticket,
        body.code,
    )
    await _tell(call, call.who.id, "an authenticator app was set up for your account.")


async def remove_totp(call: Call) -> None:
    await own_factors.remove_totp(call.services.storage, _act(call), call.who)
    await _tell(call, call.who.id, "the authenticator app of your account was removed.")


async def make_recovery_codes(call: Call) -> RecoveryCodes:
    codes = await own_factors.make_recovery_codes(call.services.storage, _act(call), call.who)
    await _tell(call, call.who.id, "new recovery codes were made for your account.")
    return RecoveryCodes(codes=codes)


async def close_own(call: Call) -> Reply:
    async with call.services.storage.transaction() as session:
        await accounts.close(session, _act(call), call.who.id)
    return Reply(clear_session=True)


async def ask_for_password(call: Call) -> None:
    services = call.services
    await correspondence.ask_for_password(
        _services(call),
        services.storage,
        services.keyring,
        services.mailer,
        _act(call),
        _site(call),
        call.body.email,
    )


async def reset_password(call: Call) -> None:
    body: ResetPassword = call.body
    services = call.services
    account_id = await correspondence.reset_password(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        body.token,
        body.password,
    )
    await _tell(call, account_id, "the password of your account was changed.")


# Invitations.


async def look(call: Call) -> InvitedTo:
    async with call.services.storage.snapshot() as session:
        invitation, group_name = await invitations.look(session, call.body.token, call.now)
    return InvitedTo(
        group_name=group_name,
        role=invitation.role,
        is_administrator=invitation.is_administrator,
        expires_at=invitation.expires_at,
    )


async def invited_passkey(call: Call) -> Asked:
    body: InvitedEmail = call.body
    return _asked(
        await invitations.ask_for_passkey(
            _services(call),
            call.services.storage,
            _act(call),
            _site(call),
            body.token,
            body.email,
        )
    )


async def accept(call: Call) -> Reply:
    body: Acceptance = call.body
    services = call.services
    newcomer = Newcomer(
        name=body.legal_name,
        email=body.email,
        zone=body.time_zone,
        display_name=body.display_name,
        pronouns=body.pronouns,
    )
    if body.passkey is not None:
        account_id, token = await invitations.accept_with_passkey(
            _services(call),
            services.storage,
            services.keyring,
            _act(call),
            body.token,
            newcomer,
            body.passkey.ticket,
            body.passkey.credential.as_sent(),
            body.passkey.label,
            device_label(call.device),
        )
        await _verify_later(call, account_id)
        return Reply(body=Next(ticket=None, next=[]), session_token=token)
    assert body.password is not None
    account_id, ticket = await invitations.accept_with_password(
        _services(call),
        services.storage,
        services.keyring,
        _act(call),
        body.token,
        newcomer,
        body.password,
    )
    await _verify_later(call, account_id)
    return Reply(body=Next(ticket=ticket, next=["set_up"]))


async def _verify_later(call: Call, account_id: str) -> None:
    """Send the link that verifies a new account's email; it can be asked for again."""
    services = call.services
    with suppress(Refused):
        await correspondence.send_verification(
            services.storage,
            services.keyring,
            services.mailer,
            _act(call),
            _site(call),
            account_id,
        )


async def join(call: Call) -> None:
    body: Joining = call.body
    await invitations.join(
        call.services.storage, _act(call), body.token, body.display_name, body.pronouns
    )


async def _invite(call: Call, terms: Terms, email: str | None) -> Invited:
    services = call.services
    made = await invitations.invite(
        services.storage,
        services.keyring,
        services.mailer,
        _act(call),
        _site(call),
        terms,
        email,
    )
    return Invited(
        id=made.id, expires_at=made.expires_at, emailed=made.link is None, link=made.link
    )


async def invite(call: Call) -> Invited:
    body: NewInvitation = call.body
    if body.is_administrator:
        proved = call.who.stepped_up_at
        if proved is None or call.now - proved > timedelta(seconds=STEP_UP_S):
            raise Refused("step_up", "Please confirm first that it is you.", 403)
    terms = Terms(body.group, body.role, body.is_administrator, body.days)
    return await _invite(call, terms, body.email)


async def invite_to_group(call: Call) -> Invited:
    body: NewGroupInvitation = call.body
    return await _invite(call, Terms(call.within.id, "participant", days=body.days), body.email)


def _made(made: Invitation, now: datetime) -> MadeInvitation:
    return MadeInvitation(
        id=made.id,
        group=made.group_id,
        role=made.role,
        is_administrator=made.is_administrator,
        created_at=made.created_at,
        expires_at=made.expires_at,
        state=invitations.state_of(made, now),
    )


async def made_invitations(call: Call) -> MadeInvitations:
    group_id = None if call.group is None else call.group.id
    async with call.services.storage.snapshot() as session:
        found = await invitations.made(session, group_id)
    return MadeInvitations(invitations=[_made(each, call.now) for each in found])


async def revoke_invitation(call: Call) -> None:
    await invitations.revoke(
        call.services.storage,
        _act(call),
        call.path["invitation"],
        None if call.group is None else call.group.id,
    )


# The administrators' list.


async def list_accounts(call: Call) -> ListedAccounts:
    query: AccountsQuery = call.query
    services = call.services
    found = await directory.page(
        services.storage, services.keyring, _act(call), query.after, query.limit
    )
    return ListedAccounts(
        accounts=[
            ListedAccount(
                id=each.account.id,
                legal_name=each.legal_name,
                is_administrator=each.account.is_administrator,
                created_at=each.account.created_at,
                closed_at=each.account.closed_at,
                email_verified=each.account.email_verified_at is not None,
                factors=_factors(each.factors),
            )
            for each in found
        ],
        next=found[-1].account.id if len(found) == query.limit else None,
    )


async def account_particulars(call: Call) -> AccountParticulars:
    services = call.services
    account_id = call.path["account"]
    found = await directory.particulars(services.storage, services.keyring, _act(call), account_id)
    return AccountParticulars(
        id=account_id, legal_name=found.legal_name, email=found.email, phone=found.phone
    )


async def close_account(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await accounts.close(session, _act(call), call.path["account"])


async def set_email(call: Call) -> None:
    await correspondence.set_email(
        call.services.storage,
        call.services.keyring,
        call.services.mailer,
        _act(call),
        call.path["account"],
        call.body.email,
    )


async def password_link(call: Call) -> PasswordLink:
    services = call.services
    link = await correspondence.password_link(
        services.storage,
        services.keyring,
        services.mailer,
        _act(call),
        _site(call),
        call.path["account"],
    )
    return PasswordLink(emailed=link is None, link=link)


def _route(
    method: str, path: str, handler: Handler, access: Access, summary: str, **more: Any
) -> Route:
    return Route(method, PREFIX + path, handler, access, summary, **more)


ROUTES: tuple[Route, ...] = (
    _route(
        "POST",
        "/sign-in/password",
        give_password,
        "anyone",
        "Begin to sign in by email and password.",
        body=PasswordLogin,
        reply=Next,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/sign-in/totp",
        give_totp,
        "anyone",
        "Go on by a code of the authenticator app.",
        body=TotpLogin,
        reply=Me,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/sign-in/recovery-code",
        give_recovery_code,
        "anyone",
        "Go on by a recovery code.",
        body=RecoveryLogin,
        reply=Me,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/sign-in/passkey/options",
        ask_for_passkey,
        "anyone",
        "Begin to sign in by a passkey.",
        reply=Asked,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/sign-in/passkey",
        give_passkey,
        "anyone",
        "Sign in by a passkey.",
        body=PasskeyProof,
        reply=Me,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/set-up/totp",
        begin_set_up_totp,
        "anyone",
        "Begin to set up an authenticator app, with only a password so far.",
        body=TicketOnly,
        reply=TotpSecret,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/set-up/totp/confirm",
        finish_set_up_totp,
        "anyone",
        "Confirm the authenticator app by its first code, and sign in.",
        body=SetUpTotp,
        reply=Me,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/set-up/passkey",
        begin_set_up_passkey,
        "anyone",
        "Begin to add a passkey, with only a password so far.",
        body=TicketOnly,
        reply=Asked,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/set-up/passkey/confirm",
        finish_set_up_passkey,
        "anyone",
        "Add the passkey, and sign in.",
        body=SetUpPasskey,
        reply=Me,
        rate=_PROOF,
    ),
    _route("POST", "/sign-out", sign_out, "anyone", "Sign out on this device."),
    _route(
        "POST",
        "/step-up/password",
        step_up_by_password,
        "signed_in",
        "Prove again who you are, by password and code.",
        body=StepUpPassword,
        reply=Me,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/step-up/passkey/options",
        step_up_ask_for_passkey,
        "signed_in",
        "Begin to prove again who you are by a passkey.",
        reply=Asked,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/step-up/passkey",
        step_up_by_passkey,
        "signed_in",
        "Prove again who you are, by a passkey.",
        body=PasskeyProof,
        reply=Me,
        rate=_PROOF,
    ),
    _route("GET", "/me", me, "signed_in", "Tell who is signed in.", reply=Me),
    _route(
        "GET",
        "/me/profile",
        own_profile,
        "signed_in",
        "Show your own name and contacts.",
        reply=OwnProfile,
    ),
    _route(
        "PUT",
        "/me/profile",
        change_profile,
        "signed_in",
        "Change your name, phone number and time zone.",
        body=Profile,
    ),
    _route(
        "POST",
        "/me/email",
        propose_email,
        "signed_in",
        "Ask for a link to a new email address; it is yours once you open it.",
        body=EmailOnly,
        step_up=True,
        rate=_LETTER,
    ),
    _route(
        "POST",
        "/me/email/verification",
        send_verification,
        "signed_in",
        "Ask for the link that confirms your email address.",
        rate=_LETTER,
    ),
    _route(
        "POST",
        "/email/verify",
        verify_email,
        "anyone",
        "Confirm an email address by its link.",
        body=TokenOnly,
        rate=_PROOF,
    ),
    _route(
        "GET", "/me/devices", devices, "signed_in", "List where you are signed in.", reply=Devices
    ),
    _route("DELETE", "/me/devices", revoke_other_devices, "signed_in", "Sign out elsewhere."),
    _route(
        "DELETE", "/me/devices/{session}", revoke_device, "signed_in", "Sign out on one device."
    ),
    _route(
        "GET", "/me/passkeys", own_passkeys, "signed_in", "List your passkeys.", reply=OwnPasskeys
    ),
    _route(
        "POST",
        "/me/passkeys/options",
        begin_passkey,
        "signed_in",
        "Begin to add a passkey.",
        reply=Asked,
        step_up=True,
    ),
    _route(
        "POST",
        "/me/passkeys",
        add_passkey,
        "signed_in",
        "Add a passkey.",
        body=MadePasskey,
        reply=OwnPasskey,
        step_up=True,
    ),
    _route(
        "PUT",
        "/me/passkeys/{passkey}",
        rename_passkey,
        "signed_in",
        "Give a passkey another label.",
        body=LabelOnly,
    ),
    _route(
        "DELETE",
        "/me/passkeys/{passkey}",
        remove_passkey,
        "signed_in",
        "Remove a passkey.",
        step_up=True,
    ),
    _route(
        "PUT",
        "/me/password",
        set_password,
        "signed_in",
        "Set or change your password; other devices are signed out.",
        body=NewPassword,
        step_up=True,
        rate=_PROOF,
    ),
    _route(
        "DELETE",
        "/me/password",
        remove_password,
        "signed_in",
        "Remove your password.",
        step_up=True,
    ),
    _route(
        "POST",
        "/me/totp",
        begin_totp,
        "signed_in",
        "Begin to set up an authenticator app.",
        reply=TotpSecret,
        step_up=True,
    ),
    _route(
        "POST",
        "/me/totp/confirm",
        confirm_totp,
        "signed_in",
        "Confirm an authenticator app by its first code.",
        body=TotpLogin,
        step_up=True,
        rate=_PROOF,
    ),
    _route(
        "DELETE",
        "/me/totp",
        remove_totp,
        "signed_in",
        "Remove the authenticator app.",
        step_up=True,
    ),
    _route(
        "POST",
        "/me/recovery-codes",
        make_recovery_codes,
        "signed_in",
        f"Make {recovery_codes.COUNT} new recovery codes, shown once; older ones end.",
        reply=RecoveryCodes,
        step_up=True,
    ),
    _route("POST", "/me/close", close_own, "signed_in", "Close your own account.", step_up=True),
    _route(
        "POST",
        "/password-reset",
        ask_for_password,
        "anyone",
        "Ask for a link to set a new password.",
        body=EmailOnly,
        rate=_LETTER,
    ),
    _route(
        "POST",
        "/password-reset/confirm",
        reset_password,
        "anyone",
        "Set a new password by a link.",
        body=ResetPassword,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/invitations/look",
        look,
        "anyone",
        "Tell what a link invites to.",
        body=TokenOnly,
        reply=InvitedTo,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/invitations/passkey-options",
        invited_passkey,
        "anyone",
        "Begin to make a passkey for a new account.",
        body=InvitedEmail,
        reply=Asked,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/invitations/accept",
        accept,
        "anyone",
        "Make an account by an invitation.",
        body=Acceptance,
        reply=Next,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/invitations/join",
        join,
        "signed_in",
        "Join a group by an invitation, with the account you have.",
        body=Joining,
        rate=_PROOF,
    ),
    _route(
        "POST",
        "/invitations",
        invite,
        "administrator",
        "Invite someone to this server, and perhaps to a group.",
        body=NewInvitation,
        reply=Invited,
    ),
    _route(
        "GET",
        "/invitations",
        made_invitations,
        "administrator",
        "List the invitations made.",
        reply=MadeInvitations,
    ),
    _route(
        "DELETE",
        "/invitations/{invitation}",
        revoke_invitation,
        "administrator",
        "Take an invitation back.",
    ),
    _route(
        "POST",
        "/groups/{group}/invitations",
        invite_to_group,
        "facilitator",
        "Invite a participant to the group.",
        body=NewGroupInvitation,
        reply=Invited,
    ),
    _route(
        "GET",
        "/groups/{group}/invitations",
        made_invitations,
        "facilitator",
        "List the invitations to the group.",
        reply=MadeInvitations,
    ),
    _route(
        "DELETE",
        "/groups/{group}/invitations/{invitation}",
        revoke_invitation,
        "facilitator",
        "Take an invitation to the group back.",
    ),
    _route(
        "GET",
        "/accounts",
        list_accounts,
        "administrator",
        "List accounts with their names, which is put on record.",
        query=AccountsQuery,
        reply=ListedAccounts,
    ),
    _route(
        "GET",
        "/accounts/{account}",
        account_particulars,
        "administrator",
        "Show the name and contacts of an account, which is put on record.",
        reply=AccountParticulars,
    ),
    _route(
        "POST",
        "/accounts/{account}/close",
        close_account,
        "administrator",
        "Close an account.",
        step_up=True,
    ),
    _route(
        "PUT",
        "/accounts/{account}/email",
        set_email,
        "administrator",
        "Change the email address of an account.",
        body=EmailOnly,
        step_up=True,
    ),
    _route(
        "POST",
        "/accounts/{account}/password-reset",
        password_link,
        "administrator",
        "Make a link by which someone sets a new password.",
        reply=PasswordLink,
        step_up=True,
    ),
)
