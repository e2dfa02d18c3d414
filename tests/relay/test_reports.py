from __future__ import annotations

from typing import Any

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

from tests.relay.packets import SEND_TIME
from tests.relay.room import Member, Room

NTP = 0x0123_4567_89AB_CDEF


def sender_report(timestamp: int, ssrc: int = 0x1111) -> RtcpSrPacket:
    info = RtcpSenderInfo(NTP, timestamp, packet_count=9, octet_count=99)
    return RtcpSrPacket(ssrc, info)


def of_type(kind: type[Any], member: Member) -> list[Any]:
    return [packet for packet in member.rtcp() if isinstance(packet, kind)]


async def test_a_sender_report_is_told_in_the_slots_own_terms(room: Room) -> None:
    speaker, listener, _ = room.members
    for seq in range(3):
        speaker.send("mi", seq, 1_000 + seq, b"four")
    speaker.send_rtcp(sender_report(5_000))
    await room.settle(speaker)
    media = listener.media()
    room.tick()
    await room.settle()
    packets = listener.rtcp()
    slot = listener.peer.slots["a0"]
    (report,) = [packet for packet in packets if isinstance(packet, RtcpSrPacket)]
    assert report.ssrc == slot.ssrc
    assert report.sender_info.ntp_timestamp == NTP
    assert report.sender_info.rtp_timestamp == (media[0].timestamp + 4_000) & 0xFFFFFFFF
    assert report.sender_info.packet_count == 3
    assert report.sender_info.octet_count == 12
    (names,) = [packet for packet in packets if isinstance(packet, RtcpSdesPacket)]
    assert [(chunk.ssrc, chunk.items) for chunk in names.chunks] == [(slot.ssrc, [(1, b"slot-0")])]


