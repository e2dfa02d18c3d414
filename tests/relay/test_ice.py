from __future__ import annotations

import asyncio
import secrets
import socket

import pytest
from aioice import stun

from relay import Relay
from relay.relay import MAX_ADDRESSES
from simulated.packet_client import PacketClient
from tests.relay.room import Clock, Member, Room, open_room, until


@pytest.fixture
async def stranger(room: Room) -> Member:
    """A peer with an open socket that has sent nothing."""
    member = Member(room.relay, "stranger")
    room.members.append(member)
    member.client.open(member.peer.local)
    return member


async def unanswered(room: Room, member: Member, datagram: bytes) -> dict[str, int]:
    """What is counted for a datagram that must get no answer; a good check does get one."""
    counters = room.relay._forwarder.counters.dropped
    before = dict(counters)
    answer: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()
    member.client._responses[datagram[8:20]] = answer
    member.client.send_raw(datagram)
    await member.client.check(nominate=False)
    assert not answer.done()
    return {reason: n - before.get(reason, 0) for reason, n in counters.items()}


async def test_a_check_is_answered_with_the_address_it_came_from(stranger: Member) -> None:
    response = await stranger.client.check(nominate=True)
    assert response.message_class == stun.Class.RESPONSE
    assert response.attributes["XOR-MAPPED-ADDRESS"] == stranger.client.sock.getsockname()
    assert response.check_message_integrity(stranger.peer.local.ice_pwd.encode())
    assert stranger.peer.transport.address == stranger.client.sock.getsockname()


async def test_a_wrong_password_gets_no_answer(room: Room, stranger: Member) -> None:
    request = stranger.client.binding_request(nominate=True, pwd="x" * 32)
    assert await unanswered(room, stranger, bytes(request)) == {"bad_credentials": 1}


@pytest.mark.parametrize("username", ["", "nobody:me", "nobody", ":", "\0:\0"])
async def test_an_unknown_fragment_gets_no_answer(
    room: Room, stranger: Member, username: str
) -> None:
    request = stranger.client.binding_request(nominate=True)
    request.attributes["USERNAME"] = username
    request.add_message_integrity(stranger.peer.local.ice_pwd.encode())
    assert await unanswered(room, stranger, bytes(request)) == {"bad_credentials": 1}


async def test_a_check_without_integrity_gets_no_answer(room: Room, stranger: Member) -> None:
    request = stranger.client.binding_request(nominate=True)
    del request.attributes["MESSAGE-INTEGRITY"]
    request.add_fingerprint()
    assert await unanswered(room, stranger, bytes(request)) == {"bad_credentials": 1}


async def test_a_nomination_after_the_integrity_is_not_believed(stranger: Member) -> None:
    await stranger.client.check(nominate=True)
    first = stranger.peer.transport.address
    stranger.client.open(stranger.peer.local)
    request = stranger.client.binding_request(nominate=False)
    del request.attributes["FINGERPRINT"]
    request.attributes["USE-CANDIDATE"] = None
    request.add_fingerprint()
    await stranger.client.ask(request, 5)
    assert stranger.peer.transport.address == first


@pytest.mark.parametrize("message_class", [stun.Class.INDICATION, stun.Class.RESPONSE])
async def test_what_is_no_request_gets_no_answer(
    room: Room, stranger: Member, message_class: stun.Class
) -> None:
    request = stranger.client.binding_request(nominate=True)
    request.message_class = message_class
    request.add_message_integrity(stranger.peer.local.ice_pwd.encode())
    assert await unanswered(room, stranger, bytes(request)) == {"bad_credentials": 1}


async def test_garbage_gets_no_answer(room: Room, stranger: Member) -> None:
    whole = bytes(stranger.client.binding_request(nominate=True))
    for size in range(20, len(whole), 3):
        assert await unanswered(room, stranger, whole[:size]) == {"bad_stun": 1}, size
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    assert await unanswered(room, stranger, bytes(flipped)) == {"bad_stun": 1}


async def test_a_role_conflict_is_told_and_is_no_consent(stranger: Member) -> None:
    request = stranger.client.binding_request(nominate=True)
    del request.attributes["ICE-CONTROLLING"]
    request.attributes["ICE-CONTROLLED"] = secrets.randbits(64)
    request.add_message_integrity(stranger.peer.local.ice_pwd.encode())
    response = await stranger.client.ask(request, 5)
    assert response.message_class == stun.Class.ERROR
    assert response.error_code == 487
    assert stranger.peer.transport.address is None
    assert stranger.peer.addresses == {}


async def test_a_wrong_remote_fragment_is_ignored_once_the_answer_is_in(
    room: Room, stranger: Member
) -> None:
    right = stranger.client.ufrag
    stranger.client.ufrag = "early"
    await stranger.client.check(nominate=True)
    stranger.client.ufrag = right
    room.relay.accept(stranger.peer, stranger.client.remote())
    request = stranger.client.binding_request(nominate=True)
    request.attributes["USERNAME"] = f"{stranger.peer.local.ice_ufrag}:wrong"
    request.add_message_integrity(stranger.peer.local.ice_pwd.encode())
    assert await unanswered(room, stranger, bytes(request)) == {"bad_credentials": 1}


