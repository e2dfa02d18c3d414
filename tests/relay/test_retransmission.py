"""Retransmissions (RFC 4588): those a source sends, and those a sink asks for."""

from __future__ import annotations

import pytest
from aiortc.rtp import RtcpRtpfbPacket

from relay.feedback import RETRANSMISSIONS_PER_TICK
from relay.forward import CACHE_S
from tests.relay.packets import LEVEL, MID, RTX, SEND_TIME, Rtp, descriptor, frame_of
from tests.relay.room import Member, Room

EXTENSIONS = [(SEND_TIME, b"\1\2\3"), (MID, b"ca")]


def nack(listener: Member, seqs: list[int], mid: str = "v0") -> None:
    ssrc = listener.peer.slots[mid].ssrc
    for seq in seqs:
        listener.send_rtcp(RtcpRtpfbPacket(1, 1, ssrc, lost=[seq & 0xFFFF]))


async def watched(room: Room, count: int) -> list[Rtp]:
    """Let the first member's camera send `count` packets; what the second saw of it."""
    speaker, listener, _ = room.members
    for seq in range(count):
        extensions = [*EXTENSIONS, descriptor(700 + seq)]
        speaker.send("ca", seq, 3_000 * seq, bytes([seq]), extensions=extensions, marker=True)
    await room.settle(speaker)
    return listener.media()


# --- from a source ---