async def test_a_sender_report_before_the_first_packet_waits_for_it(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send_rtcp(sender_report(5_000))
    await room.settle(speaker)
    room.tick(0.1)
    await room.settle()
    assert of_type(RtcpSrPacket, listener) == []
    speaker.send("mi", 1, 1_000)
    await room.settle(speaker)
    (packet,) = listener.media()
    room.tick(0.1)
    await room.settle()
    (report,) = of_type(RtcpSrPacket, listener)
    assert report.sender_info.rtp_timestamp == (packet.timestamp + 4_000) & 0xFFFFFFFF


async def test_reopening_a_gate_tells_the_new_relation_of_times(room: Room) -> None:
    assert room.clock is not None
    speaker, listener, _ = room.members
    speaker.send("mi", 1, 1_000)
    speaker.send_rtcp(sender_report(5_000))
    await room.settle(speaker)
    room.tick()
    room.gate("mi", 0, 1, is_open=False)
    room.clock.now += 7
    room.gate("mi", 0, 1, is_open=True)
    listener.media()
    await room.settle()
    listener.rtcp()
    speaker.send("mi", 2, 2_000)
    await room.settle(speaker)
    (packet,) = listener.media()
    room.tick()
    await room.settle()
    (report,) = of_type(RtcpSrPacket, listener)
    assert report.sender_info.rtp_timestamp == (packet.timestamp + 3_000) & 0xFFFFFFFF


async def test_no_sender_report_goes_through_a_closed_gate(room: Room) -> None:
    speaker, listener, other = room.members
    speaker.send("mi", 1)
    await room.settle(speaker)
    room.gate("mi", 0, 1, is_open=False)
    speaker.send_rtcp(sender_report(1))
    await room.settle(speaker)
    room.tick(0.1)
    await room.settle()
    assert of_type(RtcpSrPacket, listener) == []
    assert len(of_type(RtcpSrPacket, other)) == 1


async def test_a_sender_report_for_another_ssrc_is_ignored(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("mi", 1)
    speaker.send("ca", 1)
    speaker.send_rtcp(sender_report(1, 0x3333), sender_report(1, 0x4444))
    await room.settle(speaker)
    room.tick(0.1)
    await room.settle()
    assert of_type(RtcpSrPacket, listener) == []


async def receiver_report(room: Room, member: Member, ssrc: int = 0x1111) -> RtcpReceiverInfo:
    await room.settle(member)
    room.tick(1)
    await room.settle()
    reports = of_type(RtcpRrPacket, member)
    assert len(reports) == 1
    (block,) = [block for block in reports[0].reports if block.ssrc == ssrc]
    assert isinstance(block, RtcpReceiverInfo)
    return block


async def test_a_receiver_report_tells_what_was_lost(room: Room) -> None:
    speaker = room.members[0]
    for seq in [10, 11, 13, 12, 16, 17]:
        speaker.send("mi", seq)
    block = await receiver_report(room, speaker)
    assert (block.packets_lost, block.fraction_lost) == (2, 256 * 2 // 8)
    assert block.highest_sequence == 17
    assert (block.lsr, block.dlsr) == (0, 0)
    for seq in range(18, 28):
        speaker.send("mi", seq)
    block = await receiver_report(room, speaker)
    assert (block.packets_lost, block.fraction_lost, block.highest_sequence) == (2, 0, 27)


async def test_everything_lost_but_one_packet(room: Room) -> None:
    speaker = room.members[0]
    speaker.send("mi", 0)
    await receiver_report(room, speaker)
    speaker.send("mi", 1_000)
    block = await receiver_report(room, speaker)
    assert (block.packets_lost, block.fraction_lost) == (999, 256 * 999 // 1_000)


async def test_the_highest_number_counts_the_wraps(room: Room) -> None:
    speaker = room.members[0]
    for seq in range(65_530, 65_546):
        speaker.send("mi", seq)
    block = await receiver_report(room, speaker)
    assert (block.highest_sequence, block.packets_lost) == (65_545, 0)


async def test_a_receiver_report_answers_the_sender_report(room: Room) -> None:
    speaker = room.members[0]
    speaker.send("mi", 1)
    speaker.send_rtcp(sender_report(0))
    block = await receiver_report(room, speaker)
    assert block.lsr == NTP >> 16 & 0xFFFFFFFF
    assert block.dlsr == pytest.approx(65_536, abs=2)


async def test_jitter_is_none_when_packets_come_as_they_were_sent(room: Room) -> None:
    assert room.clock is not None
    speaker = room.members[0]
    for n in range(20):
        speaker.send("mi", n, (0xFFFFF000 + 960 * n) & 0xFFFFFFFF)
        await room.settle(speaker)
        room.clock.now += 0.02
    assert speaker.peer.sources["mi"].jitter == pytest.approx(0, abs=1)
    speaker.send("mi", 20, (0xFFFFF000 + 960 * 20) & 0xFFFFFFFF)
    room.clock.now += 0.02
    speaker.send("mi", 21, (0xFFFFF000 + 960 * 21 - 320) & 0xFFFFFFFF)
    await room.settle(speaker)
    assert (await receiver_report(room, speaker)).jitter > 0


async def test_a_peer_that_sends_nothing_gets_no_receiver_report(room: Room) -> None:
    room.tick(3)
    await room.settle()
    assert of_type(RtcpRrPacket, room.members[0]) == []


async def test_the_bandwidth_estimate_is_told(room: Room) -> None:
    speaker = room.members[0]
    assert room.clock is not None
    for n in range(250):
        send_time = int(room.clock.now * (1 << 18)) & 0xFFFFFF
        extensions = [(SEND_TIME, send_time.to_bytes(3, "big"))]
        speaker.send("ca", n, 1_800 * n, bytes(1_000), extensions=extensions)
        await speaker.client.check(nominate=False)
        room.tick()
    await room.settle()
    rembs = [packet for packet in of_type(RtcpPsfbPacket, speaker) if packet.fmt == 15]
    assert rembs
    bitrate, ssrcs = unpack_remb_fci(rembs[-1].fci)
    assert ssrcs == [0x2222]
    assert 200_000 < bitrate < 2_000_000  # 400 kbit/s were sent


async def test_a_bye_when_a_slot_empties_and_only_then(room: Room) -> None:
    speaker, listener, other = room.members
    slot = listener.peer.slots["a0"]

    async def byes() -> list[int]:
        await room.settle()
        return [ssrc for packet in of_type(RtcpByePacket, listener) for ssrc in packet.sources]

    room.relay.feed(slot, None)  # nothing was ever sent there
    room.relay.feed(slot, speaker.peer.sources["mi"])
    speaker.send("mi", 1)
    await room.settle(speaker)
    room.gate("mi", 0, 1, is_open=False)
    room.gate("mi", 0, 1, is_open=True)
    room.relay.feed(slot, other.peer.sources["mi"])
    room.relay.feed(slot, other.peer.sources["mi"])
    assert await byes() == []
    room.relay.feed(slot, None)
    room.relay.feed(slot, None)
    assert await byes() == [slot.ssrc]


async def test_a_slot_takes_only_its_kind(room: Room) -> None:
    speaker, listener, _ = room.members
    with pytest.raises(ValueError, match="audio"):
        room.relay.feed(listener.peer.slots["a0"], speaker.peer.sources["ca"])