async def test_a_nomination_moves_the_media(room: Room) -> None:
    speaker, listener, _ = room.members
    first = listener.client.sock
    listener.client.open(listener.peer.local)
    second = listener.client.sock
    await listener.client.check(nominate=False)

    async def arrives_by() -> int:
        listener.client.received_by.clear()
        speaker.send("mi", next(numbers))
        await speaker.client.check(nominate=False)
        await until(lambda: listener.client.received_by)
        (port,) = listener.client.received_by
        return port

    numbers = iter(range(100))
    assert await arrives_by() == first.getsockname()[1]
    await listener.client.check(nominate=True)
    assert await arrives_by() == second.getsockname()[1]
    listener.client.sock = first
    await listener.client.check(nominate=True)
    assert await arrives_by() == first.getsockname()[1]


async def test_media_is_taken_from_every_checked_address_but_from_no_other(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.client.open(speaker.peer.local)
    dropped = room.relay._forwarder.counters.dropped
    speaker.send("mi", 1)
    speaker.client.send_raw(b"\x16\xfe\xfd" + bytes(20))
    speaker.send_rtcp(b"\x80\xc9\0\1\0\0\0\1")
    await until(lambda: dropped["unknown_address"] == 3)
    await speaker.client.check(nominate=False)
    speaker.send("mi", 2)
    await room.settle(speaker)
    assert [packet.payload for packet in listener.media()] == [b"m"]
    assert dropped == {"unknown_address": 3}


async def test_an_address_is_taken_over_by_a_valid_check_of_another_peer(room: Room) -> None:
    old, new = room.members[0], Member(room.relay, "reloaded")
    address = old.client.sock.getsockname()
    new.client._relay = new.peer.local
    request = new.client.binding_request(nominate=True)
    await old.client.ask(request, 5)
    assert room.relay._forwarder.transports[address] is new.peer.transport
    assert address not in old.peer.addresses
    assert address in new.peer.addresses
    room.relay.remove_peer(old.peer)
    assert room.relay._forwarder.transports[address] is new.peer.transport
    room.relay.remove_peer(new.peer)
    assert address not in room.relay._forwarder.transports
    room.members.pop(0)
    await old.client.close()


async def test_only_so_many_addresses_are_remembered(room: Room) -> None:
    member = room.members[0]
    first = member.client.sock
    for _ in range(MAX_ADDRESSES + 5):
        member.client.open(member.peer.local)
        await member.client.check(nominate=False)
    assert len(member.peer.addresses) == MAX_ADDRESSES
    known = room.relay._forwarder.transports
    mine = [address for address, owner in known.items() if owner is member.peer.transport]
    assert set(mine) == set(member.peer.addresses)
    assert first.getsockname() in mine  # where media goes stays
    assert member.client.sock.getsockname() in mine


async def test_a_peer_without_consent_is_gone_and_gets_no_more_media(room: Room) -> None:
    silent, speaker, listener = room.members
    room.tick(29)
    await speaker.client.check(nominate=False)
    await listener.client.check(nominate=False)
    for member in room.members:
        member.media()
    room.tick(3)
    assert silent.states == ["connecting", "connected", "gone"]
    assert speaker.peer.state == listener.peer.state == "connected"
    silent.client.received.clear()
    speaker.send("mi", 1)
    silent.send("mi", 1)
    await room.settle(speaker, silent)
    assert len(listener.media()) == 1
    assert silent.client.received == []
    room.tick(60)
    assert silent.states == ["connecting", "connected", "gone"]


async def test_a_peer_that_never_comes_is_gone(room: Room, stranger: Member) -> None:
    room.tick(31)
    assert stranger.states == ["gone"]


async def test_ipv6(clock: Clock) -> None:
    async with open_room(2, clock, bind=("::1",)) as room:
        speaker, listener = room.members
        assert speaker.client.sock.family == socket.AF_INET6
        response = await speaker.client.check(nominate=False)
        address = speaker.client.sock.getsockname()
        assert response.attributes["XOR-MAPPED-ADDRESS"] == address[:2]
        speaker.send("mi", 1)
        await room.settle(speaker)
        assert len(listener.media()) == 1


async def test_both_families_on_one_port() -> None:
    relay = await Relay.open(bind=["127.0.0.1", "::1"], port=0, announce=["192.0.2.1"])
    peer = relay.add_peer("peer", on_state=lambda _: None)
    assert peer.local.candidates == [
        ("192.0.2.1", relay.port),
        ("127.0.0.1", relay.port),
        ("::1", relay.port),
    ]
    await relay.close()


async def test_a_client_times_out_where_nothing_answers(stranger: Member) -> None:
    client = PacketClient({})
    client.open(stranger.peer.local)
    client.ufrag = "me"
    with pytest.raises(TimeoutError):
        await client.ask(client.binding_request(nominate=True, pwd="wrong"), 0.01)
    await client.close()