async def test_a_retransmitted_packet_takes_the_place_of_the_lost_one(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("ca", 1, 100, b"one", extensions=[descriptor(1)])
    speaker.send("ca", 3, 300, b"three", extensions=[descriptor(3)])
    extensions = [*EXTENSIONS, descriptor(2)]
    speaker.resend(2, 200, b"two", marker=True, extensions=extensions, csrcs=(8,))
    await room.settle(speaker)
    one, three, two = listener.media()
    assert (two.seq, two.timestamp) == (one.seq + 1, one.timestamp + 100)
    assert (three.seq, three.timestamp) == (one.seq + 2, one.timestamp + 200)
    assert two.ssrc == one.ssrc
    assert (two.payload, two.payload_type, two.marker, two.csrcs) == (b"two", 96, True, (8,))
    assert two.extensions[MID] == b"v0"
    assert (frame_of(two), frame_of(three)) == (frame_of(one) + 1, frame_of(one) + 2)
    assert speaker.peer.sources["ca"].missing == {}


async def test_what_came_already_is_dropped(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("ca", 1, 100, b"one")
    speaker.send("ca", 3, 300, b"three")
    for seq in (3, 1, 2, 2):
        speaker.resend(seq, 200, b"other")
    await room.settle(speaker)
    assert [packet.payload for packet in listener.media()] == [b"one", b"three", b"other"]
    assert speaker.dropped == {"duplicate": 3}


async def test_the_lost_packet_itself_may_come_after_its_retransmission(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("ca", 1)
    speaker.send("ca", 3)
    speaker.resend(2)
    speaker.send("ca", 2)
    await room.settle(speaker)
    assert len(listener.media()) == 3
    assert speaker.dropped == {"duplicate": 1}


@pytest.mark.parametrize("seq", [1, 3])
async def test_nothing_is_sent_again_after_the_cache_forgot_it(room: Room, seq: int) -> None:
    """A second packet under the same number would be a reused nonce at the sinks."""
    speaker, listener, _ = room.members
    for sent in (1, 3):
        speaker.send("ca", sent)
    await room.settle(speaker)
    listener.media()
    room.tick(CACHE_S + 0.2)
    assert not any(speaker.peer.sources["ca"].cache)
    speaker.resend(seq, payload=b"forged")
    await room.settle(speaker)
    assert listener.media() == []
    assert speaker.dropped == {"too_old": 1}


@pytest.mark.parametrize(("body", "padded"), [(b"", False), (b"\0\0\0\4", True), (b"\xff", True)])
async def test_padding_sent_as_a_retransmission_is_dropped(
    room: Room, body: bytes, padded: bool
) -> None:
    speaker, listener, _ = room.members
    speaker.send("ca", 1)
    speaker.send("ca", 3)
    speaker.resend(2, payload=body, padded=padded)
    await room.settle(speaker)
    assert len(listener.media()) == 2
    assert speaker.dropped == {"padding": 1}


async def test_a_retransmission_of_what_was_never_sent_is_dropped(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.resend(1)
    speaker.send("ca", 1)
    speaker.resend(2)
    speaker.resend(0)
    await room.settle(speaker)
    assert len(listener.media()) == 1
    assert speaker.dropped == {"too_old": 3}


# --- to a sink ---


async def test_a_nack_is_answered_with_the_packet(room: Room) -> None:
    _, listener, other = room.members
    seen = await watched(room, 5)
    nack(listener, [seen[3].seq])
    await room.settle(listener)
    (packet,) = listener.media()
    slot = listener.peer.slots["v0"]
    assert packet.ssrc == slot.rtx_ssrc
    assert packet.payload_type == RTX
    assert packet.payload == seen[3].seq.to_bytes(2, "big") + b"\3"
    assert (packet.timestamp, packet.marker) == (seen[3].timestamp, True)
    assert packet.extensions == seen[3].extensions
    assert listener.peer.counters().retransmitted_packets == 1
    assert slot.packets == 5
    assert len(other.media()) == 5


async def test_retransmissions_have_their_own_run_and_the_time_of_sending(room: Room) -> None:
    assert room.clock is not None
    _, listener, _ = room.members
    seen = await watched(room, 5)
    room.clock.now += 0.5
    nack(listener, [packet.seq for packet in seen])
    await room.settle(listener)
    again = listener.media()
    assert [packet.seq for packet in again] == list(range(again[0].seq, again[0].seq + 5))
    sent_at = int(room.clock.now * (1 << 18)) & 0xFFFFFF
    assert {packet.extensions[SEND_TIME] for packet in again} == {sent_at.to_bytes(3, "big")}


async def test_what_is_older_than_a_second_is_not_sent_again(room: Room) -> None:
    assert room.clock is not None
    _, listener, _ = room.members
    seen = await watched(room, 1)
    room.clock.now += CACHE_S - 0.01
    nack(listener, [seen[0].seq])
    await room.settle(listener)
    assert len(listener.media()) == 1
    room.clock.now += 0.02
    nack(listener, [seen[0].seq])
    await room.settle(listener)
    assert listener.media() == []


async def test_nothing_is_sent_again_from_before_the_gate_opened(room: Room) -> None:
    speaker, listener, _ = room.members
    room.gate("ca", 0, 1, is_open=False)
    speaker.send("ca", 1, 0, b"not for you")
    await room.settle(speaker)
    room.gate("ca", 0, 1, is_open=True)
    nack(listener, list(range(0x4000)[::800]))  # before there is an anchor
    await room.settle(listener)
    speaker.send("ca", 2, 0, b"for you")
    await room.settle(speaker)
    (packet,) = listener.media()
    nack(listener, [packet.seq - 1, packet.seq])
    await room.settle(listener)
    assert [again.payload[2:] for again in listener.media()] == [b"for you"]


async def test_nothing_is_sent_again_through_a_closed_gate(room: Room) -> None:
    _, listener, other = room.members
    seen = await watched(room, 3)
    room.gate("ca", 0, 1, is_open=False)
    nack(listener, [packet.seq for packet in seen])
    await room.settle(listener)
    assert listener.media() == []
    assert listener.peer.counters().retransmitted_packets == 0
    seqs = [packet.seq for packet in other.media()]
    nack(other, seqs)
    await room.settle(other)
    assert len(other.media()) == 3


@pytest.mark.parametrize("offset", [1, 2, 1_000, 0x7FFF, 0x8000, 0xFFF0])
async def test_a_nack_for_what_was_never_sent_gets_nothing(room: Room, offset: int) -> None:
    _, listener, _ = room.members
    seen = await watched(room, 3)
    nack(listener, [seen[-1].seq + offset])
    await room.settle(listener)
    assert listener.media() == []


async def test_audio_is_not_sent_again(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("mi", 1, extensions=[(LEVEL, b"\1")])
    await room.settle(speaker)
    (packet,) = listener.media()
    nack(listener, [packet.seq], "a0")
    await room.settle(listener)
    assert listener.media() == []


async def test_only_so_much_is_sent_again_in_a_tick(room: Room) -> None:
    _, listener, _ = room.members
    seen = await watched(room, 1)
    for _ in range(2):
        nack(listener, [seen[0].seq] * (RETRANSMISSIONS_PER_TICK + 20))
        await room.settle(listener)
        assert len(listener.media()) == RETRANSMISSIONS_PER_TICK
        room.tick()
