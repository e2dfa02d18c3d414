from __future__ import annotations

import pytest

from relay.forward import FRAME_GAP
from tests.relay.packets import (
    DESCRIPTOR,
    LEVEL,
    MID,
    SEND_TIME,
    descriptor,
    frame_of,
    read_rtp,
    rtp,
)
from tests.relay.room import Room

CAMERA_EXTENSIONS = [(SEND_TIME, b"\1\2\3"), (MID, b"ca")]


@pytest.mark.parametrize(("mid", "slot_mid"), [("mi", "a0"), ("ca", "v0")])
async def test_a_packet_reaches_everyone_else_in_the_slot_of_its_sender(
    room: Room, mid: str, slot_mid: str
) -> None:
    speaker, *others = room.members
    speaker.send(mid, 7, 5, b"frame", extensions=[(MID, mid.encode())], marker=True)
    await room.settle(speaker)
    assert speaker.media() == []
    for other in others:
        (packet,) = other.media()
        assert packet.ssrc == other.peer.slots[slot_mid].ssrc
        assert packet.extensions[MID] == slot_mid.encode()
        assert packet.payload == b"frame"
        assert packet.marker


@pytest.mark.parametrize("size", [0, 1, 100, 1_000, 1_200])
async def test_the_payload_is_passed_on_byte_for_byte(room: Room, size: int) -> None:
    speaker, listener, _ = room.members
    payload = bytes(n * 7 & 0xFF for n in range(size)) + b"\4\4\4\4"
    speaker.send("ca", 1, 0, payload, padded=True, csrcs=(9, 8, 7), extensions=CAMERA_EXTENSIONS)
    await room.settle(speaker)
    (packet,) = listener.media()
    assert (packet.payload, packet.csrcs, packet.padded) == (payload, (9, 8, 7), True)
    assert not packet.marker


async def test_the_send_time_is_that_of_the_relay(room: Room) -> None:
    speaker, listener, _ = room.members
    assert room.clock is not None
    speaker.send("ca", 1, extensions=[(5, b"kept"), *CAMERA_EXTENSIONS])
    await room.settle(speaker)
    (packet,) = listener.media()
    now = int(room.clock.now * (1 << 18)) & 0xFFFFFF
    assert packet.extensions == {5: b"kept", SEND_TIME: now.to_bytes(3, "big"), MID: b"v0"}


async def test_frames_are_numbered_onwards_when_the_camera_changes(room: Room) -> None:
    """A page that comes back counts from 0 again; a browser would take its key frame for old."""
    speaker, listener, _ = room.members
    slot = listener.peer.slots["v0"]
    seen = []
    for seq, frame in enumerate((60_000, 60_001, 60_002)):
        speaker.send("ca", seq, extensions=[descriptor(frame, b"\xffrest")])
    await room.settle(speaker)
    seen += listener.media()
    room.relay.feed(slot, room.members[2].peer.sources["ca"])
    room.members[2].send("ca", 1)  # without any, until a key frame comes
    room.members[2].send("ca", 2, extensions=[descriptor(0)])
    room.members[2].send("ca", 3, extensions=[descriptor(1, b"")])
    await room.settle(room.members[2])
    seen += [packet for packet in listener.media() if packet.ssrc == slot.ssrc]
    assert [DESCRIPTOR in packet.extensions for packet in seen] == [True] * 3 + [False, True, True]
    assert seen[0].extensions[DESCRIPTOR][:1] == b"\xc0"
    assert seen[0].extensions[DESCRIPTOR][3:] == b"\xffrest"
    first, second, third, fourth, fifth = (
        frame_of(packet) for packet in seen if DESCRIPTOR in packet.extensions
    )
    assert (second, third) == (first + 1, first + 2)
    assert (fourth, fifth) == (third + FRAME_GAP, third + FRAME_GAP + 1)


