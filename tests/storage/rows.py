"""Rows to test with, and events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from server.audit.record import AuditEvent, record
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Account, Document, EntryConfirmation, Group
from server.storage.sealed import Place, seal

NOW = datetime(2027, 1, 5, 18, 0, 0, 123456, tzinfo=UTC)


def account(keyring: KeyRing, email: str | None = None, name: str = "Ada Lovelace") -> Account:
    row = new_id()
    return Account(
        id=row,
        legal_name=seal(keyring, Place.of(Account.legal_name, row), name),
        email=None if email is None else seal(keyring, Place.of(Account.email, row), email),
        email_index=None if email is None else blind_index(keyring, email),
        is_administrator=False,
        created_at=NOW,
    )


def group(name: str = "Tuesday circle") -> Group:
    return Group(
        id=new_id(),
        name=name,
        formats="circle,open",
        capacity=12,
        guests_allowed=False,
        opens_without_facilitator=False,
        substance_use=True,
        created_at=NOW,
    )


def document(group_id: str | None, version: int = 1) -> Document:
    return Document(
        id=new_id(),
        kind="guidelines",
        group_id=group_id,
        version=version,
        text="Be kind.",
        text_hash=b"\1" * 32,
        created_at=NOW,
    )


def confirmation(keyring: KeyRing, of: Account, group_id: str) -> EntryConfirmation:
    row = new_id()
    contact = '{"name": "Byron", "phone": "555 0101"}'
    return EntryConfirmation(
        id=row,
        group_id=group_id,
        session_starts_at=NOW,
        account_id=of.id,
        location=seal(keyring, Place.of(EntryConfirmation.location, row), "12 Elm Street"),
        phone=seal(keyring, Place.of(EntryConfirmation.phone, row), "555 0100"),
        emergency_contact=seal(
            keyring, Place.of(EntryConfirmation.emergency_contact, row), contact
        ),
        is_private=True,
        confirmed_at=NOW,
        expires_at=NOW,
    )


async def add(storage: Storage, *rows: Any, events: Sequence[AuditEvent] = ()) -> None:
    async with storage.transaction() as session:
        for row in rows:
            session.add(row)
            await session.flush()
        for event in events:
            record(session, event)


def event(action: str = "account.login", **values: Any) -> AuditEvent:
    return AuditEvent(**{"actor": "someone", "action": action, **values})
