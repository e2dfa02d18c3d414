from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.storage.errors import KeyRingError
from server.storage.keyring import (
    KeyRing,
    create_keyring_file,
    generate_key_line,
    load_keyring,
    parse_keyring,
)

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()


def test_the_first_key_is_current_and_all_are_there() -> None:
    keyring = parse_keyring(f"# a comment\n\nnew:{KEY}\n old:{OTHER} \n")
    assert keyring.current.id == "new"
    assert keyring.key("old").secret == bytes(range(1, 33))
    assert [key.id for key in keyring] == ["new", "old"]


def test_commas_part_keys_in_an_environment_variable() -> None:
    assert [key.id for key in load_keyring(text=f"new:{KEY},old:{OTHER}")] == ["new", "old"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The key ring has no key."),
        (KEY, "Line 1 of the key ring is not an id"),
        (f"Key:{KEY}", "Line 1 of the key ring is not an id"),
        ("\nk:not base64!", "The key in line 2 of the key ring is not base64."),
        ("k:c2hvcnQ=", "The key in line 1 of the key ring does not have 32 bytes."),
        (f"k:{KEY}\nk:{OTHER}", "two keys with the same id"),
        (f"k:{KEY}\nl:{KEY}", "the same key twice"),
    ],
)
def test_what_is_no_key_ring_is_refused_without_being_repeated(text: str, sentence: str) -> None:
    with pytest.raises(KeyRingError) as refusal:
        parse_keyring(text)
    assert sentence in str(refusal.value)
    for secret in (KEY, "not base64!", "c2hvcnQ="):
        assert secret not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_the_key_ring_comes_from_one_place() -> None:
    with pytest.raises(KeyRingError, match="from a file or from the environment"):
        load_keyring()
    with pytest.raises(KeyRingError, match="from a file or from the environment"):
        load_keyring(file=Path("keyring"), text=f"k:{KEY}")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="nowhere cannot be read: No such file"):
        load_keyring(file=tmp_path / "nowhere")


def test_a_new_file_is_the_owners_only_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "keyring"
    create_keyring_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    current = load_keyring(file=path).current
    with pytest.raises(KeyRingError, match="cannot be made"):
        create_keyring_file(path)
    assert load_keyring(file=path).current == current


def test_a_new_line_has_the_day_and_a_key_of_its_own() -> None:
    day = datetime(2027, 1, 5, tzinfo=UTC)
    keyring = parse_keyring("\n".join(generate_key_line(day) for _ in range(3)))
    assert all(key.id.startswith("20270105-") for key in keyring)


def test_nothing_shows_a_key(keyring: KeyRing) -> None:
    secret = keyring.current.secret
    for shown in (repr(keyring), repr(keyring.current), str(keyring.current)):
        assert repr(secret)[2:-1] not in shown
        assert base64.b64encode(secret).decode() not in shown


def test_each_purpose_has_a_key_of_its_own(keyring: KeyRing) -> None:
    key = keyring.current
    derived = {key.secret, key.derive("one"), key.derive("two"), key.derive("one", b"salt")}
    assert len(derived) == 4
