"""A clinic with a group, its people, and a schedule: Tuesdays at 18:00 in New York, 90 minutes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from server.groups import (
    confirmations,
    documents,
    groups,
    memberships,
    schedule,
    signatures,
)
from server.groups.act import Act
from server.groups.groups import GroupSettings
from server.groups.persons import Person
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Account, AuditRow, Group, GroupRole, Membership
from server.storage.sealed import Place, seal

NOW = datetime(2027, 1, 4, 12, 0, tzinfo=UTC)
"""A Monday."""

START = datetime(2027, 1, 5, 23, 0, tzinfo=UTC)
"""Tuesday, 18:00 in New York."""

END = START + timedelta(minutes=90)
FORMATS = ("circle", "open")
TUESDAYS = schedule.Plan("2027-01-05T18:00:00", "America/New_York", "FREQ=WEEKLY;BYDAY=TU", 90)
SETTINGS = GroupSettings(
    name="Tuesday *circle*", formats=FORMATS, capacity=4, time_zone="America/New_York"
)
CONFIRMED = confirmations.Confirmation(
    "12 Elm Street, Springfield", "+1 555 0100", "Byron Gordon", "+1 555 0101", True
)


@dataclass
class World:
    storage: Storage
    keyring: KeyRing
    admin: str = ""
    group: str = ""
    accounts: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def made(cls, storage: Storage, keyring: KeyRing) -> World:
        world = cls(storage, keyring)
        world.admin = await world.account("Admin", administrator=True)
        world.group = await world.new_group("Fay", SETTINGS)
        await world.join("Sam", "participant")
        await world.join("Kim", "participant")
        return world

    async def account(
        self, name: str, *, administrator: bool = False, facilitator: bool = False
    ) -> str:
        row, email = new_id(), f"{name.lower()}@private.example"
        async with self.storage.transaction() as session:
            session.add(
                Account(
                    id=row,
                    legal_name=seal(
                        self.keyring, Place.of(Account.legal_name, row), f"Legal {name} Secretname"
                    ),
                    email=seal(self.keyring, Place.of(Account.email, row), email),
                    email_index=blind_index(self.keyring, email),
                    email_verified_at=NOW,
                    phone=seal(self.keyring, Place.of(Account.phone, row), "+1 555 7777777"),
                    is_administrator=administrator,
                    is_facilitator=facilitator,
                    created_at=NOW,
                )
            )
        self.accounts[name] = row
        return row

    async def new_group(self, facilitator: str, settings: GroupSettings) -> str:
        account = self.accounts.get(facilitator) or await self.account(
            facilitator, facilitator=True
        )
        async with self.storage.transaction() as session:
            group = await groups.create_group(
                session,
                Act(account, NOW),
                settings,
                known_formats=FORMATS,
                facilitator_name=facilitator,
                facilitator_pronouns="she/her",
            )
            await schedule.add_schedule(session, Act(account, NOW), group.id, TUESDAYS)
        return group.id

    async def join(self, name: str, role: GroupRole, group: str | None = None) -> Membership:
        account = self.accounts.get(name) or await self.account(name)
        async with self.storage.transaction() as session:
            return await memberships.join(
                session,
                Act(account, NOW),
                group or self.group,
                account,
                role,
                name=name,
                pronouns=None,
            )

    def act(self, name: str, now: datetime = NOW) -> Act:
        return Act(self.accounts[name], now, "203.0.113.7")

    async def membership(self, name: str, group: str | None = None) -> Membership:
        async with self.storage.snapshot() as session:
            found = await memberships.current(session, group or self.group, self.accounts[name])
        assert found is not None
        return found

    async def change(self, group: str | None = None, **changes: Any) -> None:
        async with self.storage.transaction() as session:
            row = await session.get(Group, group or self.group)
            assert row is not None
            settings = replace(groups.settings_of(row), **changes)
            await groups.change_group(
                session, self.act("Fay"), row.id, settings, known_formats=FORMATS
            )

    async def sign_all(self, person: Person, now: datetime = NOW, group: str | None = None) -> None:
        async with self.storage.transaction() as session:
            row = await session.get(Group, group or self.group)
            assert row is not None
            for kind, document in (await documents.current(session, row)).items():
                await signatures.sign(
                    session,
                    self.keyring,
                    Act(person.id, now),
                    row,
                    person,
                    kind,
                    version=document.version,
                    shown_hash=document.text_hash,
                    typed_name="Legal Secretname",
                )

    async def confirm(
        self,
        person: Person,
        now: datetime = START,
        starts_at: datetime = START,
        group: str | None = None,
    ) -> None:
        async with self.storage.transaction() as session:
            occurrence = await schedule.session_at(session, group or self.group, starts_at)
            await confirmations.confirm(
                session, self.keyring, Act(person.id, now), occurrence, person, CONFIRMED
            )

    async def ready(self, name: str) -> Person:
        """Signed, and confirmed for the first session."""
        person = Person(self.accounts[name])
        await self.sign_all(person)
        await self.confirm(person)
        return person

    async def audited(self, action: str) -> list[AuditRow]:
        async with self.storage.snapshot() as session:
            rows = await session.scalars(select(AuditRow).where(AuditRow.action == action))
            return list(rows.all())
