"""Invitations: single-use links by which someone makes an account, or joins a group with theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import accounts, letters, passkeys, passwords, sessions
from server.accounts.accounts import open_account
from server.accounts.email_address import email_address
from server.accounts.links import Site
from server.accounts.login import put_on_record
from server.accounts.mail import Mailer
from server.accounts.one_time_links import link_ended
from server.accounts.services import AccountServices, Proven
from server.audit.record import OPERATOR
from server.groups import memberships, names
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.ids import new_id, new_token, token_hash
from server.storage.keyring import KeyRing
from server.storage.models import Account, Group, GroupRole, Invitation
from server.storage.sealed import Place, seal

MAX_DAYS = 30
_FIRST_DAYS = 1

State = Literal["open", "used", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an invitation gives.

    Args:
        group_id: the group to join, if any.
        role: in it; None exactly where there is no group.
        is_administrator: whether the new account may run this server; never with a group.
        is_facilitator: whether the new account may make groups of its own; never with a group.
        days: for how many days it is valid.
    """

    group_id: str | None = None
    role: GroupRole | None = None
    is_administrator: bool = False
    is_facilitator: bool = False
    days: int = 7


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What someone says of themselves when they take an invitation.

    Args:
        name: their legal name.
        email: by which they will sign in.
        zone: IANA time zone, if known.
        display_name: by which the group will know them; needed where there is a group.
        pronouns: likewise, if they like.
    """

    name: str = field(repr=False)
    email: str = field(repr=False)
    zone: str | None = None
    display_name: str | None = field(default=None, repr=False)
    pronouns: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new invitation.

    Args:
        id: of it.
        expires_at: until when it is valid.
        link: to pass on; None if it was emailed.
    """

    id: str
    expires_at: datetime
    link: str | None = field(repr=False)


