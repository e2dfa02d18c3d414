"""What the relay asks a source to send again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRtpfbPacket

from relay.feedback import NACK_TRIES
from relay.forward import MAX_GAP
from tests.relay.room import TICK_S, Member, Room


async def asked(room: Room, member: Member) -> list[int]:
    await room.settle(member)
    nacks = [packet for packet in member.rtcp() if isinstance(packet, RtcpRtpfbPacket)]
    for packet in nacks:
        assert (packet.fmt, packet.media_ssrc) == (1, 0x2222)
        assert packet.ssrc == member.peer.transport.reporter_ssrc
    return [seq for packet in nacks for seq in packet.lost]


async def with_gap(room: Room, *seqs: int) -> Member:
    speaker = room.members[0]
    for seq in seqs:
        speaker.send("ca", seq)
    await room.settle(speaker)
    return speaker


async def test_a_gap_is_asked_for_after_ten_milliseconds(room: Room) -> None:
    speaker = await with_gap(room, 1, 5)
    assert room.clock is not None
    room.clock.now += 0.009
    room.relay._tick(room.clock.now, 1)
    assert await asked(room, speaker) == []
    room.clock.now += 0.002
    room.relay._tick(room.clock.now, 1)
    assert await asked(room, speaker) == [2, 3, 4]


async def test_it_is_asked_for_again_and_at_last_given_up(room: Room) -> None:
    speaker = await with_gap(room, 1, 3)
    moments = []
    for tick in range(60):
        room.tick()
        if await asked(room, speaker):
            moments.append(tick * TICK_S)
    gaps = [later - sooner for sooner, later in pairwise(moments)]
    assert len(moments) == NACK_TRIES == 5
    assert all(gap >= 0.099 for gap in gaps)
    assert all(gap <= 0.125 for gap in gaps)
    assert speaker.peer.sources["ca"].missing == {}


async def test_what_has_come_meanwhile_is_not_asked_for(room: Room) -> None:
    speaker = await with_gap(room, 1, 5, 3)
    speaker.resend(4)
    await room.settle(speaker)
    room.tick()
    assert await asked(room, speaker) == [2]


async def test_a_gap_across_the_wrap(room: Room) -> None:
    speaker = await with_gap(room, 65_533, 65_534, 2)
    room.tick()
    assert await asked(room, speaker) == [65_535, 0, 1]


@pytest.mark.parametrize(("gap", "is_long"), [(MAX_GAP, False), (MAX_GAP + 1, True)])
async def test_for_a_long_gap_a_key_frame_is_asked(room: Room, gap: int, is_long: bool) -> None:
    room.tick(1)
    speaker = await with_gap(room, 1)
    speaker.rtcp()
    await with_gap(room, 1 + gap + 1)
    room.tick()
    await room.settle(speaker)
    packets = speaker.rtcp()
    assert any(isinstance(packet, RtcpPsfbPacket) for packet in packets) is is_long
    assert any(isinstance(packet, RtcpRtpfbPacket) for packet in packets) is not is_long
    assert len(speaker.peer.sources["ca"].missing) == (0 if is_long else gap)


async def test_what_is_missing_stays_bounded(room: Room) -> None:
    speaker = room.members[0]
    for n in range(100):
        speaker.send("ca", n * MAX_GAP)
    await room.settle(speaker)
    assert len(speaker.peer.sources["ca"].missing) <= 2 * MAX_GAP


async def test_audio_is_not_asked_for(room: Room) -> None:
    speaker = room.members[0]
    speaker.send("mi", 1)
    speaker.send("mi", 5)
    await room.settle(speaker)
    room.tick(0.2)
    await room.settle(speaker)
    assert not any(isinstance(packet, RtcpRtpfbPacket) for packet in speaker.rtcp())
