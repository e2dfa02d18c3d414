from __future__ import annotations

from tests.relay.room import Room


async def test_what_is_received_and_sent_is_counted_for_each_peer(room: Room) -> None:
    speaker, *others = room.members
    before = room.relay.stats()
    for seq in range(10):
        speaker.send("mi", seq, payload=bytes(50))
    await speaker.client.check(nominate=False)
    after = room.relay.stats()
    mine, was = after.peers["member-0"], before.peers["member-0"]
    assert mine.received_packets - was.received_packets == 11
    media = 10 * (12 + 50 + 16)
    check = len(bytes(speaker.client.binding_request(nominate=False)))
    assert mine.received_bytes - was.received_bytes == media + check
    assert mine.sent_packets == 0
    for other in others:
        stats = after.peers[other.peer.id]
        assert (stats.sent_packets, stats.sent_payload_bytes) == (10, 500)
        assert stats.dropped == {}
    assert after.dropped == {}


async def test_drops_are_counted_for_whom_they_belong_to(room: Room) -> None:
    speaker, other, _ = room.members
    speaker.client.send_raw(b"\xff" * 8)
    speaker.client.send_raw(b"\x80" * 3)
    other.client.send_raw(b"\x00" * 8)
    await room.settle()
    stats = room.relay.stats()
    assert stats.peers["member-0"].dropped == {"unknown_kind": 1, "truncated": 1}
    assert stats.peers["member-1"].dropped == {}
    assert stats.dropped == {"bad_stun": 1}


async def test_a_full_send_buffer_is_counted_and_harms_no_other_sink(room: Room) -> None:
    speaker, full, listener = room.members

    def refuse(*_: object) -> int:
        raise BlockingIOError

    full.peer.transport.send = refuse
    speaker.send("mi", 1)
    await speaker.client.check(nominate=False)
    await listener.client.check(nominate=False)
    assert full.dropped == {"send_buffer_full": 1}
    assert full.peer.counters().sent_packets == 0
    assert len(listener.media()) == 1


async def test_an_address_that_cannot_be_reached_is_counted(room: Room) -> None:
    speaker, unreachable, listener = room.members

    def refuse(*_: object) -> int:
        raise OSError

    unreachable.peer.transport.send = refuse
    speaker.send("mi", 1)
    await speaker.client.check(nominate=False)
    await listener.client.check(nominate=False)
    assert unreachable.dropped == {"unreachable": 1}
    assert len(listener.media()) == 1


async def test_stats_are_a_snapshot(room: Room) -> None:
    speaker = room.members[0]
    before = room.relay.stats()
    speaker.client.send_raw(b"\xff" * 8)
    await room.settle(speaker)
    assert before.peers["member-0"].dropped == {}
