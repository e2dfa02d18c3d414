"""200,000 spoiled datagrams, and the room still works."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from random import Random

from relay.feedback import NACK_TRIES
from relay.forward import CACHE_PACKETS, MAX_GAP, MAX_REPORTERS
from relay.relay import MAX_ADDRESSES
from tests.relay.mutations import client_hello, control_seeds, media_seeds, mutated
from tests.relay.room import Member, Room, until

BATCH = 50
ROUNDS = 1_000
"""Of four batches each."""


class Fuzzer:
    """Makes spoiled datagrams of one member's."""

    def __init__(self, member: Member, seed: int) -> None:
        self.member = member
        self.chance = Random(seed)
        self.media = media_seeds()
        self.control = control_seeds(member)
        self.hello = client_hello()
        self.seqs = {0x1111: 0, 0x2222: 0, 0x3333: 0}
        self.wire = [self.hello, *self.media, *self.control]

    def spoil(self, data: bytes) -> bytes:
        while (spoiled := mutated(self.chance, data, self.wire)) == data:
            pass
        return spoiled

    def spoiled_media(self) -> bytes:
        """Spoiled and then protected, so that it passes the integrity check."""
        seed = self.chance.choice(self.media)
        raw = bytearray(self.spoil(seed))
        if self.chance.random() < 0.9 and len(raw) >= 12:
            ssrc = int.from_bytes(seed[8:12], "big")
            # far jumps would put SRTP itself out of step
            self.seqs[ssrc] += self.chance.choice((1, 1, 1, 1, 2, 5, 100))
            seq = self.seqs[ssrc] - self.chance.choice((0, 0, 0, 1, 3, 50))
            raw[:1] = bytes([0x80 | raw[0] & 0x3F])
            raw[1:2] = bytes([seed[1]]) if self.chance.random() < 0.9 else raw[1:2]
            raw[2:4] = (seq & 0xFFFF).to_bytes(2, "big")
            raw[8:12] = seed[8:12]
        elif len(raw) >= 12:
            return bytes(raw)
        return self.member.protect(bytes(raw))

    def spoiled_control(self) -> bytes:
        seed = self.chance.choice(self.control)
        raw = bytearray(self.spoil(seed))
        if len(raw) >= 8:
            raw[0] = 0x80 | raw[0] & 0x3F
            if self.chance.random() < 0.98:
                raw[4:8] = seed[4:8]
        return self.member.protect(bytes(raw[:1_400]), is_rtcp=True)

    def spoiled_check(self) -> bytes:
        """Spoiled in what its integrity covers: what follows that is no one's business."""
        check = bytes(self.member.client.binding_request(nominate=True))
        while (spoiled := mutated(self.chance, check, self.media)).startswith(check[:-8]):
            pass
        return spoiled

    def spoiled_on_the_way(self) -> bytes:
        """Protected and then spoiled."""
        kind = self.chance.randrange(4)
        if kind == 0:
            return self.spoiled_check()
        if kind == 1:
            return self.spoil(self.hello)
        if kind == 2:
            seed = self.chance.choice(self.control)
            return self.spoil(self.member.protect(seed, is_rtcp=True))
        raw = bytearray(self.chance.choice(self.media))
        raw[2:4] = (self.seqs[int.from_bytes(raw[8:12], "big")] & 0xFFFF).to_bytes(2, "big")
        return self.spoil(self.member.protect(bytes(raw)))


def received(room: Room) -> int:
    peers = sum(m.peer.transport.counters.received_packets for m in room.members)
    return peers + room.relay._forwarder.counters.received_packets


def assert_bounded(room: Room) -> None:
    relay = room.relay
    assert len(relay._peers) == len(relay._by_transport) == len(room.members)
    assert len(relay._by_ufrag) == len(room.members)
    assert len(relay._forwarder.transports) <= MAX_ADDRESSES * len(room.members)
    assert relay._tasks == set()
    for member in room.members:
        transport = member.peer.transport
        assert len(transport.sources) == 3
        assert len(transport.reporters) <= MAX_REPORTERS
        assert len(transport.arrivals) <= 5 * 4 * BATCH
        assert member.peer.dtls._transport._queue.qsize() <= 32
        for source in member.peer.sources.values():
            assert len(source.cache) == CACHE_PACKETS
            assert len(source.missing) <= 2 * MAX_GAP
            assert all(tries <= NACK_TRIES for _, tries in source.missing.values())


