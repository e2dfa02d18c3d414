"""A place to try accounts in: a database, a key ring, and people who come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
from sqlalchemy import select

from server.accounts import invitations, login, sessions, set_up
from server.accounts.accounts import ANONYMOUS
from server.accounts.invitations import Newcomer, Terms
from server.accounts.links import Site
from server.accounts.services import AccountServices
from server.accounts.signed_in import SignedIn
from server.groups import memberships
from server.groups.act import Act
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Account, AuditRow, Group, OneTimeLink
from tests.accounts.authenticator import Authenticator

NOW = datetime(2027, 1, 5, 18, 0, tzinfo=UTC)
SITE = Site("https://groups.example.org")
PASSWORD = "violet harbour sings at noon"
EMAIL = "Ada@Example.org"
ADDRESS = "192.0.2.7"


@dataclass
class Person:
    """Someone with an account, a password and an authenticator app."""

    id: str
    secret: str
    email: str = EMAIL

    def code(self, now: datetime) -> str:
        return pyotp.TOTP(self.secret).at(now)


@dataclass
class Place:
    storage: Storage
    keyring: KeyRing
    services: AccountServices

    def act(self, actor: str = ANONYMOUS, now: datetime = NOW, address: str = ADDRESS) -> Act:
        return Act(actor, now, address)

    async def invitation(self, terms: Terms | None = None, now: datetime = NOW) -> str:
        """The token of an invitation by an administrator."""
        async with self.storage.transaction() as session:
            author = await session.scalar(select(Account.id).limit(1))
            row, token = await invitations._make(
                session, self.act(now=now), terms or Terms(), author
            )
        assert row.used_at is None
        return token

    async def newcomer(
        self, token: str, email: str = EMAIL, display_name: str | None = None, now: datetime = NOW
    ) -> str:
        """Accept an invitation by a password; the ticket to set up the second factor."""
        who = Newcomer("Ada Lovelace", email, "Europe/London", display_name)
        _, ticket = await invitations.accept_with_password(
            self.services, self.storage, self.keyring, self.act(now=now), token, who, PASSWORD
        )
        return ticket

    async def person(self, email: str = EMAIL, now: datetime = NOW) -> Person:
        ticket = await self.newcomer(await self.invitation(now=now), email, now=now)
        own, secret, _ = await set_up.begin_totp(
            self.services, self.storage, self.keyring, self.act(now=now), ticket
        )
        account_id, _ = await set_up.finish_totp(
            self.services,
            self.storage,
            self.keyring,
            self.act(now=now),
            ticket,
            own,
            pyotp.TOTP(secret).at(now),
            "Firefox on Linux",
        )
        return Person(account_id, secret, email)

    async def password(
        self,
        email: str = EMAIL,
        password: str = PASSWORD,
        now: datetime = NOW,
        address: str = ADDRESS,
    ) -> tuple[str, tuple[login.Step, ...]]:
        return await login.give_password(
            self.services,
            self.storage,
            self.keyring,
            self.act(now=now, address=address),
            email,
            password,
        )

    async def code(self, ticket: str, code: str, now: datetime = NOW, kind: Any = "totp") -> str:
        _, token = await login.give_code(
            self.services,
            self.storage,
            self.keyring,
            self.act(now=now),
            ticket,
            kind,
            code,
            "Firefox on Linux",
        )
        return token

    async def logged_in(self, person: Person, now: datetime) -> SignedIn:
        ticket, _ = await self.password(person.email, now=now)
        token = await self.code(ticket, person.code(now), now)
        who = await self.resolve(token, now)
        assert who is not None
        return who

    async def resolve(self, token: str, now: datetime, live: bool = False) -> SignedIn | None:
        async with self.storage.transaction() as session:
            return await sessions.resolve(session, token, now, lambda _: live)

    async def passkey_login(
        self, authenticator: Authenticator, now: datetime = NOW, asked_at: datetime | None = None
    ) -> str:
        ticket, options = login.ask_for_passkey(self.services, self.act(now=asked_at or now), SITE)
        _, token = await login.give_passkey(
            self.services,
            self.storage,
            self.act(now=now),
            ticket,
            authenticator.use(options),
            "Safari on iPhone",
        )
        return token

    async def by_passkey(self, authenticator: Authenticator, email: str = EMAIL) -> str:
        """Make an account with a passkey; its id."""
        token = await self.invitation()
        ticket, options = await invitations.ask_for_passkey(
            self.services, self.storage, self.act(), SITE, token, email
        )
        account_id, _ = await invitations.accept_with_passkey(
            self.services,
            self.storage,
            self.keyring,
            self.act(),
            token,
            Newcomer("Grace Hopper", email),
            ticket,
            authenticator.make(options),
            "My phone",
            "Safari on iPhone",
        )
        return account_id

    async def group(self) -> str:
        row = Group(
            id=new_id(),
            name="Tuesday circle",
            formats="circle",
            capacity=12,
            guests_allowed=False,
            opens_without_facilitator=False,
            substance_use=False,
            created_at=NOW,
        )
        async with self.storage.transaction() as session:
            session.add(row)
        return row.id

    async def guides(self, group: str, account_id: str) -> None:
        """Make someone a group's facilitator."""
        async with self.storage.transaction() as session:
            await memberships.join(
                session,
                self.act(account_id),
                group,
                account_id,
                "facilitator",
                name="Fay",
                pronouns=None,
            )

    async def audited(self, action: str) -> list[tuple[str, str, str | None, dict[str, Any]]]:
        """Actor, outcome, subject and detail of the events of a kind."""
        async with self.storage.snapshot() as session:
            rows = await session.scalars(
                select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.sequence)
            )
            return [(row.actor, row.outcome, row.subject, json.loads(row.detail)) for row in rows]

    async def links(self) -> int:
        async with self.storage.snapshot() as session:
            return len((await session.scalars(select(OneTimeLink.id))).all())


def later(**by: float) -> datetime:
    return NOW + timedelta(**by)