async def test_what_has_the_descriptors_number_on_audio_is_passed_on_as_it_is(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("mi", 1, extensions=[(DESCRIPTOR, b"a"), (DESCRIPTOR, b"kept")])
    await room.settle(speaker)
    (packet,) = listener.media()
    assert packet.extensions == {DESCRIPTOR: b"kept"}


@pytest.mark.parametrize("value", [0x00, 0x7F, 0x80, 0x80 | 30])
async def test_the_audio_level_is_read(room: Room, value: int) -> None:
    speaker = room.members[0]
    speaker.send("mi", 1, extensions=[(LEVEL, bytes([value]))])
    await room.settle(speaker)
    source = speaker.peer.sources["mi"]
    assert (source.level, source.voice, source.level_at) == (value & 0x7F, value > 0x7F, 1_000.0)


async def test_the_level_is_no_business_of_a_camera(room: Room) -> None:
    speaker = room.members[0]
    speaker.send("ca", 1, extensions=[(LEVEL, b"\x05")])
    await room.settle(speaker)
    assert speaker.peer.sources["ca"].level == 127


@pytest.mark.parametrize("last_byte", [0x00, 0x05, 0xF0])
async def test_what_stands_after_the_end_of_the_extensions_is_not_read(
    room: Room, last_byte: int
) -> None:
    speaker, listener, _ = room.members
    raw = bytearray(rtp(0x1111, 1, 0, b"frame", extensions=[(LEVEL, b"\x05"), (4, b"abc")]))
    raw[12 + 4 + 2] = last_byte  # where the second element began
    speaker.client.send_rtp(bytes(raw))
    await room.settle(speaker)
    data = list(listener.client.rtp())
    assert len(data) == 1
    assert data[0].endswith(b"frame")
    assert speaker.peer.sources["mi"].level == 5


async def test_a_gate_is_closed_until_it_is_opened(room: Room) -> None:
    speaker, listener, other = room.members
    slot = listener.peer.add_slot("x0", "audio", cname="x")
    source = speaker.peer.add_source("x1", "audio")
    speaker.peer.transport.sources[77] = source
    source.ssrc = 77
    room.relay.feed(slot, source)
    speaker.client.send_rtp(rtp(77, 1, 0))
    await room.settle(speaker)
    assert listener.media() == []
    assert other.media() == []
    assert slot.packets == 0


@pytest.mark.parametrize("mid", ["mi", "ca"])
async def test_a_gate_holds_from_the_very_next_packet_on(room: Room, mid: str) -> None:
    speaker, listener, other = room.members
    heard = []
    for seq, is_open in enumerate([True, False, False, True, False, True, True]):
        room.gate(mid, 0, 1, is_open=is_open)
        speaker.send(mid, seq, seq * 960, bytes([seq]))
        await room.settle(speaker)
        before = listener.peer.counters().sent_packets
        heard += [(packet.payload[0], packet.seq) for packet in listener.media()]
        assert before == len(heard)
    assert [payload for payload, _ in heard] == [0, 3, 5, 6]
    first = heard[0][1]
    assert [seq for _, seq in heard] == [first, first + 1, first + 2, first + 3]
    assert len(other.media()) == 7


async def test_a_closed_gate_leaves_every_count_of_sending_alone(room: Room) -> None:
    speaker, listener, _ = room.members
    room.gate("mi", 0, 1, is_open=False)
    before = listener.peer.counters().snapshot()
    for seq in range(20):
        speaker.send("mi", seq)
    await room.settle(speaker)
    after = listener.peer.counters().snapshot()
    assert after.sent_packets == before.sent_packets
    assert after.sent_payload_bytes == before.sent_payload_bytes
    assert after.dropped == before.dropped


async def test_a_packet_as_long_as_a_datagram_may_be_passes(room: Room) -> None:
    speaker, listener, _ = room.members
    payload = bytes(1_500 - 16 - 12)  # beside the tag of AES-GCM and the header
    packet = rtp(0x2222, 1, 0, payload, payload_type=96)
    speaker.client.send_raw(speaker.protect(packet))
    await room.settle(speaker)
    assert speaker.dropped == {}
    assert [len(data) for data in listener.client.received] == [1_500]


async def test_longer_datagrams_are_dropped_and_counted(room: Room) -> None:
    speaker = room.members[0]
    for size in (1_501, 2_048, 2_049, 9_000):
        speaker.client.send_raw(b"\x80\x6f" + bytes(size - 2))
    await room.settle(speaker)
    assert speaker.dropped == {"too_long": 4}


async def test_members_send_to_each_other_at_once(room: Room) -> None:
    for seq in range(50):
        for n, member in enumerate(room.members):
            member.send("mi", seq, 960 * seq, bytes([n, seq]))
            member.send("ca", seq, 3_000 * seq, bytes([n, seq]))
    await room.settle()
    for listener in room.members:
        by_slot: dict[int, list[bytes]] = {}
        for data in listener.client.rtp():
            packet = read_rtp(data)
            by_slot.setdefault(packet.ssrc, []).append(packet.payload)
        expected = {
            slot.ssrc: [bytes([int(mid[1]), seq]) for seq in range(50)]
            for mid, slot in listener.peer.slots.items()
        }
        assert by_slot == expected
