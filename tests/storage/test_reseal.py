from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.export import latest
from server.storage.blind_index import blind_index, blind_indexes
from server.storage.database import Storage
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from server.storage.models import Account, Base, EntryConfirmation
from server.storage.reseal import RESEALED, reseal
from server.storage.sealed import Place, Sealed, SealedValue, key_id_of, open_sealed, seal
from tests.storage.rows import account, add, confirmation, group


class Rings(NamedTuple):
    old: KeyRing
    both: KeyRing
    new: KeyRing


@pytest.fixture
def rings() -> Rings:
    lines = [generate_key_line() for _ in range(2)]
    return Rings(*(parse_keyring("\n".join(part)) for part in (lines[1:], lines, lines[:1])))


async def emails(storage: Storage, keyring: KeyRing) -> dict[str, str | None]:
    """By account; each found by its index as well."""
    found: dict[str, str | None] = {}
    async with storage.snapshot() as session:
        for row in await session.scalars(select(Account)):
            found[row.id] = None
            open_sealed(keyring, Place.of(Account.legal_name, row.id), row.legal_name)
            if row.email is not None:
                email = open_sealed(keyring, Place.of(Account.email, row.id), row.email)
                assert row.email_index == blind_index(keyring, email)
                found[row.id] = email
    return found


async def key_ids(storage: Storage) -> set[str]:
    """All keys that anything in the database is under."""
    found = set()
    async with storage.snapshot() as session:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, Sealed):
                    values = await session.scalars(select(column).where(column.is_not(None)))
                    found |= {key_id_of(SealedValue(value)) for value in values}
    return found


async def set_email(storage: Storage, keyring: KeyRing, row: str, email: str) -> None:
    async with storage.transaction() as session:
        await session.execute(
            update(Account)
            .where(Account.id == row)
            .values(
                email=seal(keyring, Place.of(Account.email, row), email),
                email_index=blind_index(keyring, email),
            )
        )


async def test_everything_goes_over_to_the_new_key(storage: Storage, rings: Rings) -> None:
    people = [account(rings.old, f"p{n}@example.org" if n % 3 else None) for n in range(230)]
    circle = group()
    confirmed = confirmation(rings.old, people[0], circle.id)
    await add(storage, *people, circle, confirmed)
    done = await reseal(storage, rings.both)
    count = 230 + sum(person.email is not None for person in people) + 3
    assert (done.values, done.unopened) == (count, [])
    assert await key_ids(storage) == {rings.new.current.id}
    found = await emails(storage, rings.new)
    assert sorted(filter(None, found.values())) == sorted(
        f"p{n}@example.org" for n in range(230) if n % 3
    )
    async with storage.snapshot() as session:
        row = (await session.scalars(select(EntryConfirmation))).one()
        place = Place.of(EntryConfirmation.location, row.id)
        assert open_sealed(rings.new, place, row.location) == "12 Elm Street"
    (event,) = await latest(storage)
    assert event.action == RESEALED
    assert json.loads(event.detail) == {
        "key": rings.new.current.id,
        "values": count,
        "unopened": 0,
    }
    assert (await reseal(storage, rings.both)).values == 0


async def test_before_rotation_an_email_is_found_under_the_old_key(
    storage: Storage, rings: Rings
) -> None:
    await add(storage, account(rings.old, "ada@example.org"))
    query = select(Account.id).where(
        Account.email_index.in_(blind_indexes(rings.both, "Ada@Example.org"))
    )
    async with storage.snapshot() as session:
        assert await session.scalar(query) is not None
    await reseal(storage, rings.both)
    async with storage.snapshot() as session:
        assert await session.scalar(query) is not None


class Interrupted(Storage):
    """Lets someone else write between what rotation reads and what it writes."""

    then: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        async with super().snapshot() as session:
            yield session
        if self.then is not None:
            then, self.then = self.then, None
            await then()


async def test_a_value_that_someone_changed_meanwhile_is_left_to_them(
    storage: Storage, rings: Rings
) -> None:
    person = account(rings.old, "before@example.org")
    await add(storage, person)
    interrupted = Interrupted(storage.engine)
    # By a process that has not been restarted with the new key ring yet.
    interrupted.then = lambda: set_email(storage, rings.old, person.id, "after@example.org")
    await reseal(interrupted, rings.both)
    assert await emails(storage, rings.new) == {person.id: "after@example.org"}


async def test_rotation_under_load_loses_nothing(storage: Storage, rings: Rings) -> None:
    people = [account(rings.old, f"{n}@example.org") for n in range(120)]
    await add(storage, *people)
    expected: dict[str, str | None] = {
        person.id: f"{n}@example.org" for n, person in enumerate(people)
    }
    stopping = False
    writes = 0

    async def write(ring: KeyRing, offset: int) -> None:
        nonlocal writes
        turn = 0
        while not stopping:
            person = people[(turn * 7 + offset) % len(people)]
            # Two writers, each with accounts of its own, so that the last value is known.
            if people.index(person) % 2 == offset:
                email = f"{turn}.{offset}@example.org"
                await set_email(storage, ring, person.id, email)
                expected[person.id] = email
                writes += 1
            turn += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        writing = [asyncio.create_task(write(rings.both, offset)) for offset in range(2)]
        try:
            while writes < 20:
                await asyncio.sleep(0.01)
            await reseal(storage, rings.both)
        finally:
            stopping = True
            await asyncio.gather(*writing)
    assert await emails(storage, rings.new) == expected
    assert await key_ids(storage) == {rings.new.current.id}


async def test_what_does_not_open_is_reported_and_left(storage: Storage, rings: Rings) -> None:
    good, bad = account(rings.old, "good@example.org"), account(rings.old)
    bad.legal_name = good.legal_name
    lost = account(parse_keyring(generate_key_line()))
    await add(storage, good, bad, lost)
    done = await reseal(storage, rings.both)
    assert done.values == 2
    assert {place.row for place in done.unopened} == {bad.id, lost.id}
    async with storage.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(Account)) == 3
        assert (await session.get_one(Account, bad.id)).legal_name == good.legal_name
    (event,) = await latest(storage)
    assert event.outcome == "failed"
