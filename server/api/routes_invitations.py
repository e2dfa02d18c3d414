"""Routes of invitations: making, taking back, and accepting them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from server.accounts import correspondence, invitations
from server.accounts.device_label import device_label
from server.accounts.invitations import Newcomer, Terms
from server.api.account_wire import (
    PROOF,
    Email,
    GivenPassword,
    LegalName,
    Next,
    TimeZone,
    Token,
    TokenOnly,
    act_of,
    proving,
    services_of,
    site_of,
    writing,
)
from server.api.passkey_wire import Asked, MadePasskey, asked
from server.api.routes import PREFIX, STEP_UP_S, Call, GroupRole, Id, Model, Reply, Route
from server.groups.names import MAX_NAME, MAX_PRONOUNS
from server.refusals import Refused
from server.storage.models import Invitation

DisplayName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Pronouns = Annotated[str, Field(max_length=MAX_PRONOUNS)]


class InvitedEmail(Model):
    token: Token
    email: Email


class Joining(Model):
    token: Token
    display_name: DisplayName | None = None
    pronouns: Pronouns | None = None


class Acceptance(Joining):
    """By a password or by a passkey."""

    legal_name: LegalName
    email: Email
    time_zone: TimeZone | None = None
    password: GivenPassword | None = None
    passkey: MadePasskey | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password is None) == (self.passkey is None):
            raise ValueError("has to have either a password or a passkey")
        return self


class NewInvitation(Model):
    email: Email | None = None
    days: Annotated[int, Field(ge=1, le=invitations.MAX_DAYS)] = 7
    is_administrator: bool = False
    is_facilitator: bool = False
    """Whether the new account may make groups of its own."""
    group: Id | None = None
    """That nobody guides any more; whoever takes the invitation does."""


class NewGroupInvitation(Model):
    email: Email | None = None
    days: Annotated[int, Field(ge=1, le=invitations.MAX_DAYS)] = 7
    role: GroupRole = "participant"


class InvitedTo(Model):
    group_name: str | None
    role: GroupRole | None
    is_administrator: bool
    is_facilitator: bool
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
    is_facilitator: bool
    created_at: datetime
    expires_at: datetime
    state: invitations.State


class MadeInvitations(Model):
    invitations: list[MadeInvitation]


async def look(call: Call) -> InvitedTo:
    async with call.services.storage.snapshot() as session:
        invitation, group_name = await invitations.look(session, call.body.token, call.now)
    return InvitedTo(
        group_name=group_name,
        role=invitation.role,
        is_administrator=invitation.is_administrator,
        is_facilitator=invitation.is_facilitator,
        expires_at=invitation.expires_at,
    )


async def invited_passkey(call: Call) -> Asked:
    body: InvitedEmail = call.body
    return asked(
        await invitations.ask_for_passkey(
            services_of(call),
            call.services.storage,
            act_of(call),
            site_of(call),
            body.token,
            body.email,
        )
    )


async def accept(call: Call) -> Reply:
    body: Acceptance = call.body
    newcomer = Newcomer(
        name=body.legal_name,
        email=body.email,
        zone=body.time_zone,
        display_name=body.display_name,
        pronouns=body.pronouns,
    )
    if body.passkey is not None:
        account_id, token = await invitations.accept_with_passkey(
            *proving(call),
            body.token,
            newcomer,
            body.passkey.ticket,
            body.passkey.credential.as_sent(),
            body.passkey.label,
            device_label(call.device),
        )
        reply = Reply(body=Next(ticket=None, next=[]), session_token=token)
    else:
        assert body.password is not None
        account_id, ticket = await invitations.accept_with_password(
            *proving(call), body.token, newcomer, body.password
        )
        reply = Reply(body=Next(ticket=ticket, next=["set_up"]))
    with suppress(Refused):  # the link that verifies their email; it can be asked for again
        await correspondence.send_verification(*writing(call), site_of(call), account_id)
    return reply


async def join(call: Call) -> None:
    body: Joining = call.body
    await invitations.join(
        call.services.storage, act_of(call), body.token, body.display_name, body.pronouns
    )


async def _invite(call: Call, terms: Terms, email: str | None) -> Invited:
    made = await invitations.invite(*writing(call), site_of(call), terms, email)
    return Invited(
        id=made.id, expires_at=made.expires_at, emailed=made.link is None, link=made.link
    )


async def invite(call: Call) -> Invited:
    body: NewInvitation = call.body
    terms = Terms(
        body.group,
        None if body.group is None else "facilitator",
        is_administrator=body.is_administrator,
        is_facilitator=body.is_facilitator,
        days=body.days,
    )
    return await _invite(call, terms, body.email)


async def invite_to_group(call: Call) -> Invited:
    body: NewGroupInvitation = call.body
    if body.role != "participant":
        proved = call.who.stepped_up_at
        if proved is None or call.now - proved > timedelta(seconds=STEP_UP_S):
            raise Refused("step_up", "Please show once more that it is you.", 403)
    return await _invite(call, Terms(call.within.id, body.role, days=body.days), body.email)


def _made(made: Invitation, now: datetime) -> MadeInvitation:
    return MadeInvitation(
        id=made.id,
        group=made.group_id,
        role=made.role,
        is_administrator=made.is_administrator,
        is_facilitator=made.is_facilitator,
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
        act_of(call),
        call.path["invitation"],
        None if call.group is None else call.group.id,
    )


ROUTES = [
    Route(
        "POST",
        f"{PREFIX}/invitations/look",
        look,
        "anyone",
        "Tell what a link invites to.",
        body=TokenOnly,
        reply=InvitedTo,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/invitations/passkey-options",
        invited_passkey,
        "anyone",
        "Begin to make a passkey for a new account.",
        body=InvitedEmail,
        reply=Asked,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/invitations/accept",
        accept,
        "anyone",
        "Make an account by an invitation.",
        body=Acceptance,
        reply=Next,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/invitations/join",
        join,
        "signed_in",
        "Join a group by an invitation, with the account you have.",
        body=Joining,
        rate=PROOF,
    ),
    Route(
        "POST",
        f"{PREFIX}/invitations",
        invite,
        "administrator",
        "Invite someone to this server, or to guide a group that nobody guides any more.",
        body=NewInvitation,
        reply=Invited,
        step_up=True,
    ),
    Route(
        "GET",
        f"{PREFIX}/invitations",
        made_invitations,
        "administrator",
        "List the invitations made.",
        reply=MadeInvitations,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/invitations/{{invitation}}",
        revoke_invitation,
        "administrator",
        "Take an invitation back.",
    ),
    Route(
        "POST",
        f"{PREFIX}/groups/{{group}}/invitations",
        invite_to_group,
        "facilitator",
        "Invite someone to the group; as more than a participant with a login proved anew.",
        body=NewGroupInvitation,
        reply=Invited,
    ),
    Route(
        "GET",
        f"{PREFIX}/groups/{{group}}/invitations",
        made_invitations,
        "facilitator",
        "List the invitations to the group.",
        reply=MadeInvitations,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/groups/{{group}}/invitations/{{invitation}}",
        revoke_invitation,
        "facilitator",
        "Take an invitation to the group back.",
    ),
]