async def create_first_administrator(storage: Storage, now: datetime) -> str:
    """Make the token of the link by which the first administrator makes their account.

    It works once, for a day, and ends earlier ones.

    Raises:
        Refused: ``has_administrator``.
    """
    act = Act(OPERATOR, now)
    async with storage.transaction() as session:
        await _refuse_second_first(session)
        await session.execute(
            update(Invitation)
            .where(
                Invitation.is_administrator,
                Invitation.created_by.is_(None),
                Invitation.used_at.is_(None),
                Invitation.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
        invitation, token = await _make(
            session, act, Terms(is_administrator=True, days=_FIRST_DAYS), None
        )
        on_record(session, act, "invitation.made", invitation.id, None, administrator=True)
    return token


async def _refuse_second_first(session: AsyncSession) -> None:
    if await session.scalar(
        select(exists().where(Account.is_administrator, Account.closed_at.is_(None)))
    ):
        raise Refused(
            "has_administrator",
            "There is an administrator already, who can invite others.",
            409,
        )


async def _make(
    session: AsyncSession, act: Act, terms: Terms, author: str | None
) -> tuple[Invitation, str]:
    token = new_token()
    invitation = Invitation(
        id=new_id(),
        token_hash=token_hash(token),
        group_id=terms.group_id,
        role=terms.role,
        is_administrator=terms.is_administrator,
        is_facilitator=terms.is_facilitator,
        created_by=author,
        created_at=act.now,
        expires_at=act.now + timedelta(days=terms.days),
    )
    session.add(invitation)
    await session.flush()
    return invitation, token


async def invite(
    storage: Storage,
    keyring: KeyRing,
    mailer: Mailer | None,
    act: Act,
    site: Site,
    terms: Terms,
    email: str | None,
) -> Made:
    """Make an invitation. It is emailed, if there is an email and a way to send one.

    That whoever makes it is an administrator, or a facilitator of its group, is for the caller to
    check. To a group, its facilitators invite; an administrator only someone to guide it, and only
    while nobody does.

    Raises:
        Refused: ``bad_terms``, ``email_invalid``, ``not_found``, ``group_closed``,
            ``not_allowed`` or ``mail_busy``.
    """
    if (terms.group_id is None) != (terms.role is None) or not 1 <= terms.days <= MAX_DAYS:
        raise Refused("bad_terms", "An invitation to a group needs a role, and only that does.")
    if terms.group_id is not None and (terms.is_administrator or terms.is_facilitator):
        raise Refused(
            "bad_terms", "Nobody is invited to a group and to this server's tasks at once."
        )
    to = None if email is None else email_address(email)
    async with storage.transaction() as session:
        if terms.group_id is not None:
            group = await session.get(Group, terms.group_id)
            if group is None:
                raise Refused("not_found", "This group does not exist.", 404)
            if group.closed_at is not None:
                raise Refused("group_closed", "This group has ended.", 409)
            guides = await memberships.facilitators(session, group.id)
            if act.actor not in guides and (guides or terms.role != "facilitator"):
                raise Refused(
                    "not_allowed",
                    "The facilitators of a group invite to it. An administrator can invite someone "
                    "to guide a group that has none any more.",
                    403,
                )
        invitation, token = await _make(session, act, terms, act.actor)
        if to is not None:
            place = Place.of(Invitation.email, invitation.id)
            invitation.email = seal(keyring, place, to)
        on_record(
            session,
            act,
            "invitation.made",
            invitation.id,
            terms.group_id,
            role=terms.role,
            administrator=terms.is_administrator,
            facilitator=terms.is_facilitator,
        )
    link = site.invitation(token)
    if mailer is not None and to is not None:
        mailer.send(letters.invitation(to, link, terms.days))
        return Made(invitation.id, invitation.expires_at, None)
    return Made(invitation.id, invitation.expires_at, link)


def state_of(invitation: Invitation, now: datetime) -> State:
    if invitation.used_at is not None:
        return "used"
    if invitation.revoked_at is not None:
        return "revoked"
    return "open" if invitation.expires_at > now else "expired"


async def made(session: AsyncSession, group_id: str | None = None) -> Sequence[Invitation]:
    """The last 200 invitations, the newest first; with a group, only those to it."""
    query = select(Invitation).order_by(Invitation.created_at.desc(), Invitation.id).limit(200)
    if group_id is not None:
        query = query.where(Invitation.group_id == group_id)
    return (await session.scalars(query)).all()


async def revoke(
    storage: Storage, act: Act, invitation_id: str, group_id: str | None = None
) -> None:
    """Take an invitation back; with a group, only one to it.

    Raises:
        Refused: ``not_found``, also if it was used.
    """
    mine: list[ColumnElement[bool]] = []
    if group_id is not None:
        mine = [Invitation.group_id == group_id]
    async with storage.transaction() as session:
        revoked = (
            await session.execute(
                update(Invitation)
                .where(
                    Invitation.id == invitation_id,
                    Invitation.used_at.is_(None),
                    Invitation.revoked_at.is_(None),
                    *mine,
                )
                .values(revoked_at=act.now)
                .returning(Invitation.group_id)
            )
        ).one_or_none()
        if revoked is None:
            raise Refused("not_found", "There is no such open invitation.", 404)
        on_record(session, act, "invitation.revoked", invitation_id, revoked[0])


async def look(session: AsyncSession, token: str, now: datetime) -> tuple[Invitation, str | None]:
    """What a link invites to, and the group's name.

    Raises:
        Refused: ``link_ended``.
    """
    found = (
        await session.execute(
            select(Invitation, Group.name)
            .outerjoin(Group, Group.id == Invitation.group_id)
            .where(Invitation.token_hash == token_hash(token))
        )
    ).one_or_none()
    if found is None or state_of(found[0], now) != "open":
        raise link_ended()
    return found[0], found[1]


async def _use(session: AsyncSession, act: Act, invitation: Invitation, account_id: str) -> None:
    """Use an invitation up; of two who do it at once, one is refused."""
    used = await session.scalar(
        update(Invitation)
        .where(
            Invitation.id == invitation.id,
            Invitation.used_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > act.now,
        )
        .values(used_at=act.now, used_by=account_id)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    if used is None:
        raise link_ended()
    on_record(session, act, "invitation.used", invitation.id, invitation.group_id)


async def _refuse_unfounded(session: AsyncSession, invitation: Invitation, account_id: str) -> None:
    """Refuse a role over others to whom those could not give it who guide the group now.

    An administrator's word counts while nobody guides it, and not for themselves: administrators
    do not see into groups.
    """
    if invitation.group_id is None or invitation.role == "participant":
        return
    # Locked, so that of two who come at once one finds the other there.
    await session.scalar(select(Group.id).where(Group.id == invitation.group_id).with_for_update())
    guides = await memberships.facilitators(session, invitation.group_id)
    if invitation.created_by in guides:
        return
    if guides or invitation.created_by is None or invitation.role != "facilitator":
        raise link_ended()
    if invitation.created_by == account_id:
        raise Refused(
            "own_invitation",
            "You made this invitation yourself, and it is for someone else: administrators do not "
            "see into groups.",
            403,
        )


async def _join(
    session: AsyncSession,
    act: Act,
    invitation: Invitation,
    account_id: str,
    display_name: str | None,
    pronouns: str | None,
) -> None:
    if invitation.group_id is None or invitation.role is None:
        return
    if display_name is None:
        raise Refused("display_name_needed", "Please choose the name that the group will see.")
    await _refuse_unfounded(session, invitation, account_id)
    await memberships.join(
        session,
        act,
        invitation.group_id,
        account_id,
        invitation.role,
        name=display_name,
        pronouns=pronouns,
    )


async def join(
    storage: Storage,
    act: Act,
    token: str,
    display_name: str | None,
    pronouns: str | None,
) -> None:
    """Take an invitation with the account that one has; the actor of the act.

    Raises:
        Refused: ``link_ended``, ``display_name_needed``, ``not_for_you``, ``own_invitation``, or
            as `memberships.join`; then it can still be taken.
    """
    async with storage.transaction() as session:
        invitation, _ = await look(session, token, act.now)
        account = await open_account(session, act.actor, lock=True)
        if invitation.is_administrator and not account.is_administrator:
            # Rights over the server come with an account of their own, not with a link opened late.
            raise Refused(
                "not_for_you",
                "This invitation is for a new account. Please sign out first, and open it again.",
                409,
            )
        if invitation.group_id is None:
            raise Refused(
                "not_for_you",
                "You have an account already. An administrator can let it make groups, too.",
                409,
            )
        await _use(session, act, invitation, account.id)
        await _join(session, act, invitation, account.id, display_name, pronouns)


async def _create(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    token: str,
    account_id: str,
    newcomer: Newcomer,
) -> Act:
    """Make the account of an invitation; the act is then its own."""
    mine = Act(account_id, act.now, act.address)
    invitation, _ = await look(session, token, act.now)
    if invitation.is_administrator and invitation.created_by is None:
        await _refuse_second_first(session)
    account = await accounts.create(
        session,
        keyring,
        mine,
        account_id,
        name=newcomer.name,
        email=email_address(newcomer.email),
        zone=newcomer.zone,
        is_administrator=invitation.is_administrator,
        is_facilitator=invitation.is_facilitator,
    )
    await _use(session, mine, invitation, account.id)
    await _join(session, mine, invitation, account.id, newcomer.display_name, newcomer.pronouns)
    return mine


async def _check(
    services: AccountServices, storage: Storage, act: Act, token: str, newcomer: Newcomer
) -> None:
    """Refuse early what would be refused anyway, before anything costly."""
    # Whether an email is taken shows here, so the link slows down whoever tries many with it.
    services.by_link.begin(token_hash(token), act.now)
    async with storage.snapshot() as session:
        invitation, _ = await look(session, token, act.now)
    email_address(newcomer.email)
    accounts.legal_name(newcomer.name)
    if invitation.group_id is not None and newcomer.display_name is None:
        raise Refused("display_name_needed", "Please choose the name that the group will see.")
    if newcomer.display_name is not None:
        names.display_name(newcomer.display_name)


async def accept_with_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    token: str,
    newcomer: Newcomer,
    password: str,
) -> tuple[str, str]:
    """Make an account with a password.

    Returns:
        the account's id, and a ticket to set up the second factor with (`set_up`), without
        which there is no login.

    Raises:
        Refused: ``link_ended``, ``slow_down``, ``email_taken``, what is wrong with the person's
            details or the password, or as `memberships.join`.
    """
    await _check(services, storage, act, token, newcomer)
    await services.passwords.refuse_weak(password, [newcomer.name, newcomer.email])
    hashed = await services.passwords.hash(password)
    account_id = new_id()
    async with storage.transaction() as session:
        await _create(session, keyring, act, token, account_id, newcomer)
        await passwords.store(session, account_id, hashed, act.now)
    proven = Proven(account_id, hashed, blind_index(keyring, newcomer.email))
    return account_id, services.proven.put(proven, act.now)


async def ask_for_passkey(
    services: AccountServices, storage: Storage, act: Act, site: Site, token: str, email: str
) -> tuple[str, passkeys.Options]:
    """A ticket for the passkey of an account that is not there yet, and the browser's options.

    Raises:
        Refused: ``link_ended``, ``email_invalid`` or ``passkeys_unavailable``.
    """
    async with storage.snapshot() as session:
        await look(session, token, act.now)
    challenge, options = passkeys.ask_for_new(site, new_id(), email_address(email), ())
    return services.challenges.put(challenge, act.now), options


async def accept_with_passkey(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    token: str,
    newcomer: Newcomer,
    ticket: str,
    credential: Mapping[str, Any],
    label: str | None,
    device_label: str,
) -> tuple[str, str]:
    """Make an account with a passkey, and log in.

    Returns:
        the account's id and the token of its session.

    Raises:
        Refused: as `accept_with_password`; or ``passkey_refused`` or ``bad_label``.
    """
    await _check(services, storage, act, token, newcomer)
    new = passkeys.verify_new(services.challenges.take(ticket, act.now), credential)
    async with storage.transaction() as session:
        if await session.get(Account, new.account_id) is not None:
            raise passkeys.refused()  # made for an account that is there, not for this one
        mine = await _create(session, keyring, act, token, new.account_id, newcomer)
        passkey = await passkeys.add(session, new, label, act.now)
        on_record(session, mine, "account.passkey_added", passkey.id, None)
        session_token = await sessions.start(session, new.account_id, device_label, act.now)
        put_on_record(session, act, new.account_id, "passkey", "done")
    return new.account_id, session_token
