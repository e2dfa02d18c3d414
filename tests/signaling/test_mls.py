from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.identity import Credential, person_id
from signaling.mls import (
    APPLICATION,
    NotMls,
    read_commit,
    read_key_package,
    read_private_message,
    read_ratchet_tree,
    read_welcome,
)
from tests.signaling.mls_pages import MlsPage

X_WING: dict[str, bytes] = {
    kind: b64decode(text)
    for kind, text in json.loads(
        (Path(__file__).parent / "data" / "xwing.json").read_text()
    ).items()
}
"""Made with ts-mls 1.6.4: Ada adds Cleo, and Ben for the second time, and removes his first leaf;
Cleo writes."""
X_WING_GROUP = b"\x11" * 16

ADA, BEN, CLEO = MlsPage("Ada", "facilitator"), MlsPage("Ben"), MlsPage("Cleo")
GROUP = bytes(range(16))
ADA.found(GROUP)
BEN_PACKAGE, CLEO_PACKAGE = BEN.key_package(), CLEO.key_package()
ADD, WELCOME = ADA.add(BEN_PACKAGE, CLEO_PACKAGE)
ADA.process(ADD)
BEN.enter(WELCOME)
REMOVE = ADA.remove(BEN)
ADA.process(REMOVE)
WORDS = ADA.say(b"hello")
TREE = ADA.tree()

READERS: list[tuple[Callable[[bytes], object], list[bytes]]] = [
    (read_key_package, [BEN_PACKAGE, X_WING["key_package"]]),
    (read_commit, [ADD, REMOVE, X_WING["commit"]]),
    (read_welcome, [WELCOME, X_WING["welcome"]]),
    (read_private_message, [WORDS, X_WING["private_message"]]),
    (read_ratchet_tree, [TREE]),
]
REAL = [(read, message) for read, messages in READERS for message in messages]


def test_a_key_package_of_suite_1() -> None:
    package = read_key_package(BEN_PACKAGE)
    package.verify()
    assert package.ciphersuite == 1
    assert Credential.decode(package.leaf.identity) == Credential("Ben", "participant")
    assert person_id(package.leaf.signature_key) == BEN.id
    assert package.not_before <= time() <= package.not_after
    assert package.body == BEN_PACKAGE[4:]


def test_a_key_package_of_x_wing() -> None:
    package = read_key_package(X_WING["key_package"])
    package.verify()
    assert package.ciphersuite == 0x53
    assert Credential.decode(package.leaf.identity) == Credential("Ben", "participant")
    assert len(package.init_key) == len(package.leaf.encryption_key) == 1_216


@pytest.mark.parametrize("message", [BEN_PACKAGE, X_WING["key_package"]])
def test_no_byte_of_a_key_package_can_be_changed_unseen(message: bytes) -> None:
    for at in range(0, len(message), 1 if len(message) < 1_000 else 9):
        changed = bytearray(message)
        changed[at] ^= 1
        with pytest.raises(NotMls):
            read_key_package(bytes(changed)).verify()


def test_a_commit_of_adds_and_the_welcome_that_names_them() -> None:
    commit = read_commit(ADD)
    assert (commit.group, commit.epoch, commit.sender_leaf) == (GROUP, 0, 0)
    assert commit.adds == (BEN_PACKAGE[4:], CLEO_PACKAGE[4:])
    assert commit.removes == ()
    welcome = read_welcome(WELCOME)
    assert welcome.ciphersuite == 1
    added = [read_key_package(message).ref() for message in (BEN_PACKAGE, CLEO_PACKAGE)]
    assert sorted(welcome.refs) == sorted(added)


def test_a_commit_of_a_removal() -> None:
    commit = read_commit(REMOVE)
    assert (commit.group, commit.epoch, commit.adds, commit.removes) == (GROUP, 1, (), (1,))
    assert commit.path_leaf is not None
    assert person_id(commit.path_leaf.signature_key) == ADA.id
    assert commit.path_leaf.identity == Credential("Ada", "facilitator").encode()


def test_a_commit_and_welcome_of_x_wing() -> None:
    commit = read_commit(X_WING["commit"])
    assert (commit.group, commit.epoch, commit.sender_leaf) == (X_WING_GROUP, 1, 0)
    assert commit.removes == (1,)
    # An MLSMessage of version mls10 (1) and wire format mls_key_package (5).
    cleo, ben = (read_key_package(b"\0\1\0\5" + added) for added in commit.adds)
    assert Credential.decode(cleo.leaf.identity).name == "Cleo"
    former = read_key_package(X_WING["key_package"])
    assert ben.leaf.signature_key == former.leaf.signature_key
    assert ben.init_key != former.init_key
    welcome = read_welcome(X_WING["welcome"])
    assert welcome.ciphersuite == 0x53
    assert sorted(welcome.refs) == sorted([cleo.ref(), ben.ref()])


def test_private_messages() -> None:
    words = read_private_message(WORDS)
    assert (words.group, words.epoch, words.content_type) == (GROUP, 2, APPLICATION)
    words = read_private_message(X_WING["private_message"])
    assert (words.group, words.epoch, words.content_type) == (X_WING_GROUP, 2, APPLICATION)


def test_a_tree_with_a_blank_leaf() -> None:
    first, second, third = read_ratchet_tree(TREE)
    assert first is not None
    assert second is None
    assert third is not None
    assert person_id(first.signature_key) == ADA.id
    assert third == read_key_package(CLEO_PACKAGE).leaf


