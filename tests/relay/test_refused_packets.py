"""What does not fit is dropped and counted, and harms nothing that does."""

from __future__ import annotations

import struct

import pytest

from tests.relay.packets import LEVEL, MID, descriptor, rtp
from tests.relay.room import Room

GOOD = rtp(0x1111, 100, 0, b"frame", extensions=[(LEVEL, b"\x10"), (MID, b"mi")])


async def refused(room: Room, *datagrams: bytes) -> dict[str, int]:
    """Send as the first member; how many were dropped for which reason; the next one passes."""
    speaker, listener, _ = room.members
    before = speaker.dropped
    for datagram in datagrams:
        speaker.client.send_raw(datagram)
    await room.settle(speaker)
    assert listener.media() == []
    after = speaker.dropped
    speaker.send("mi", 9_000)
    await room.settle(speaker)
    assert len(listener.media()) == 1
    return {reason: count - before.get(reason, 0) for reason, count in after.items()}


def protected(room: Room, *packets: bytes) -> list[bytes]:
    return [room.members[0].client.srtp_out.protect(packet) for packet in packets]


async def test_an_unknown_ssrc(room: Room) -> None:
    packets = protected(room, rtp(0xDEAD, 1, 0), rtp(0, 2, 0))
    assert await refused(room, *packets) == {"unknown_ssrc": 2}


@pytest.mark.parametrize("payload_type", [0, 96, 97, 110, 127])
async def test_an_unknown_payload_type(room: Room, payload_type: int) -> None:
    if 64 <= payload_type | 0x80 < 96:  # such as would be RTCP
        return
    packets = protected(room, rtp(0x1111, 1, 0, payload_type=payload_type))
    assert await refused(room, *packets) == {"unknown_payload_type": 1}


async def test_media_on_the_retransmission_ssrc(room: Room) -> None:
    packets = protected(room, rtp(0x3333, 1, 0, payload_type=96))
    assert await refused(room, *packets) == {"unknown_payload_type": 1}


async def test_a_packet_cut_off_anywhere(room: Room) -> None:
    (whole,) = protected(room, GOOD)
    counts = await refused(room, *(whole[:size] for size in range(len(whole))))
    assert sum(counts.values()) == len(whole)
    assert counts["truncated"] == 12
    assert set(counts) <= {"truncated", "malformed", "unauthenticated"}


async def test_a_packet_changed_anywhere(room: Room) -> None:
    (whole,) = protected(room, GOOD)
    changed = [
        whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        for at in range(2, len(whole))
        if not 8 <= at < 12
    ]
    counts = await refused(room, *changed)
    assert sum(counts.values()) == len(changed)
    assert set(counts) <= {"truncated", "malformed", "unauthenticated", "too_old"}


async def test_a_packet_for_another_peers_keys(room: Room) -> None:
    stranger = room.members[1].client.srtp_out.protect(GOOD)
    assert await refused(room, stranger) == {"unauthenticated": 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1f\x01",  # longer than what is left
        b"\x10\x05\x00\x3f",
        b"\x32mid\x00\x00\x00\x00",  # a mid of three characters
        b"\x30m\x00\x00",
        b"\x31mi\x31v1\x00\x00",  # a second mid, which the sinks would believe
    ],
)
async def test_bad_header_extensions(room: Room, raw: bytes) -> None:
    raw += bytes(-len(raw) % 4)
    packet = bytearray(rtp(0x1111, 1, 0))
    packet[0] |= 0x10
    packet[12:12] = struct.pack("!HH", 0xBEDE, len(raw) // 4) + raw
    assert await refused(room, *protected(room, bytes(packet))) == {"malformed": 1}


@pytest.mark.parametrize("extensions", [[(4, b"\xc0")], [(4, b"\xc0\1")], [descriptor(1)] * 2])
async def test_bad_dependency_descriptors(room: Room, extensions: list[tuple[int, bytes]]) -> None:
    packet = rtp(0x2222, 1, 0, payload_type=96, extensions=extensions)
    assert await refused(room, *protected(room, packet)) == {"malformed": 1}


@pytest.mark.parametrize("profile", [0x1000, 0x100F, 0x0000, 0xFFFF])
async def test_header_extensions_of_another_profile(room: Room, profile: int) -> None:
    packet = rtp(0x1111, 1, 0, extensions=[(LEVEL, b"\x10")], profile=profile)
    assert await refused(room, *protected(room, packet)) == {"malformed": 1}


async def test_a_replayed_packet(room: Room) -> None:
    speaker, listener, _ = room.members
    (whole,) = protected(room, GOOD)
    speaker.client.send_raw(whole)
    await room.settle(speaker)
    assert len(listener.media()) == 1
    assert await refused(room, whole, whole) == {"replayed": 2}


async def test_a_packet_that_comes_too_late(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("mi", 1)
    (late, later) = protected(room, rtp(0x1111, 2, 0), rtp(0x1111, 3, 0))
    for seq in range(4, 1_100):
        speaker.send("mi", seq)
    await room.settle(speaker)
    assert len(listener.media()) == 1_097
    assert await refused(room, late, later) == {"too_old": 2}


@pytest.mark.parametrize("size", range(4))
async def test_hardly_a_datagram_at_all(room: Room, size: int) -> None:
    assert await refused(room, b"\x80\x6f\x00"[:size]) == {"truncated": 1}


async def test_rtcp_cut_off_anywhere(room: Room) -> None:
    report = struct.pack("!BBHI", 0x80, 201, 1, 5)
    whole = room.members[0].client.srtp_out.protect_rtcp(report)
    counts = await refused(room, *(whole[:size] for size in range(4, len(whole))))
    assert sum(counts.values()) == len(whole) - 4
    assert set(counts) <= {"truncated", "malformed", "unauthenticated"}


@pytest.mark.parametrize(
    "compound",
    [
        b"\x80\xc9\x00\x02" + bytes(4),  # longer than what is left
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x40\xc9\x00\x01" + bytes(4),
        b"\x81\xc9\x00\x01" + bytes(4),  # a report block that is not there
        b"\xa0\xc9\x00\x01" + b"\0\0\0\xff",
        b"\x81\xca\x00\x02" + bytes(4) + b"\x01\xff\0\0",
        b"\x81\xcd\x00\x01" + bytes(4),
        b"\x81\xce\x00\x01" + bytes(4),
    ],
)
async def test_rtcp_that_is_malformed_inside(room: Room, compound: bytes) -> None:
    datagram = room.members[0].client.srtp_out.protect_rtcp(compound)
    assert await refused(room, datagram) == {"malformed": 1}


@pytest.mark.parametrize("first", [4, 16, 19, 64, 79, 80, 127, 192, 255])
async def test_first_bytes_that_no_protocol_has(room: Room, first: int) -> None:
    assert await refused(room, bytes([first]) + bytes(40)) == {"unknown_kind": 1}
