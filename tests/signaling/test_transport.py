from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.transport import Malformed, WirePacket


def decode(packet: Any) -> WirePacket:
    return WirePacket(encoded_packet=msgpack.packb(packet))


def test_event_of_the_browsers_parser() -> None:
    packet = decode(
        {"type": 2, "data": ["media", {"mic": True}], "options": {}, "id": 3, "nsp": "/"}
    )
    assert (packet.packet_type, packet.data, packet.id) == (2, ["media", {"mic": True}], 3)


def test_undefined_of_the_browsers_parser_is_nothing() -> None:
    undefined = msgpack.ExtType(0, b"\0")
    packet = decode({"type": 0, "data": {"resume": undefined}, "nsp": "/", "id": undefined})
    assert packet.data == {"resume": None}
    assert packet.id is None


@pytest.mark.parametrize(
    "packet",
    [
        [],
        "text",
        {},
        {"type": 2, "data": ["join", {}], "nsp": "/other"},
        {"type": 2, "data": ["join", {}]},
        {"type": 2, "data": [], "nsp": "/"},
        {"type": 2, "data": ["join", {}, {}], "nsp": "/"},
        {"type": 2, "data": [7], "nsp": "/"},
        {"type": 2, "data": ["x" * 65], "nsp": "/"},
        {"type": 2, "data": {"0": "join"}, "nsp": "/"},
        {"type": 2, "data": ["connect", {}], "nsp": "/"},
        {"type": 2, "data": ["disconnect", "bye"], "nsp": "/"},
        {"type": 2, "data": ["join", {}], "nsp": "/", "id": -1},
        {"type": 2, "data": ["join", {}], "nsp": "/", "id": "1"},
        {"type": 2, "data": ["join", {}], "nsp": "/", "id": True},
        {"type": True, "data": ["join", {}], "nsp": "/"},
        {"type": 2.0, "data": ["join", {}], "nsp": "/"},
        {"type": 2, "data": ["join", msgpack.ExtType(5, b"abc")], "nsp": "/"},
        {"type": 0, "data": "auth", "nsp": "/"},
        {"type": 3, "data": [], "nsp": "/", "id": 1},
        {"type": 4, "data": "error", "nsp": "/"},
        {"type": 5, "data": ["join", {}], "nsp": "/"},
        {"type": 6, "data": [], "nsp": "/"},
        {"type": 99, "data": [], "nsp": "/"},
    ],
)
def test_packets_that_no_page_sends_are_malformed(packet: Any) -> None:
    with pytest.raises(Malformed):
        decode(packet)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.binary(min_size=1)
    | anything.map(msgpack.packb)
    | st.fixed_dictionaries(
        {"type": st.integers(-1, 8), "nsp": st.just("/")},
        optional={"data": anything, "id": anything},
    ).map(msgpack.packb)
)
def test_whatever_comes_is_a_checked_packet_or_malformed(frame: bytes) -> None:
    try:
        packet = WirePacket(encoded_packet=frame)
    except Malformed:
        return
    assert packet.namespace == "/"
    assert packet.packet_type in (0, 1, 2)
    if packet.packet_type == 2:
        assert isinstance(packet.data, list)
        assert isinstance(packet.data[0], str)
        assert packet.data[0] not in ("connect", "disconnect")


def test_nothing_is_left_out_rather_than_null() -> None:
    assert msgpack.unpackb(WirePacket(1, namespace="/").encode()) == {"type": 1, "nsp": "/"}
