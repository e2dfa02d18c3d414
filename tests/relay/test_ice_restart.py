from __future__ import annotations

import pytest
from aioice import stun

from relay import Fingerprint, RemoteParameters, SourceSsrcs
from tests.relay.room import Member, Room


def old_check(member: Member) -> stun.Message:
    """A check with the credentials that hold now."""
    return member.client.binding_request(nominate=True)


async def hears(room: Room, seq: int) -> bool:
    """Whether the first member's microphone reaches the second."""
    speaker, listener, _ = room.members
    speaker.send("mi", seq)
    for member in room.members[1:]:
        await member.client.check(nominate=False)
    room.relay._forwarder.drain(room.relay._port.sockets[0])
    await listener.client.check(nominate=False)
    return len(listener.media()) == 1


async def test_old_credentials_hold_until_the_new_are_used_and_media_goes_on(room: Room) -> None:
    member = room.members[0]
    again, refused = old_check(member), old_check(member)
    before = member.peer.local
    room.relay.restart_ice(member.peer)
    after = member.peer.local
    assert before.ice_ufrag != after.ice_ufrag
    assert before.ice_pwd != after.ice_pwd
    assert before.fingerprint == after.fingerprint
    await member.client.ask(again, 5)
    assert await hears(room, 1)

    member.client.restarted(after)
    room.relay.accept(member.peer, member.client.remote())
    assert await hears(room, 2)
    await member.client.check(nominate=True)
    assert await hears(room, 3)

    with pytest.raises(TimeoutError):
        await member.client.ask(refused, 0.01)
    await member.client.check(nominate=True)
    assert room.relay._forwarder.counters.dropped["bad_credentials"] >= 1
    assert member.states == ["connecting", "connected"]
    assert room.relay._by_ufrag.keys() == {m.peer.local.ice_ufrag for m in room.members}


async def test_old_credentials_hold_through_a_second_restart(room: Room) -> None:
    member = room.members[0]
    before = old_check(member)
    room.relay.restart_ice(member.peer)
    never_used = member.peer.local
    room.relay.restart_ice(member.peer)
    await member.client.ask(before, 5)

    member.client.restarted(never_used)
    with pytest.raises(TimeoutError):
        await member.client.ask(old_check(member), 0.01)
    member.client.restarted(member.peer.local)
    await member.client.check(nominate=True)
    assert await hears(room, 1)


async def test_a_restart_moves_to_another_address(room: Room) -> None:
    speaker, listener, _ = room.members
    room.relay.restart_ice(listener.peer)
    listener.client.open(listener.peer.local)
    listener.client.restarted(listener.peer.local)
    room.relay.accept(listener.peer, listener.client.remote())
    await listener.client.check(nominate=True)
    speaker.send("mi", 1)
    await room.settle(speaker)
    port = listener.client.sock.getsockname()[1]
    assert listener.client.received_by[port] == 1


async def test_the_wrong_remote_fragment_is_refused_after_a_restart(room: Room) -> None:
    member = room.members[0]
    room.relay.restart_ice(member.peer)
    member.client.restarted(member.peer.local)
    room.relay.accept(member.peer, member.client.remote())
    right, member.client.ufrag = member.client.ufrag, "wrong"
    with pytest.raises(TimeoutError):
        await member.client.ask(old_check(member), 0.01)
    member.client.ufrag = right
    await member.client.check(nominate=True)


@pytest.mark.parametrize("change", ["fingerprint", "ssrc"])
async def test_a_restart_changes_nothing_but_ice(room: Room, change: str) -> None:
    member = room.members[0]
    remote = member.client.remote()
    room.relay.restart_ice(member.peer)
    other = RemoteParameters(
        ice_ufrag="new",
        ice_pwd="new",
        fingerprints=[Fingerprint("sha-256", "AB")]
        if change == "fingerprint"
        else remote.fingerprints,
        ssrcs={"mi": SourceSsrcs(5)} if change == "ssrc" else remote.ssrcs,
    )
    with pytest.raises(ValueError, match="restart"):
        room.relay.accept(member.peer, other)
    assert await hears(room, 1)


async def test_a_peer_that_left_cannot_restart(room: Room) -> None:
    member = room.members.pop(0)
    room.relay.remove_peer(member.peer)
    room.relay.restart_ice(member.peer)
    assert room.relay._by_ufrag.keys() == {m.peer.local.ice_ufrag for m in room.members}
    await member.client.close()
