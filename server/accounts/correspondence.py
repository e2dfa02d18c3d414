"""Writing to people: to verify their email, to give them a new password, to tell of changes."""

from __future__ import annotations

import structlog

from server.accounts import accounts, letters, one_time_links, passwords, sessions
from server.accounts.accounts import ANONYMOUS, email_of, holder_of, name_of, open_account
from server.accounts.email_address import email_address
from server.accounts.links import Site
from server.accounts.mail import Mailer
from server.accounts.services import AccountServices
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Account

log = structlog.get_logger(__name__)


def no_email() -> Refused:
    return Refused(
        "no_email",
        "This server sends no email. Please ask its administrator.",
        503,
    )


async def tell(
    storage: Storage, keyring: KeyRing, mailer: Mailer | None, account_id: str, what: str
) -> None:
    """Tell someone of a change to how they sign in, if their email is known to be theirs."""
    if mailer is None:
        return
    async with storage.snapshot() as session:
        account = await session.get(Account, account_id)
    email = None if account is None else email_of(keyring, account)
    if account is None or email is None or account.email_verified_at is None:
        return
    _send_notice(mailer, email, what)


def _send_notice(mailer: Mailer, email: str, what: str) -> None:
    try:
        mailer.send(letters.security_notice(email, what))
    except Refused:
        log.warning("notice_not_sent")


async def send_verification(
    storage: Storage, keyring: KeyRing, mailer: Mailer | None, act: Act, site: Site, account_id: str
) -> None:
    """Send the link that verifies someone's present email.

    Raises:
        Refused: ``no_email`` or ``mail_busy``.
    """
    if mailer is None:
        raise no_email()
    async with storage.transaction() as session:
        account = await open_account(session, account_id)
        email = email_of(keyring, account)
        if email is None or account.email_verified_at is not None:
            return
        token = await one_time_links.make(session, account_id, "verify_email", act.now)
        on_record(session, act, "account.email_link_made", account_id, None)
    mailer.send(letters.verify_email(email, site.verify_email(token)))


async def propose_email(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    mailer: Mailer | None,
    act: Act,
    site: Site,
    account_id: str,
    email: str,
) -> None:
    """Send a link to an email that someone wants to have; it is theirs once they open it.

    Whose email it is already is told only to its owner.

    Raises:
        Refused: ``no_email``, ``email_invalid``, ``slow_down`` or ``mail_busy``.
    """
    if mailer is None:
        raise no_email()
    email = email_address(email)
    services.letters.begin(account_id.encode(), act.now)
    async with storage.transaction() as session:
        await open_account(session, account_id)
        holder = await holder_of(session, keyring, email)
        token = await one_time_links.make(
            session, account_id, "verify_email", act.now, new_email=(keyring, email)
        )
        on_record(session, act, "account.email_link_made", account_id, None)
        taken_by = None
        if holder is not None and holder.id != account_id and holder.closed_at is None:
            taken_by = email_of(keyring, holder)
    if taken_by is not None:
        mailer.send(letters.email_in_use(taken_by))
    else:
        mailer.send(letters.verify_email(email, site.verify_email(token)))


async def verify_email(
    storage: Storage, keyring: KeyRing, mailer: Mailer | None, act: Act, token: str
) -> None:
    """Take the link of a verification. Of a change, the earlier address is told.

    Raises:
        Refused: ``link_ended`` or ``email_taken``.
    """
    earlier = None
    async with storage.transaction() as session:
        link = await one_time_links.take(session, token, "verify_email", act.now)
        mine = Act(link.account_id, act.now, act.address)
        account = await open_account(session, link.account_id)
        new = one_time_links.new_email_in(token, link, keyring)
        if new is None:
            account.email_verified_at = act.now
            on_record(session, mine, "account.email_verified", account.id, None)
        else:
            if account.email_verified_at is not None:
                earlier = email_of(keyring, account)
            await accounts.change_email(session, keyring, mine, account.id, new, verified=True)
    if earlier is not None and mailer is not None:
        _send_notice(mailer, earlier, "the email address of your account was changed.")


