from __future__ import annotations

import pytest
from aiortc.rtp import RtcpPsfbPacket

from relay.feedback import KEY_FRAME_INTERVAL_S
from tests.relay.packets import descriptor
from tests.relay.room import Member, Room


def pli(listener: Member, mid: str = "v0") -> None:
    listener.send_rtcp(RtcpPsfbPacket(1, 1, listener.peer.slots[mid].ssrc))


def fir(listener: Member, mid: str = "v0") -> None:
    fci = listener.peer.slots[mid].ssrc.to_bytes(4, "big") + b"\1\0\0\0"
    listener.send_rtcp(RtcpPsfbPacket(4, 1, 0, fci))


async def asked(room: Room, member: Member) -> int:
    """How many key frames the member was asked for since the last time."""
    await room.settle()
    plis = [packet for packet in member.rtcp() if isinstance(packet, RtcpPsfbPacket)]
    plis = [packet for packet in plis if packet.fmt == 1]
    assert all(packet.media_ssrc == 0x2222 for packet in plis)
    return len(plis)


@pytest.fixture
async def quiet(room: Room) -> Room:
    """A room in which the key frames asked for at its beginning are long past."""
    room.tick(1)
    for member in room.members:
        await asked(room, member)
    return room


@pytest.mark.parametrize("request_key_frame", [pli, fir])
async def test_a_request_is_passed_on_to_its_source_only(
    quiet: Room, request_key_frame: object
) -> None:
    assert callable(request_key_frame)
    request_key_frame(quiet.members[1])
    assert [await asked(quiet, member) for member in quiet.members] == [1, 0, 0]
    assert quiet.members[0].peer.transport.counters.key_frame_requests >= 1


async def test_many_requests_make_one_in_the_interval(quiet: Room) -> None:
    speaker, *listeners = quiet.members
    for _ in range(5):
        for listener in listeners:
            pli(listener)
            fir(listener)
        await quiet.settle()
    assert await asked(quiet, speaker) == 1
    quiet.tick(KEY_FRAME_INTERVAL_S - 0.04)
    assert await asked(quiet, speaker) == 0
    quiet.tick(0.06)  # those that came too soon are made good
    assert await asked(quiet, speaker) == 1
    quiet.tick(1)
    assert await asked(quiet, speaker) == 0


async def test_sources_do_not_hold_each_other_up(quiet: Room) -> None:
    pli(quiet.members[2], "v0")
    pli(quiet.members[2], "v1")
    assert [await asked(quiet, member) for member in quiet.members] == [1, 1, 0]


async def test_none_is_passed_through_a_closed_gate(quiet: Room) -> None:
    quiet.gate("ca", 0, 1, is_open=False)
    pli(quiet.members[1])
    fir(quiet.members[1])
    quiet.tick(0.5)
    assert await asked(quiet, quiet.members[0]) == 0


async def test_opening_a_gate_asks_for_one(quiet: Room) -> None:
    quiet.gate("ca", 0, 1, is_open=False)
    assert await asked(quiet, quiet.members[0]) == 0
    quiet.gate("ca", 0, 1, is_open=True)
    assert await asked(quiet, quiet.members[0]) == 1
    quiet.tick(1)
    quiet.gate("ca", 0, 1, is_open=True)  # was open already
    quiet.gate("mi", 0, 1, is_open=False)
    quiet.gate("mi", 0, 1, is_open=True)
    assert await asked(quiet, quiet.members[0]) == 0


async def test_a_sink_begins_with_a_key_frame_which_is_asked_for_until_it_comes(
    quiet: Room,
) -> None:
    """A source sends none for a request that comes right after one."""
    speaker, listener, _ = quiet.members
    quiet.gate("ca", 0, 1, is_open=False)
    quiet.gate("ca", 0, 1, is_open=True)
    assert await asked(quiet, speaker) == 1
    for seq in range(3):
        speaker.send("ca", seq, extensions=[descriptor(seq, b"")])
        await quiet.settle(speaker)
        quiet.tick(1)
        assert await asked(quiet, speaker) == 1
        assert listener.media() == []
    for seq, rest in enumerate((b"\x80", b"", b"\x7f"), start=3):
        speaker.send("ca", seq, extensions=[descriptor(seq, rest)])
    await quiet.settle(speaker)
    assert len(listener.media()) == 3
    quiet.tick(1)
    assert await asked(quiet, speaker) == 0


async def test_a_request_for_audio_or_for_nothing_is_ignored(quiet: Room) -> None:
    listener = quiet.members[1]
    pli(listener, "a0")
    listener.send_rtcp(RtcpPsfbPacket(1, 1, 12345))
    listener.send_rtcp(RtcpPsfbPacket(1, 1, quiet.members[2].peer.slots["v0"].ssrc))
    for size in range(12):
        if size % 4 == 0:
            listener.send_rtcp(RtcpPsfbPacket(4, 1, 0, bytes(size)))
    quiet.tick(0.5)
    assert [await asked(quiet, member) for member in quiet.members] == [0, 0, 0]


async def test_an_empty_slot_asks_nobody(quiet: Room) -> None:
    quiet.relay.feed(quiet.members[1].peer.slots["v0"], None)
    pli(quiet.members[1])
    assert await asked(quiet, quiet.members[0]) == 0