def opens(listener: Member, opened: list[int], number: int) -> Callable[[memoryview], None]:
    """Whatever the relay sends must have right keys and numbers (pylibsrtp raises otherwise)."""

    def receive(datagram: memoryview) -> None:
        session = listener.client.srtp_in
        is_rtcp = 192 <= datagram[1] <= 223
        (session.unprotect_rtcp if is_rtcp else session.unprotect)(bytes(datagram))
        opened[number] += 1

    return receive


async def test_spoiled_datagrams_from_known_and_unknown_addresses(room: Room) -> None:
    member = room.members[0]
    fuzzer = Fuzzer(member, seed=20_261_124)
    known = member.client.sock
    member.client.open(member.peer.local)
    unknown, member.client.sock = member.client.sock, known
    opened = [0, 0, 0]
    for number, listener in enumerate(room.members):
        listener.client.on_datagram = opens(listener, opened, number)
    makers: list[Callable[[], bytes]] = [
        fuzzer.spoiled_media,
        fuzzer.spoiled_control,
        fuzzer.spoiled_on_the_way,
        fuzzer.spoiled_on_the_way,
    ]

    sent = 0
    before = received(room)
    checks = 0
    memory = 0
    tracemalloc_from = ROUNDS // 2
    for round_ in range(ROUNDS):
        for number, make in enumerate(makers):
            sock = unknown if number == 3 else known
            for _ in range(BATCH):
                sock.send(make())
            sent += BATCH
            await member.client.check(nominate=False)
            checks += 1
        room.tick()
        if round_ % 100 == 99:
            for other in room.members[1:]:
                await other.client.check(nominate=False)
                checks += 1
            assert_bounded(room)
        if round_ == tracemalloc_from:
            gc.collect()
            tracemalloc.start()
            memory = tracemalloc.get_traced_memory()[0]
        if round_ == tracemalloc_from + 50:
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - memory
            tracemalloc.stop()
            assert grown < 8_000_000  # the caches, of packets up to 1,500 bytes, are the most
    assert sent == 200_000
    assert received(room) - before >= 0.999 * (sent + checks)

    assert min(opened[1:]) > 10_000

    # nothing was believed that should not have been
    assert member.peer.transport.address == known.getsockname()
    assert unknown.getsockname() not in room.relay._forwarder.transports
    assert [m.peer.state for m in room.members] == ["connected"] * 3
    counted = room.relay.stats()
    reasons = set(counted.dropped) | set(counted.peers["member-0"].dropped)
    assert reasons >= {
        "too_long", "truncated", "malformed", "unknown_kind", "unknown_address", "bad_stun",
        "bad_credentials", "unknown_ssrc", "unknown_payload_type", "unauthenticated", "replayed",
        "duplicate", "padding",
    }  # fmt: skip

    # and media flows both ways
    room.tick(2)
    for listener in room.members:
        listener.client.on_datagram = None
    for mid, ssrc in (("mi", 0x1111), ("ca", 0x2222)):
        member.send(mid, fuzzer.seqs[ssrc] + 1, payload=b"after all")
        room.members[1].send(mid, 1, payload=b"after all")
    await room.settle()
    heard = [[p.payload for p in m.media() if p.payload_type != 97] for m in room.members]
    assert heard == [[b"after all"] * 2, [b"after all"] * 2, [b"after all"] * 4]


async def test_spoiled_hellos_at_every_stage(room: Room) -> None:
    chance = Random(5_764)
    hello = client_hello()
    relay = room.relay
    for number in range(60):
        member = Member(relay, f"newcomer-{number}")
        member.client.open(member.peer.local)
        await member.client.check(nominate=True)
        if number % 2:
            relay.accept(member.peer, member.client.remote())
            await asyncio.sleep(0)
        for _ in range(20):
            member.client.send_raw(mutated(chance, hello, [hello]))
            await member.client.check(nominate=False)
        if not number % 2:
            relay.accept(member.peer, member.client.remote())
            await asyncio.sleep(0)
        relay.remove_peer(member.peer)
        await member.client.close()
    await until(lambda: not relay._tasks)
    assert_bounded(room)
