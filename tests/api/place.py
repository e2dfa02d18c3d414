"""A running API with real storage, people of every kind in it, and someone to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.signed_in import SignedIn
from server.api.app import Resolve, add_api, utc_now
from server.api.cookie import LOOPBACK_NAME
from server.api.routes import GroupRole, Route, Services
from server.audit.record import SYSTEM
from server.errors import plain_errors
from server.groups import documents
from server.groups.act import Act
from server.security import secure_responses
from server.settings import Settings
from server.storage.database import Storage, open_storage
from server.storage.ids import new_id, new_token, token_hash
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from server.storage.models import Account, LoginSession, Membership
from tests.migrated import put_migrated
from tests.storage import rows


async def resolve_rows(session: AsyncSession, token: str, now: datetime) -> SignedIn | None:  # noqa: ARG001 - as `Resolve`
    """Finds a login by its row alone, for tests that are not about logins."""
    query = (
        select(LoginSession, Account.is_administrator)
        .join(Account, Account.id == LoginSession.account_id)
        .where(LoginSession.token_hash == token_hash(token), LoginSession.revoked_at.is_(None))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    login, is_administrator = row
    return SignedIn(login.account_id, is_administrator, login.id, login.stepped_up_at)


@dataclass
class Person:
    """Someone with an account, and a browser that is signed in."""

    account_id: str
    token: str
    memberships: dict[str, str] = field(default_factory=dict)


class Place:
    """The server, and what is in its storage."""

    def __init__(
        self, storage: Storage, keyring: KeyRing, client: TestClient[web.Request, web.Application]
    ) -> None:
        self.storage = storage
        self.keyring = keyring
        self.client = client

    @property
    def origin(self) -> str:
        return str(self.client.make_url("/")).rstrip("/")

    async def group(self) -> str:
        """A group with its agreements, in which nobody is."""
        group = rows.group()
        await rows.add(self.storage, group)
        async with self.storage.transaction() as session:
            await documents.provide(session, group, Act(SYSTEM, utc_now()))
        return group.id

    async def person(
        self,
        *,
        is_administrator: bool = False,
        proved: timedelta | None = timedelta(0),
        member_of: dict[str, GroupRole] | None = None,
        removed: bool = False,
    ) -> Person:
        """Someone new.

        Args:
            is_administrator: of the server.
            proved: how long ago they proved their login; None for never.
            member_of: their role in each group.
            removed: whether they are members no more.
        """
        now = utc_now()
        account = rows.account(self.keyring, f"{new_id()}@example.org".lower())
        account.is_administrator = is_administrator
        account.email_verified_at = now
        token = new_token()
        login = LoginSession(
            id=new_id(),
            token_hash=token_hash(token),
            account_id=account.id,
            device_label="Firefox on Linux",
            created_at=now,
            last_seen_at=now,
            stepped_up_at=None if proved is None else now - proved,
        )
        person = Person(account.id, token)
        memberships = []
        for group_id, role in (member_of or {}).items():
            person.memberships[group_id] = new_id()
            memberships.append(
                Membership(
                    id=person.memberships[group_id],
                    account_id=account.id,
                    group_id=group_id,
                    role=role,
                    display_name=f"Ada {new_id()[:6]}",
                    created_at=now,
                    removed_at=now if removed else None,
                )
            )
        await rows.add(self.storage, account, login, *memberships)
        return person

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, person: Person | None = None, **options: Any
    ) -> AsyncIterator[ClientResponse]:
        """Ask as a page of this server would."""
        headers = {"Origin": self.origin, **options.pop("headers", {})}
        if person is not None:
            headers["Cookie"] = f"{LOOPBACK_NAME}={person.token}"
        async with self.client.request(method, path, headers=headers, **options) as response:
            yield response

    async def code(
        self, method: str, path: str, person: Person | None = None, **options: Any
    ) -> tuple[int, str | None]:
        """The status of an answer, and the code if it is a refusal."""
        async with self.ask(method, path, person, **options) as response:
            if response.status < 400 or method == "HEAD":
                return response.status, None
            return response.status, (await response.json())["error"]["code"]


@asynccontextmanager
async def place(
    folder: Path,
    routes: Sequence[Route],
    *,
    database_url: str | None = None,
    resolve: Resolve = resolve_rows,
    https: bool = False,
    settings: Settings | None = None,
    changed: Callable[[str], None] = lambda _: None,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Place]:
    """Run the API alone, as the server has it."""
    keyring = parse_keyring(generate_key_line())
    if database_url is None:
        put_migrated(folder)
    async with open_storage(database_url, folder) as storage:
        app = web.Application(middlewares=[plain_errors], client_max_size=4_096)
        secure_responses(app, https=https)
        services = Services(storage, keyring, settings or Settings(), more=more or {})
        add_api(app, services, routes, resolve, https=https, changed=changed)
        async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
            yield Place(storage, keyring, client)
