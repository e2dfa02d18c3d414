from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from server.audit.export import latest
from server.audit.viewing import VIEWED, view_sealed
from server.storage.blind_index import blind_index, blind_indexes
from server.storage.database import FILE_NAME, Storage, open_storage
from server.storage.errors import KeyRingError, SealError
from server.storage.ids import new_id
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from server.storage.models import Account, EntryConfirmation
from server.storage.sealed import Place, SealedValue, key_id_of, open_sealed, seal
from tests.storage.rows import account, add, confirmation, group

RING = parse_keyring(generate_key_line())
PLACE = Place("accounts", "email", "row")


@given(st.text())
def test_what_was_sealed_opens(value: str) -> None:
    assert open_sealed(RING, PLACE, seal(RING, PLACE, value)) == value


@given(st.data(), st.text())
def test_no_byte_can_be_changed(data: st.DataObject, value: str) -> None:
    sealed = seal(RING, PLACE, value)
    position = data.draw(st.integers(0, len(sealed) - 1))
    change = data.draw(st.integers(1, 255))
    altered = bytearray(sealed)
    altered[position] ^= change
    with pytest.raises((SealError, KeyRingError)):
        open_sealed(RING, PLACE, SealedValue(bytes(altered)))


@given(st.binary(max_size=80))
def test_what_is_not_sealed_is_refused(value: bytes) -> None:
    with pytest.raises((SealError, KeyRingError)):
        open_sealed(RING, PLACE, SealedValue(value))


@pytest.mark.parametrize(
    "place",
    [
        PLACE._replace(row="other"),
        PLACE._replace(column="legal_name"),
        PLACE._replace(table="invitations"),
        Place("accountsemail", "", "row"),
    ],
)
def test_a_sealed_value_does_not_open_elsewhere(place: Place) -> None:
    with pytest.raises(SealError):
        open_sealed(RING, place, seal(RING, PLACE, "ada@example.org"))


def test_a_wrong_key_does_not_open(keyring: KeyRing) -> None:
    sealed = seal(RING, PLACE, "ada@example.org")
    with pytest.raises(KeyRingError, match="has no key"):
        open_sealed(keyring, PLACE, sealed)
    same_id = parse_keyring(RING.current.id + ":" + generate_key_line().partition(":")[2])
    with pytest.raises(SealError, match=r"accounts\.email does not open"):
        open_sealed(same_id, PLACE, sealed)


def test_older_keys_open_and_the_current_one_seals() -> None:
    lines = [generate_key_line() for _ in range(2)]
    old, both = parse_keyring(lines[1]), parse_keyring("\n".join(lines))
    assert open_sealed(both, PLACE, seal(old, PLACE, "text")) == "text"
    assert key_id_of(seal(both, PLACE, "text")) == both.current.id


def test_equal_texts_are_not_sealed_alike() -> None:
    assert seal(RING, PLACE, "text") != seal(RING, PLACE, "text")


def test_emails_are_found_without_regard_to_case_and_under_all_keys() -> None:
    lines = [generate_key_line() for _ in range(2)]
    old, both = parse_keyring(lines[1]), parse_keyring("\n".join(lines))
    assert blind_index(old, "Ada@Example.org ") in blind_indexes(both, "ada@example.org")
    assert blind_index(old, "ada@example.org") != blind_index(both, "ada@example.org")
    assert blind_index(old, "eve@example.org") not in blind_indexes(both, "ada@example.org")


async def test_the_database_takes_nothing_unsealed(storage: Storage, keyring: KeyRing) -> None:
    person = account(keyring)
    person.legal_name = SealedValue(b"Ada Lovelace")
    with pytest.raises(StatementError) as refusal:
        await add(storage, person)
    assert "Ada Lovelace" not in str(refusal.value)


async def test_no_private_text_is_in_the_file(tmp_path: Path, keyring: KeyRing) -> None:
    async with open_storage(None, tmp_path) as storage:
        await add(storage, account(keyring, "ada@example.org", "Ada Lovelace"))
    content = (tmp_path / FILE_NAME).read_bytes()
    assert b"Lovelace" not in content
    assert b"ada@" not in content


async def test_looking_at_sealed_data_is_on_record(storage: Storage, keyring: KeyRing) -> None:
    person, circle = account(keyring), group()
    confirmed = confirmation(keyring, person, circle.id)
    await add(storage, person, circle, confirmed)
    seen = await view_sealed(
        storage,
        keyring,
        [EntryConfirmation.location, EntryConfirmation.phone],
        confirmed.id,
        actor="facilitator",
        group_id=circle.id,
        address="203.0.113.7",
    )
    assert seen == {"location": "12 Elm Street", "phone": "555 0100"}
    (event,) = await latest(storage, group_id=circle.id)
    assert (event.actor, event.action, event.subject) == ("facilitator", VIEWED, confirmed.id)
    assert event.detail == '{"fields":["location","phone"],"table":"entry_confirmations"}'
    assert event.address == "203.0.113.0/24"


async def test_a_look_that_fails_is_on_record_too(storage: Storage, keyring: KeyRing) -> None:
    one, other = account(keyring), account(keyring)
    await add(storage, one, other)
    async with storage.transaction() as session:
        await session.execute(
            text(
                "UPDATE accounts SET legal_name = (SELECT legal_name FROM accounts WHERE id = :b) "
                "WHERE id = :a"
            ),
            {"a": one.id, "b": other.id},
        )
    with pytest.raises(SealError):
        await view_sealed(storage, keyring, [Account.legal_name], one.id, actor="someone")
    assert [event.action for event in await latest(storage)] == [VIEWED]


async def test_there_is_nothing_to_see_of_a_row_that_is_not_there(
    storage: Storage, keyring: KeyRing
) -> None:
    seen = await view_sealed(storage, keyring, [Account.email], new_id(), actor="someone")
    assert seen is None
    assert await latest(storage) == []
