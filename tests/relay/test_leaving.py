"""Peers leave in every state, and nothing of them stays."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Literal

import pytest

from relay import Peer, PeerState, Relay
from tests.relay.room import Member, Room, until

State = Literal["new", "checked", "connecting", "shaking hands", "connected", "restarted", "gone"]


async def in_state(room: Room, state: State) -> Member:
    if state in ("connected", "restarted", "gone"):
        member = room.members.pop(0)
        if state == "restarted":
            room.relay.restart_ice(member.peer)
            member.client.restarted(member.peer.local)
            room.relay.accept(member.peer, member.client.remote())
            await member.client.check(nominate=True)
            room.relay.restart_ice(member.peer)
        elif state == "gone":
            await member.client._dtls.stop()
            await until(lambda: member.peer.state == "gone")
        return member
    member = Member(room.relay, "leaver")
    member.client.open(member.peer.local)
    if state == "checked":
        await member.client.check(nominate=True)
    elif state == "connecting":
        room.relay.accept(member.peer, member.client.remote())
    elif state == "shaking hands":
        await member.client.check(nominate=True)
        room.relay.accept(member.peer, member.client.remote())
        shaking = asyncio.create_task(member.client.handshake())
        await until(lambda: member.peer.dtls._dtls._ssl is not None)
        shaking.cancel()
        await asyncio.wait([shaking])
    return member


def kept(relay: Relay, peer: Peer) -> list[object]:
    """Where the relay still has something of the peer."""
    places: dict[str, object] = {
        "peers": peer in relay._peers.values(),
        "by_transport": peer.transport in relay._by_transport,
        "by_ufrag": peer in relay._by_ufrag.values(),
        "addresses": peer.transport in relay._forwarder.transports.values(),
        "slots fed": any(s.fed_by for s in peer.slots.values()),
        "slots it feeds": any(source.fed_slots for source in peer.sources.values()),
        "open gates": any(
            peer.transport in source.open_to
            for other in relay._peers.values()
            for source in other.sources.values()
        ),
        "keys": peer.transport.srtp_in is not None or peer.transport.srtp_out is not None,
        "sinks": any(
            slot.transport is peer.transport
            for other in relay._peers.values()
            for source in other.sources.values()
            for slot in source.sinks
        ),
    }
    return [place for place, is_there in places.items() if is_there]


@pytest.mark.parametrize(
    "state",
    ["new", "checked", "connecting", "shaking hands", "connected", "restarted", "gone"],
)
async def test_a_peer_leaves(room: Room, state: State) -> None:
    member = await in_state(room, state)
    room.relay.remove_peer(member.peer)
    assert member.states[-1] == "gone"
    assert member.states.count("gone") == 1
    assert kept(room.relay, member.peer) == []
    await until(lambda: not room.relay._tasks)
    assert kept(room.relay, member.peer) == []
    room.relay.remove_peer(member.peer)
    speaker, listener = room.members[:2]
    speaker.send("mi", 1)
    await room.settle(speaker)
    assert len(listener.media()) == 1
    left = weakref.ref(member.peer)
    await member.client.close()
    del member
    gc.collect()
    assert left() is None


async def test_what_a_leaver_still_sends_is_dropped(room: Room) -> None:
    leaver = room.members.pop(0)
    room.relay.remove_peer(leaver.peer)
    leaver.send("mi", 1)
    leaver.client.send_raw(bytes(leaver.client.binding_request(nominate=True)))
    await room.settle()
    dropped = room.relay._forwarder.counters.dropped
    await until(lambda: dropped["unknown_address"] and dropped["bad_credentials"])
    assert room.members[0].media() == []
    await leaver.client.close()


async def test_the_leaver_is_told_goodbye(room: Room) -> None:
    leaver = room.members.pop(0)
    room.relay.remove_peer(leaver.peer)
    await until(lambda: leaver.client._dtls.state == "closed")
    await leaver.client.close()


async def test_an_id_can_be_used_again(room: Room) -> None:
    old = room.members.pop(0)
    with pytest.raises(ValueError, match="id"):
        Member(room.relay, old.peer.id)
    room.relay.remove_peer(old.peer)
    new = Member(room.relay, old.peer.id)
    room.members.append(new)
    await new.connect()
    room.relay.remove_peer(old.peer)  # is not the one of that id any more
    room.relay.accept(old.peer, old.client.remote())
    assert new.peer.state == "connected"
    assert room.relay.stats().peers.keys() == {m.peer.id for m in room.members}
    await old.client.close()


async def test_feeding_and_opening_for_a_leaver_does_nothing(room: Room) -> None:
    leaver = room.members.pop(0)
    speaker, listener = room.members
    room.relay.remove_peer(leaver.peer)
    slot = leaver.peer.slots["a1"]
    room.relay.feed(slot, speaker.peer.sources["mi"])
    room.relay.set_gate(speaker.peer.sources["mi"], leaver.peer, True)
    assert speaker.peer.sources["mi"].sinks == (listener.peer.slots["a1"],)
    speaker.send("mi", 1)
    await room.settle(speaker)
    assert len(listener.media()) == 1
    assert slot.packets == 0
    await leaver.client.close()


async def test_a_callback_may_remove_peers(room: Room) -> None:
    """The states come from ticks and tasks, which go on after what a callback did."""
    leavers = room.members[:2]

    def remove_all(_: PeerState) -> None:
        for member in leavers:
            room.relay.remove_peer(member.peer)

    for member in leavers:
        member.peer._on_state = remove_all
    room.tick(29)
    await room.members[2].client.check(nominate=False)
    room.tick(3)
    assert list(room.relay.stats().peers) == ["member-2"]
    await until(lambda: not room.relay._tasks)
    for member in leavers:
        await member.client.close()
    del room.members[:2]


async def test_counts_outlive_the_peer(room: Room) -> None:
    speaker, listener, _ = room.members
    speaker.send("mi", 1)
    speaker.client.send_raw(b"\xff" * 40)
    await room.settle(speaker)
    before = [room.relay.stats().peers[m.peer.id] for m in (speaker, listener)]
    for member in (speaker, listener):
        room.relay.remove_peer(member.peer)
    departed = room.relay.stats().departed
    assert departed.received_packets == sum(stats.received_packets for stats in before)
    assert departed.sent_packets == 1
    assert departed.dropped == {"unknown_kind": 1}


async def test_closing_leaves_nothing(live_room: Room) -> None:
    tasks = asyncio.all_tasks()
    ticker = live_room.relay._ticker
    assert ticker in tasks
    new = Member(live_room.relay, "new")
    live_room.relay.accept(new.peer, new.client.remote())
    await asyncio.gather(live_room.relay.close(), live_room.relay.close())
    await live_room.relay.close()
    relay = live_room.relay
    assert not relay._peers
    assert not relay._by_transport
    assert not relay._by_ufrag
    assert not relay._forwarder.transports
    assert not relay._tasks
    assert ticker.done()
    assert all(sock.fileno() == -1 for sock in relay._port.sockets)
    assert all(member.states[-1] == "gone" for member in live_room.members)
    for member in live_room.members:
        await member.client.close()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not {name for name in names if name.startswith("relay")}
    assert len(asyncio.all_tasks()) == 1