async def set_email(
    storage: Storage,
    keyring: KeyRing,
    mailer: Mailer | None,
    act: Act,
    account_id: str,
    email: str,
) -> None:
    """Change someone's email as an administrator. It is not verified; the earlier one is told.

    Raises:
        Refused: ``not_found``, ``email_invalid`` or ``email_taken``.
    """
    email = email_address(email)
    async with storage.transaction() as session:
        account = await open_account(session, account_id)
        earlier = email_of(keyring, account) if account.email_verified_at is not None else None
        await accounts.change_email(session, keyring, act, account_id, email, verified=False)
    if earlier is not None and mailer is not None:
        _send_notice(mailer, earlier, "an administrator changed the email address of your account.")


async def ask_for_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    mailer: Mailer | None,
    act: Act,
    site: Site,
    email: str,
) -> None:
    """Send a link for a new password, if there is an account with this email, verified.

    Whether there is, neither the answer nor the work tells.
    """
    try:
        services.letters.begin(blind_index(keyring, email), act.now)
    except Refused:
        return
    async with storage.transaction() as session:
        account = await holder_of(session, keyring, email)
        to = None
        token = ""
        if (
            mailer is not None
            and account is not None
            and account.closed_at is None
            and account.email_verified_at is not None
        ):
            # To the address as it is kept: one that only looks alike may be someone else's.
            to = email_of(keyring, account)
            token = await one_time_links.make(session, account.id, "reset_password", act.now)
        on_record(
            session,
            Act(ANONYMOUS, act.now, act.address),
            "account.password_link_asked",
            None if account is None else account.id,
            None,
            outcome="failed" if to is None else "done",
        )
    if mailer is not None and to is not None:
        try:
            mailer.send(letters.reset_password(to, site.reset_password(token)))
        except Refused:
            log.warning("reset_not_sent")


async def password_link(
    storage: Storage,
    keyring: KeyRing,
    mailer: Mailer | None,
    act: Act,
    site: Site,
    account_id: str,
) -> str | None:
    """A link for a new password on an administrator's behalf; None if it was emailed instead.

    Whoever has it still needs the second factor to sign in.

    Raises:
        Refused: ``not_found`` or ``mail_busy``.
    """
    async with storage.transaction() as session:
        account = await open_account(session, account_id)
        token = await one_time_links.make(session, account_id, "reset_password", act.now)
        email = email_of(keyring, account) if account.email_verified_at is not None else None
        on_record(session, act, "account.password_link_made", account_id, None)
    if mailer is not None and email is not None:
        mailer.send(letters.reset_password(email, site.reset_password(token)))
        return None
    return site.reset_password(token)


async def reset_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    token: str,
    password: str,
) -> str:
    """Take a link and set a new password; all devices are signed out. Whose it was.

    Raises:
        Refused: ``link_ended``, ``password_weak``, ``password_long`` or ``busy``.
    """
    # Looked at before the hashing, so that strangers cannot keep the server busy with it.
    async with storage.snapshot() as session:
        account_id = await one_time_links.peek(session, token, "reset_password", act.now)
        account = await session.get(Account, account_id)
    if account is None or account.closed_at is not None:
        raise one_time_links.link_ended()
    about = [name_of(keyring, account), email_of(keyring, account) or ""]
    await services.passwords.refuse_weak(password, about)
    hashed = await services.passwords.hash(password)
    mine = Act(account.id, act.now, act.address)
    async with storage.transaction() as session:
        await one_time_links.take(session, token, "reset_password", act.now)
        await open_account(session, account.id, lock=True)
        await passwords.store(session, account.id, hashed, act.now)
        await sessions.revoke_all(session, account.id, act.now)
        on_record(session, mine, "account.password_changed", account.id, None, by="link")
    return account.id