@pytest.mark.parametrize(("read", "message"), REAL)
def test_nothing_may_follow_and_nothing_may_be_missing(
    read: Callable[[bytes], object], message: bytes
) -> None:
    with pytest.raises(NotMls):
        read(message + b"\0")
    for length in range(0, len(message), max(1, len(message) // 300)):
        with pytest.raises(NotMls):
            read(message[:length])


def test_a_message_of_another_kind() -> None:
    for reader, _ in READERS:
        for other, messages in READERS:
            if other is not reader:
                with pytest.raises(NotMls):
                    reader(messages[0])


# Group 1, epoch 0, member 0, no authenticated data, content type commit.
COMMIT_HEAD = bytes.fromhex("000100010101000000000000000001000000000003")


@pytest.mark.parametrize(
    ("what", "rest", "fits"),
    [
        ("a removal without a path", "07 01 0003 00000001 00 00 00 00", True),
        ("a length in two bytes that needs one", "4007 01 0003 00000001 00 00 00 00", False),
        ("a length in four bytes", "80000007 01 0003 00000001 00 00 00 00", False),
        ("a length in eight bytes", "c000000000000007 01 0003 00000001 00 00 00 00", False),
        ("a proposal by reference", "03 02 01aa 00 00 00 00", False),
        ("a pre-shared key", "07 01 0004 01 00 00 00 00 00 00", False),
        ("a path that is neither there nor not", "07 01 0003 00000001 02 00 00 00", False),
    ],
)
def test_what_a_commit_may_hold(what: str, rest: str, fits: bool) -> None:
    message = COMMIT_HEAD + bytes.fromhex(rest)
    if fits:
        assert read_commit(message).removes == (1,), what
    else:
        with pytest.raises(NotMls):
            read_commit(message)


def test_only_a_member_commits_in_public() -> None:
    rest = bytes.fromhex("07 01 0003 00000001 00 00 00 00")
    sender = COMMIT_HEAD.index(bytes.fromhex("0100000000"), 6)
    for sender_type in (0, 2, 3, 4):
        head = bytearray(COMMIT_HEAD)
        head[sender] = sender_type
        with pytest.raises(NotMls):
            read_commit(bytes(head) + rest)


def check_quick_and_kind(read: Callable[[bytes], object], message: bytes) -> None:
    """Nothing but a :class:`NotMls` may come of any bytes, and soon."""
    began = perf_counter()
    try:
        found = read(message)
        if read is read_key_package:
            found.verify()  # type: ignore[attr-defined]
    except NotMls:
        pass
    assert perf_counter() - began < 0.5


@given(st.sampled_from(REAL), st.data())
def test_changed_messages(
    real: tuple[Callable[[bytes], object], bytes], data: st.DataObject
) -> None:
    read, message = real
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(start, min(len(changed), start + 8)))
        changed[start:end] = data.draw(st.binary(max_size=8))
    check_quick_and_kind(read, bytes(changed))


@given(st.sampled_from(READERS), st.binary(max_size=300))
def test_any_bytes(reader: tuple[Callable[[bytes], object], list[bytes]], noise: bytes) -> None:
    read, (real, *_) = reader
    check_quick_and_kind(read, noise)
    check_quick_and_kind(read, real[:4] + noise)


@pytest.mark.parametrize("filling", [b"\0", b"\1", b"\x3f", b"\xff"])
def test_large_messages_take_no_longer_than_small_ones(filling: bytes) -> None:
    for read, (real, *_) in READERS:
        check_quick_and_kind(read, real[:4] + filling * 98_304)
        check_quick_and_kind(read, real[:4] + b"\x80\1\x70\0" + filling * 94_208)


# --- ids and credentials ------------------------------------------------------------------------


def test_an_id() -> None:
    # printf 'holdspace person%032d' 0 | sha256sum | cut -c1-32 | xxd -r -p | basenc --base64url
    assert person_id(b"0" * 32) == "LovmMw72LNjn1rFxGJS46w"


@pytest.mark.parametrize("name", ["Ada", "Zoë", "李", 'a"b\\c', "🌿", "x" * 40])
def test_a_credential_can_be_read_again(name: str) -> None:
    credential = Credential(name, "facilitator")
    assert Credential.decode(credential.encode()) == credential


def test_a_credential_is_written_as_javascript_does() -> None:
    written = '{"name":"Zoë \\"Z\\"","role":"participant"}'.encode()
    assert Credential('Zoë "Z"', "participant").encode() == written


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "null",
        "[]",
        '"Ada"',
        '{"name":"Ada"}',
        '{"name":"Ada","role":"host"}',
        '{"name":7,"role":"participant"}',
        '{"name":"","role":"participant"}',
        '{"name":" Ada","role":"participant"}',
        f'{{"name":"{"x" * 41}","role":"participant"}}',
        '{"role":"participant","name":"Ada"}',
        '{"name": "Ada","role":"participant"}',
        '{"name":"Ada","role":"participant","more":1}',
        '{"name":"Ada","name":"Ben","role":"participant"}',
        '{"name":"\\ud800","role":"participant"}',
        "[" * 512,
        "[" * 100_000,
    ],
)
def test_what_is_no_credential(identity: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any that JSON or UTF-8 has
        Credential.decode(identity.encode())


def test_a_credential_is_utf_8() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any that UTF-8 has
        Credential.decode(b'{"name":"\xff","role":"participant"}')
