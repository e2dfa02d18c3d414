"""Logging in: by a passkey, or by a password and a second factor.

Nothing here tells whether an account exists: for one that does not, the answers are the same and
so is the work (OWASP ASVS 5, 6.3.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts import passkeys, passwords, recovery_codes, sessions, totp
from server.accounts.accounts import ANONYMOUS, holder_of, open_account
from server.accounts.factors import Factors, factors_of
from server.accounts.links import Site
from server.accounts.services import AccountServices, Proven
from server.groups.act import Act, on_record
from server.refusals import Refused
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.models import Outcome, Password

Step = Literal["totp", "recovery_code", "passkey", "set_up"]
"""How a login goes on after the password."""

LOGIN = "account.login"


def wrong_credentials() -> Refused:
    return Refused("wrong_credentials", "The email address or the password is not right.", 401)


def wrong_code(kind: Literal["totp", "recovery_code"] = "totp") -> Refused:
    text = "This code is not right, or was used already."
    if kind == "totp":
        text += " An app shows a new one every 30 seconds."
    return Refused("wrong_code", text, 401)


def ticket_ended() -> Refused:
    return Refused("ticket_ended", "That took too long; please start again.", 410)


def put_on_record(
    session: AsyncSession, act: Act, account_id: str | None, by: str, outcome: Outcome
) -> None:
    """Put a login, or the attempt, on record; who tried in vain is not known."""
    actor = account_id if outcome == "done" and account_id is not None else ANONYMOUS
    on_record(
        session, Act(actor, act.now, act.address), LOGIN, account_id, None, outcome=outcome, by=by
    )


class Attempt:
    """One try, counted for its account and its address from the beginning on."""

    def __init__(self, services: AccountServices, act: Act, key: bytes) -> None:
        self._services = services
        self._act = act
        self._address = None if act.address is None else act.address.encode()
        self.key = key

    def begin(self, stored: tuple[int, datetime | None] = (0, None)) -> None:
        """Count it.

        Raises:
            Refused: ``slow_down``.
        """
        if self._address is not None:
            self._services.by_address.begin(self._address, self._act.now)
        try:
            self._services.by_account.begin(self.key, self._act.now, stored=stored)
        except Refused:
            self.undo_address()
            raise

    def undo_address(self) -> None:
        if self._address is not None:
            self._services.by_address.undo(self._address)

    def half(self) -> None:
        """It was right, but there is a second half; earlier failures still count."""
        self._services.by_account.undo(self.key)
        self.undo_address()

    def succeeded(self) -> None:
        """It was right. For the address that makes up for nothing: others may be guessed there."""
        self._services.by_account.succeeded(self.key)
        self.undo_address()


async def give_password(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    email: str,
    password: str,
) -> tuple[str, tuple[Step, ...]]:
    """The first half of a login by password.

    Returns:
        a ticket, and how to go on with it. Without a second factor that is to set one up; the
        ticket lets do nothing else.

    Raises:
        Refused: ``wrong_credentials``, ``slow_down`` or ``busy``.
    """
    async with storage.snapshot() as session:
        account = await holder_of(session, keyring, email)
        stored = None
        if account is not None and account.closed_at is None:
            stored = await session.get(Password, account.id)
    attempt = Attempt(services, act, blind_index(keyring, email))
    account_id = None if account is None else account.id
    try:
        attempt.begin((0, None) if stored is None else (stored.failures, stored.failed_at))
    except Refused:
        async with storage.transaction() as session:
            put_on_record(session, act, account_id, "password", "refused")
        raise
    is_right = await services.passwords.matches(
        None if stored is None else stored.hash, password[: passwords.MAX_CHARS + 1]
    )
    if not is_right or stored is None:
        async with storage.transaction() as session:
            if account_id is not None:
                await count_failure(session, account_id, act.now)
            put_on_record(session, act, account_id, "password", "failed")
        raise wrong_credentials()
    attempt.half()
    hashed = stored.hash
    if services.passwords.is_outdated(hashed):
        hashed = await services.passwords.hash(password)
        async with storage.transaction() as session:
            await passwords.store_rehashed(session, stored.account_id, stored.hash, hashed)
    async with storage.snapshot() as session:
        steps = steps_with(await factors_of(session, stored.account_id))
    proven = Proven(stored.account_id, hashed, attempt.key)
    return services.proven.put(proven, act.now), steps


def steps_with(factors: Factors) -> tuple[Step, ...]:
    """How a login by password goes on."""
    if not factors.has_second:
        return ("set_up",)
    steps: list[Step] = []
    if factors.totp:
        steps.append("totp")
    if factors.passkeys:
        steps.append("passkey")
    if factors.recovery_codes:
        steps.append("recovery_code")
    return tuple(steps)


async def count_failure(session: AsyncSession, account_id: str, now: datetime) -> None:
    """Count a failure beyond a restart of the server."""
    await session.execute(
        update(Password)
        .where(Password.account_id == account_id)
        .values(failures=Password.failures + 1, failed_at=now)
    )


async def forget_failures(session: AsyncSession, account_id: str) -> None:
    await session.execute(
        update(Password).where(Password.account_id == account_id).values(failures=0, failed_at=None)
    )


async def still_proven(session: AsyncSession, proven: Proven) -> None:
    """Lock the account of a ticket, and refuse it if the password was changed since.

    Raises:
        Refused: ``ticket_ended``.
    """
    try:
        await open_account(session, proven.account_id, lock=True)
    except Refused:
        raise ticket_ended() from None
    hashed = await session.scalar(
        select(Password.hash).where(Password.account_id == proven.account_id)
    )
    if hashed != proven.password_hash:
        raise ticket_ended()


async def give_code(
    services: AccountServices,
    storage: Storage,
    keyring: KeyRing,
    act: Act,
    ticket: str,
    kind: Literal["totp", "recovery_code"],
    code: str,
    device_label: str,
) -> tuple[str, str]:
    """The second half of a login by password.

    Returns:
        the account's id and the token of its new session.

    Raises:
        Refused: ``ticket_ended``, ``wrong_code`` or ``slow_down``.
    """
    proven = services.proven.get(ticket, act.now)
    if proven is None:
        raise ticket_ended()
    attempt = Attempt(services, act, proven.key)
    account_id = proven.account_id
    try:
        attempt.begin()
    except Refused:
        async with storage.transaction() as session:
            put_on_record(session, act, account_id, kind, "refused")
        raise
    token = None
    async with storage.transaction() as session:
        await still_proven(session, proven)
        if not (await factors_of(session, account_id)).has_second:
            raise ticket_ended()
        if kind == "totp":
            is_right = await totp.take(session, keyring, account_id, code, act.now)
        else:
            is_right = await recovery_codes.take(session, account_id, code, act.now)
        if is_right:
            await forget_failures(session, account_id)
            token = await sessions.start(session, account_id, device_label, act.now)
            if kind == "recovery_code":
                mine = Act(account_id, act.now, act.address)
                on_record(session, mine, "account.recovery_code_used", account_id, None)
        else:
            await count_failure(session, account_id, act.now)
        put_on_record(session, act, account_id, kind, "failed" if token is None else "done")
    if token is None:
        raise wrong_code(kind)
    attempt.succeeded()
    services.proven.drop(ticket)
    return account_id, token


def ask_for_passkey(
    services: AccountServices, act: Act, site: Site
) -> tuple[str, passkeys.Options]:
    """Begin a login by passkey: a ticket, and the options for the browser.

    Raises:
        Refused: ``passkeys_unavailable``.
    """
    challenge, options = passkeys.ask_for_proof(site, "login")
    return services.anonymous.put(challenge, act.now), options


async def give_passkey(
    services: AccountServices,
    storage: Storage,
    act: Act,
    ticket: str,
    credential: Mapping[str, Any],
    device_label: str,
) -> tuple[str, str]:
    """Log in by a passkey, which alone is enough: it is held, and unlocked by the person.

    Returns:
        the account's id and the token of its new session.

    Raises:
        Refused: ``passkey_refused`` or ``slow_down``.
    """
    address = None if act.address is None else act.address.encode()
    if address is not None:
        services.by_address.begin(address, act.now)
    async with storage.snapshot() as session:
        passkey = await passkeys.claimed(session, credential)
    account_id = None if passkey is None else passkey.account_id
    token = None
    try:
        sign_count = passkeys.verify_proof(
            services.anonymous.take(ticket, act.now), "login", passkey, credential
        )
    except Refused:
        async with storage.transaction() as session:
            put_on_record(session, act, account_id, "passkey", "failed")
        raise
    assert passkey is not None
    async with storage.transaction() as session:
        await open_account(session, passkey.account_id, lock=True)
        if await passkeys.used(session, passkey, sign_count, act.now):
            token = await sessions.start(session, passkey.account_id, device_label, act.now)
        put_on_record(session, act, account_id, "passkey", "failed" if token is None else "done")
    if token is None:
        raise passkeys.refused()
    if address is not None:
        services.by_address.undo(address)
    return passkey.account_id, token
