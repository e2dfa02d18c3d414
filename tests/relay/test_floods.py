"""What one participant with valid keys can make the relay do: little."""

from __future__ import annotations

import pytest
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtcpRtpfbPacket, RtcpSenderInfo, RtcpSrPacket

from relay.feedback import LOOKUPS_PER_TICK, MAX_BURSTS, PAUSE_S, RTCP_BYTES_PER_TICK
from relay.forward import MAX_REPORTERS
from tests.relay.packets import SEND_TIME
from tests.relay.room import Room


async def test_reporters_are_bounded_as_libsrtp_keeps_each_for_good(room: Room) -> None:
    flooder = room.members[0]
    known = len(flooder.peer.transport.reporters)
    for ssrc in range(2 * MAX_REPORTERS):
        flooder.send_rtcp(RtcpRrPacket(1_000 + ssrc))
        if ssrc % 50 == 0:
            await room.settle(flooder)
            room.tick()
    await room.settle(flooder)
    assert len(flooder.peer.transport.reporters) == MAX_REPORTERS
    assert flooder.dropped["unknown_ssrc"] == known + MAX_REPORTERS
    room.tick()
    before = flooder.dropped
    flooder.send_rtcp(RtcpRrPacket(1_000))  # one that was known before goes on
    await room.settle(flooder)
    assert flooder.dropped == before


async def test_forged_reports_make_no_reporter(room: Room) -> None:
    flooder = room.members[0]
    for ssrc in range(300):
        flooder.client.send_raw(b"\x80\xc9\0\1" + ssrc.to_bytes(4, "big") + bytes(40))
    await room.settle(flooder)
    assert flooder.peer.transport.reporters == set()
    assert flooder.dropped == {"unauthenticated": 300}


async def test_so_much_rtcp_is_looked_at_in_a_tick(room: Room) -> None:
    flooder = room.members[0]
    block = RtcpReceiverInfo(1, 0, 0, 0, 0, 0, 0)
    report = RtcpRrPacket(1, [block] * 31)
    size = len(bytes(report))
    for _ in range(2):
        before = flooder.dropped.get("rtcp_flood", 0)
        for _ in range(20):
            flooder.send_rtcp(report)
        await room.settle(flooder)
        assert flooder.dropped["rtcp_flood"] - before == 20 - RTCP_BYTES_PER_TICK // size
        room.tick()


async def test_many_sender_reports_make_one_for_each_slot(room: Room) -> None:
    flooder, listener, _ = room.members
    flooder.send("mi", 1)
    await room.settle(flooder)
    listener.media()
    report = RtcpSrPacket(0x1111, RtcpSenderInfo(1, 2, 3, 4))
    for _ in range(3):
        flooder.send_rtcp(*[report] * 30)
    await room.settle(flooder)
    room.tick()
    await room.settle()
    assert len([p for p in listener.rtcp() if isinstance(p, RtcpSrPacket)]) == 1


async def test_a_nack_for_everything(room: Room) -> None:
    speaker, flooder, _ = room.members
    for seq in range(100):
        speaker.send("ca", seq)
    await room.settle(speaker)
    seqs = [packet.seq for packet in flooder.media()]
    slot = flooder.peer.slots["v0"]
    everything = RtcpRtpfbPacket(1, 1, slot.ssrc, lost=seqs)
    for _ in range(50):
        flooder.send_rtcp(everything)
    await room.settle(flooder)
    assert len(flooder.media()) == 50


async def test_so_many_numbers_of_nacks_are_looked_for_in_a_tick(room: Room) -> None:
    speaker, flooder, _ = room.members
    speaker.send("ca", 1)
    await room.settle(speaker)
    (packet,) = flooder.media()
    slot = flooder.peer.slots["v0"]
    wanted = RtcpRtpfbPacket(1, 1, slot.ssrc, lost=[packet.seq])
    flooder.send_rtcp(RtcpRtpfbPacket(1, 1, slot.ssrc, lost=list(range(LOOKUPS_PER_TICK))))
    flooder.send_rtcp(wanted)
    await room.settle(flooder)
    flooder.media()
    flooder.send_rtcp(wanted)
    await room.settle(flooder)
    assert flooder.media() == []
    room.tick()
    flooder.send_rtcp(wanted)
    await room.settle(flooder)
    assert len(flooder.media()) == 1


async def test_a_long_pause_costs_the_estimator_no_time(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate counter of aiortc goes through a pause millisecond by millisecond."""
    assert room.clock is not None
    speaker = room.members[0]
    counter = speaker.peer.feedback._estimator.incoming_bitrate
    steps: list[int] = []
    erase_old = counter._erase_old

    def counted(now_ms: int) -> None:
        assert counter._origin_ms is not None
        steps.append(now_ms - counter._origin_ms)
        erase_old(now_ms)

    monkeypatch.setattr(counter, "_erase_old", counted)
    for seq in range(5):
        speaker.send("ca", seq, extensions=[(SEND_TIME, bytes([seq, 0, 0]))])
        await speaker.client.check(nominate=False)
        room.clock.now += 0.02
    speaker.peer.feedback.estimate()
    room.clock.now += 10 * 3_600
    speaker.send("ca", 5, extensions=[(SEND_TIME, bytes([5, 0, 0]))])
    await speaker.client.check(nominate=False)
    speaker.peer.feedback.estimate()
    assert steps
    assert max(steps) <= (PAUSE_S + 1) * 1_000


async def test_the_estimator_is_told_of_so_many_bursts_at_a_time(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    flooder = room.members[0]
    estimator = flooder.peer.feedback._estimator
    told: list[int] = []
    add = estimator.add

    def counted(at_ms: int, send_time: int, size: int, ssrc: int) -> tuple[int, list[int]] | None:
        told.append(size)
        return add(at_ms, send_time, size, ssrc)

    monkeypatch.setattr(estimator, "add", counted)
    for n in range(1_000):
        send_time = (n * 0x5A5A5B) & 0xFFFFFF
        flooder.send("ca", n, extensions=[(SEND_TIME, send_time.to_bytes(3, "big"))])
        if n % 50 == 49:
            await flooder.client.check(nominate=False)
    flooder.peer.feedback.estimate()
    assert len(told) == MAX_BURSTS
    assert flooder.peer.transport.arrivals == []


async def test_jumping_numbers_leave_the_sinks_slot_whole(room: Room) -> None:
    """A jump handed on to the sinks would put their SRTP out of step where packets are lost."""
    flooder, listener, _ = room.members
    ssrc, seq = listener.peer.slots["a0"].ssrc, 0
    seen: list[int] = []
    for _ in range(40):
        flooder.send("mi", seq)
        seq += 0x7FF0
        await room.settle(flooder)
        seen += [packet.seq for packet in listener.media(ssrc)]
    assert seen == list(range(seen[0], seen[0] + 40))


async def test_a_peer_whose_tick_fails_holds_up_no_other(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: float) -> None:
        raise RuntimeError("this one only")

    monkeypatch.setattr(room.members[0].peer.feedback, "tick", broken)
    speaker, listener = room.members[1:]
    speaker.send("ca", 1)
    speaker.send("ca", 3)
    await room.settle(speaker)
    room.tick()
    await room.settle()
    nacks = [p for p in speaker.rtcp() if isinstance(p, RtcpRtpfbPacket)]
    assert [packet.lost for packet in nacks] == [[2]]
    assert "this one only" in caplog.text
    assert len(listener.media()) == 2
    caplog.clear()
